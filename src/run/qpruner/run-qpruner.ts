// What `anneal qpruner` does: every stage in a directory of its own under output_dir, in the order of the paper. A rerun keeps the stages
// whose inputs are what they were and, with `overwrite`, makes the others anew; inside a stage, journal and checkpoints keep what was done.
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { dumpConfig } from '../../config/dump.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { makeOutputDirectory } from '../../files/output-directory.ts'
import { eventsOf, resultOf, type Tell, turn, type Watch } from '../../work.ts'
import { modelSource } from '../model-source.ts'
import { isComplete, makeStage } from '../stage-directory.ts'
import type { RunEvent } from '../train/run-events.ts'
import { runTraining } from '../train/run-training.ts'
import { type QprunerConfig, qprunerKind } from './config.ts'
import { describeStage, type Stage, stagesOf } from './plan.ts'
import { prepareQpruner } from './prepare.ts'
import { qprunerLines, qprunerReport } from './qpruner-report.ts'
import {
  chooseInto,
  type Judged,
  judge,
  pruneInto,
  quantizeInto,
  readChosen,
  recoverConfig,
  recoverInto,
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

/** How the pipeline is watched. */
export interface RunQprunerOptions {
  signal?: AbortSignal | undefined
  /** Lets stages in `output_dir` that were made with other settings be made anew; without it they are refused. */
  overwrite?: boolean | undefined
  /** Where the keys of the configuration come from, for the file that is left beside the result. */
  origins?: Readonly<Record<string, string>> | undefined
}

type QprunerEvent = RunEvent

interface PipelineWatch {
  signal: AbortSignal
  tell: Tell<QprunerEvent>
}

/**
 * Runs the pipeline: every stage in a directory of its own below `output_dir`. Stopped, it keeps what is whole, its measurements and the
 * checkpoints of the training, and goes on from there.
 *
 * @example
 * const config = qprunerConfig({ model_name_or_path: 'models/base', dataset: 'texts', output_dir: 'runs/q', quantize: { budget_bits: 3.5 } })
 * const { judged } = await resultOf(runQpruner(config))
 */
export function runQpruner(
  config: QprunerConfig,
  { signal, origins, overwrite }: RunQprunerOptions = {},
): AsyncGenerator<QprunerEvent, QprunerResult> {
  return eventsOf<QprunerResult, QprunerEvent>((watch) => pipeline(config, { origins, overwrite }, watch), { signal })
}

/**
 * Does all that comes before the first stage, loads the model, and tells which stages are there already; leaves nothing behind. Throws what
 * `runQpruner` would throw before its first stage.
 */
export function checkQpruner(
  config: QprunerConfig,
  { signal, overwrite }: Pick<RunQprunerOptions, 'signal' | 'overwrite'> = {},
): AsyncGenerator<QprunerEvent, void> {
  return eventsOf<void, QprunerEvent>(
    async (watch) => {
      const { context, plan, close } = await prepareQpruner(config, watch as Watch, { overwrite })
      try {
        const { model } = await context.load(context.original, 'dequantized')
        model.free()
        await turn(watch)
        for (const stage of stagesOf(plan))
          watch.tell({ type: 'started', work: stage.name, message: describeStage(stage, 'to be made') })
      } finally {
        close()
      }
    },
    { signal },
  )
}

async function pipeline(
  given: QprunerConfig,
  { origins, overwrite }: Pick<RunQprunerOptions, 'origins' | 'overwrite'>,
  watch: PipelineWatch,
): Promise<QprunerResult> {
  const { context, plan, close } = await prepareQpruner(given, watch as Watch, { overwrite })
  const { original, config } = context
  const { output_dir: root, quantize } = config
  /** Makes a stage, or says that it is there. */
  const make = async (stage: Stage, fill: (directory: string) => Promise<void>): Promise<void> => {
    const { name, directory, inputs } = stage
    watch.tell({ type: 'started', work: name, message: describeStage(stage) })
    await makeStage(directory, name, inputs, fill)
    watch.tell({ type: 'saved', what: name, path: directory })
  }
  try {
    const { pruned, allocated, refined, quantized, recovered, measurements } = plan
    if (pruned) await make(pruned, (to) => pruneInto(to, context))
    const base = pruned ? modelSource(pruned.directory) : original
    await make(allocated, (to) => chooseInto(to, base, quantize.allocate, measurements, context))
    if (refined) await make(refined, (to) => chooseInto(to, base, 'bo', measurements, context))
    const formats = (refined ?? allocated).directory
    await make(quantized, (to) => quantizeInto(to, base, formats, context))
    if (recovered) {
      const work = join(root, '.recovering')
      if (!isComplete(recovered.directory, recovered.key))
        await trainIn(work, recovered.key, recoverConfig(config, quantized.directory, work), watch)
      await make(recovered, (to) => recoverInto(to, work))
      rmSync(work, { recursive: true, force: true })
    }

    const begin = startAdapter(quantized.directory)
    const withAdapter = (adapter: string) => modelSource(quantized.directory, adapter)
    const judged = await judge(
      [
        { name: 'original', source: original, onto: 'dequantized' },
        ...(pruned ? [{ name: 'pruned', source: base }] : []),
        { name: 'quantized', source: modelSource(quantized.directory) },
        ...(begin ? [{ name: 'with LoftQ', source: withAdapter(begin) }] : []),
        ...(recovered ? [{ name: 'recovered', source: withAdapter(recovered.directory) }] : []),
      ],
      context,
    )
    const chosen = readChosen(formats)
    const page = qprunerReport(config.model_name_or_path, judged, chosen, quantize.objective)
    const header = ['Resolved configuration: every key, and where its value came from.']
    writeFileAtomic(join(root, 'qpruner_config.yaml'), dumpConfig(qprunerKind, { config, origins }, header))
    writeFileAtomic(join(root, 'results.json'), `${JSON.stringify({ judged, formats: chosen }, null, 2)}\n`)
    writeFileAtomic(join(root, 'report.html'), page)
    const result: QprunerResult = { directory: root, judged, bits: chosen.bits }
    watch.tell({ type: 'result', result, lines: [...qprunerLines(judged, chosen), `→ ${root}`] })
    return result
  } finally {
    close()
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
