// What `anneal qpruner` does: every stage in a directory of its own under output_dir, in the order of the paper. A rerun keeps the stages
// whose inputs are what they were and goes on with the first other one; inside a stage, journal and checkpoints keep what was done.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hashWeights } from '../../checkpoint/model-directory/hash-weights.ts'
import { loadConfig, loadDecoder } from '../../checkpoint/model-directory/load.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { hashBatches } from '../../data/calibration.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { makeOutputDirectory } from '../../files/output-directory.ts'
import { lockOutput } from '../../files/output-lock.ts'
import { loadDtype } from '../../model/dtype.ts'
import { resolveDevice, setThreads } from '../../torch/index.ts'
import { eventsOf, resultOf, type Tell, type Watch } from '../../work.ts'
import { drawWindows, fittingTokenizer, resolveWindows, type Windows } from '../edit/edit-windows.ts'
import { modelSource } from '../model-source.ts'
import type { RunEvent } from '../train/run-events.ts'
import { runTraining } from '../train/run-training.ts'
import type { QprunerConfig } from './config.ts'
import { qprunerLines, qprunerReport } from './qpruner-report.ts'
import { isComplete, makeStage, type StageInputs, stageKey } from './stage-directory.ts'
import {
  chooseInto,
  type Judged,
  judge,
  pruneInto,
  quantizeInto,
  readChosen,
  recoverConfig,
  recoverInto,
  type StageContext,
  startAdapter,
} from './stages.ts'

/** What the whole pipeline leaves. */
export interface QprunerResult {
  directory: string
  /** The models of the pipeline on windows that nothing was chosen by. */
  judged: Judged[]
  /** Per weight, scales included. */
  bits: number
}

type QprunerEvent = RunEvent

/**
 * Runs the pipeline: every stage in a directory of its own below `output_dir`. Stopped, it keeps what is whole, its measurements and the
 * checkpoints of the training, and goes on from there.
 *
 * @example
 * const { judged } = await resultOf(runQpruner(parseQprunerConfig(text, 'qpruner.yaml').config))
 */
