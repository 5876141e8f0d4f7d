// What `anneal qpruner` does: every stage in a directory of its own under output_dir, in the order of the paper. A rerun keeps the stages
// whose inputs are what they were and goes on with the first other one; inside a stage, journal and checkpoints keep what was done.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hashWeights } from '../../checkpoint/model-directory/hash-weights.ts'
import { loadConfig, loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { followRun } from '../../cli/follow-run.ts'
import type { Output } from '../../cli/output.ts'
import { parseConfig } from '../../config/parse.ts'
import { hashBatches } from '../../data/calibration.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { makeOutputDirectory } from '../../files/output-directory.ts'
import { loadDtype } from '../../model/dtype.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { resolveDevice, setThreads } from '../../torch/index.ts'
import { drawWindows, halves, type Windows } from '../quantize/run-quantize.ts'
import { runTraining } from '../train/run-training.ts'
import type { QprunerConfig } from './config.ts'
import { qprunerLines, qprunerReport } from './qpruner-report.ts'
import { isComplete, makeStage, type StageInputs, stageKey } from './stage-directory.ts'
import {
  chooseInto,
  judge,
  pruneInto,
  quantizeInto,
  readChosen,
  recoverConfig,
  recoverInto,
  type StageContext,
  startAdapter,
} from './stages.ts'

/** Runs the pipeline; returns the exit code (130 or 143 after a signal). */
export async function runQpruner(config: QprunerConfig, output: Output): Promise<number> {
  if (config.threads !== undefined) setThreads(config.threads)
  const { model_name_or_path: original, output_dir: root, quantize, recover, seed } = config
  const device = resolveDevice(config.device)
  const dtype = loadDtype('auto', loadConfig(original).dtype, device)
  const takeAway = makeOutputDirectory(root, 'output_dir')
  try {
    sweepLeftovers(root)
    const windows = await windowsOf(config, output)
    const context: StageContext = { config, windows, output, load: (path) => loadDecoder(path, { device, dtype }) }
    const common = { model: hashWeights(original), data: hashBatches(windows.calibration), seed }

    /** Makes a stage or says that it is there; returns its directory and key. */
    const stage = async (
      name: string,
      inputs: StageInputs,
      fill: (directory: string) => Promise<void>,
    ): Promise<{ directory: string; key: string }> => {
      const directory = join(root, name)
      const key = stageKey(name, inputs)
      output.note(`${name}${isComplete(directory, key) ? ': done before' : ''}`)
      await makeStage(directory, name, inputs, fill)
      output.emit({ stage: name, directory })
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
        const code = await trainIn(
          work,
          stageKey('recovered', inputs),
          recoverConfig(config, quantized.directory, work),
          output,
        )
        if (code !== 0) return code
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
    output.emit({ judged, bits: chosen.bits })
    output.result(`${qprunerLines(judged, chosen).join('\n')}\n→ ${root}`)
    return 0
  } finally {
    takeAway()
  }
}

/** Trains in a folder that outlives an interruption; one that belongs to other inputs is begun anew. */
async function trainIn(work: string, key: string, config: Record<string, unknown>, output: Output): Promise<number> {
  const note = join(work, '.inputs')
  if (existsSync(work) && !(existsSync(note) && readFileSync(note, 'utf8') === key))
    rmSync(work, { recursive: true, force: true })
  const isBegun = existsSync(work)
  makeOutputDirectory(work, 'output_dir')
  writeFileAtomic(note, key)
  const resume = isBegun ? { resume_from_checkpoint: 'auto' } : {}
  const { config: training } = parseConfig(JSON.stringify({ ...config, ...resume }), 'recover')
  return (await followRun((signal) => runTraining(training, { signal }), output, true)).exitCode
}

async function windowsOf(config: QprunerConfig, output: Output): Promise<Windows> {
  const { dataset, eval_dataset, model_name_or_path, calibration, text_column: textColumn, seed } = config
  const tokenizer = await Tokenizer.fromDirectory(model_name_or_path)
  const { samples, length, batch_size: batchSize } = calibration
  const options = { length, samples, batchSize, seed, textColumn }
  if (eval_dataset === undefined)
    return halves(await drawWindows(dataset, tokenizer, { ...options, samples: 2 * samples }, output), dataset)
  return {
    calibration: await drawWindows(dataset, tokenizer, options, output),
    evaluation: await drawWindows(eval_dataset, tokenizer, options, output),
  }
}