export function runQpruner(
  config: QprunerConfig,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<QprunerEvent, QprunerResult> {
  return eventsOf<QprunerResult, QprunerEvent>((watch) => pipeline(config, watch), { signal })
}

interface PipelineWatch {
  signal: AbortSignal
  tell: Tell<QprunerEvent>
}

async function pipeline(config: QprunerConfig, watch: PipelineWatch): Promise<QprunerResult> {
  if (config.threads !== undefined) setThreads(config.threads)
  const { model_name_or_path: original, output_dir: root, quantize, recover, seed } = config
  const device = resolveDevice(config.device)
  const dtype = loadDtype('auto', loadConfig(original).dtype, device)
  const takeAway = makeOutputDirectory(root, 'output_dir')
  let unlock = (): void => {}
  try {
    unlock = lockOutput(join(root, '.lock'), root, 'output_dir')
    sweepLeftovers(root)
    const windows = await windowsOf(config, watch)
    const context: StageContext = {
      config,
      windows,
      watch: watch as Watch,
      load: (path) => loadDecoder(path, { device, dtype }),
    }
    const common = { model: hashWeights(original), data: hashBatches(windows.calibration), seed }

    /** Makes a stage or says that it is there; returns its directory and key. */
    const stage = async (
      name: string,
      inputs: StageInputs,
      fill: (directory: string) => Promise<void>,
    ): Promise<{ directory: string; key: string }> => {
      const directory = join(root, name)
      const key = stageKey(name, inputs)
      const message = `${name}${isComplete(directory, key) ? ': done before' : ''}`
      watch.tell({ type: 'started', work: name, message })
      await makeStage(directory, name, inputs, fill)
      watch.tell({ type: 'saved', what: name, path: directory })
      return { directory, key }
    }

    const pruned = config.prune
      ? await stage('pruned', { ...common, prune: config.prune }, (to) => pruneInto(to, context))
      : { directory: original, key: common.model }
    const { evaluations, ...allocation } = quantize
    const { formats: choices, granularity, quantizer } = quantize
    const measured = stageKey('measurements', { ...common, base: pruned.key, choices, granularity, quantizer })
    const measurements = join(root, `.measurements-${measured.slice(0, 12)}.jsonl`)
    const choose = (method: typeof quantize.allocate | 'bo') => (to: string) =>
      chooseInto(to, pruned.directory, method, measurements, context)
    let formats = await stage('allocated', { ...common, base: pruned.key, ...allocation }, choose(quantize.allocate))
    if (evaluations > 0) formats = await stage('refined', { allocated: formats.key, evaluations }, choose('bo'))
    const start = { rank: recover?.lora_r, alpha: recover?.lora_alpha, iterations: recover?.loftq_iterations }
    const quantized = await stage('quantized', { base: pruned.key, formats: formats.key, ...start }, (to) =>
      quantizeInto(to, pruned.directory, formats.directory, context),
    )
    let recovered: string | undefined
    if (recover !== undefined) {
      const inputs = { quantized: quantized.key, dataset: config.dataset, recover }
      const directory = join(root, 'recovered')
      const work = join(root, '.recovering')
      if (!isComplete(directory, stageKey('recovered', inputs))) {
        const training = recoverConfig(config, quantized.directory, work)
        await trainIn(work, stageKey('recovered', inputs), training, watch)
      }
      recovered = (await stage('recovered', inputs, (to) => recoverInto(to, work))).directory
      rmSync(work, { recursive: true, force: true })
    }

    const begin = startAdapter(quantized.directory)
    const judged = await judge(
      [
        { name: 'original', directory: original },
        ...(config.prune ? [{ name: 'pruned', directory: pruned.directory }] : []),
        { name: 'quantized', directory: quantized.directory },
        ...(begin ? [{ name: 'with LoftQ', directory: quantized.directory, adapter: begin }] : []),
        ...(recovered ? [{ name: 'recovered', directory: quantized.directory, adapter: recovered }] : []),
      ],
      context,
    )
    const chosen = readChosen(formats.directory)
    writeFileAtomic(join(root, 'results.json'), `${JSON.stringify({ judged, formats: chosen }, null, 2)}\n`)
    writeFileAtomic(join(root, 'report.html'), qprunerReport(original, judged, chosen, quantize.objective))
    const result: QprunerResult = { directory: root, judged, bits: chosen.bits }
    watch.tell({ type: 'result', result, lines: [...qprunerLines(judged, chosen), `→ ${root}`] })
    return result
  } finally {
    unlock()
    takeAway()
  }
}

/** Trains in a folder that outlives an interruption; one that belongs to other inputs is begun anew. */
async function trainIn(
  work: string,
  key: string,
  config: (resume: boolean) => TrainConfig,
  { signal, tell }: PipelineWatch,
): Promise<void> {
  const note = join(work, '.inputs')
  if (existsSync(work) && !(existsSync(note) && readFileSync(note, 'utf8') === key))
    rmSync(work, { recursive: true, force: true })
  const isBegun = existsSync(work)
  makeOutputDirectory(work, 'output_dir')
  writeFileAtomic(note, key)
  const { saveError } = await resultOf(runTraining(config(isBegun), { signal }), (event) => {
    if (event.type !== 'result') tell(event)
  })
  signal.throwIfAborted()
  if (saveError !== undefined) throw saveError
}

async function windowsOf(config: QprunerConfig, watch: PipelineWatch): Promise<Windows> {
  const { dataset, eval_dataset, model_name_or_path, calibration, text_column: textColumn, seed } = config
  const source = modelSource(model_name_or_path)
  const decoder = loadConfig(model_name_or_path)
  const { samples, max_length: maxLength, batch_size: batchSize } = calibration
  const options = { data: dataset, evalData: eval_dataset, samples, maxLength, batchSize, textColumn, seed }
  return drawWindows(await fittingTokenizer(source, decoder), resolveWindows(options, decoder), watch as Watch)
}
