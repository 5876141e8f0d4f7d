// The runs of a sweep, one after the other, and their table. A run that fails is a row that says why; the others go on.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { takeOutputDirectory } from '../../files/output-directory.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { counted } from '../../report/amounts.ts'
import { eventsOf, type Tell, type WorkEvent } from '../../work.ts'
import { runTraining } from '../train/run-training.ts'
import { type EvaluateWatch, evaluateAll } from './evaluate-all.ts'
import { readSweep, type Sweep, type SweepRun } from './read-sweep.ts'
import type { SweepResult, SweepRow } from './sweep-result.ts'
import { evaluationTables, markdownOf, missingMetrics, shownRow } from './sweep-tables.ts'
import { writeSweep } from './write-sweep.ts'

/**
 * Runs what the sweep file asks for and writes `sweep.json`, `sweep.md` and `sweep.html` into its `output_dir` after each run. Runs that are done with
 * the same configuration are not run again; one that was stopped goes on from its last checkpoint. Where the file has evaluations, every model is
 * evaluated after its run, and those that the runs begin with before all of them; what was evaluated in the same way is not asked again.
 *
 * @example
 * const { rows } = await resultOf(runSweep('sweep.yaml'))
 */
export function runSweep(
  file: string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, SweepResult> {
  return eventsOf((watch) => work(file, watch), { signal })
}

async function work(file: string, watch: { signal: AbortSignal; tell: Tell }): Promise<SweepResult> {
  const { tell, signal } = watch
  const sweep = readSweep(file)
  const { outputDir, runs } = sweep
  tell({ type: 'started', work: 'sweep', message: `${counted(runs.length, 'run')} into ${outputDir}` })
  const giveBack = takeOutputDirectory(outputDir, 'output_dir')
  try {
    mkdirSync(outputDir, { recursive: true })
    const known = resultIn(outputDir)
    const evaluating: EvaluateWatch = { ...watch, said: new Set() }
    const before = await evaluateBefore(sweep, known.before ?? [], evaluating)
    const rows: SweepRow[] = []
    for (const [i, run] of runs.entries()) {
      const config = JSON.parse(JSON.stringify(run.config)) as Record<string, unknown>
      const old = known.rows.find((row) => row.name === run.name && isTrained(row))
      const isDone = old !== undefined && JSON.stringify(old.config) === JSON.stringify(config)
      const trained = isDone ? { ...old } : { ...(await rowOf(run, `${i + 1} of ${runs.length}`, watch)), config }
      signal.throwIfAborted()
      // Those that come later are kept until they are run again.
      const rest = known.rows.filter(({ name }) => runs.slice(i + 1).some((later) => later.name === name))
      // What is trained is known before it is evaluated: whoever is stopped there does not train it again.
      writeSweep(sweep, { rows: [...rows, trained, ...rest], ...before })
      const row = await withEvaluations(trained, run, sweep, evaluating)
      rows.push(row)
      writeSweep(sweep, { rows: [...rows, ...rest], ...before })
      tell({ type: 'row', table: 'sweep', row: shownRow(row, sweep.axes) })
    }
    const failed = rows.filter(({ status }) => status === 'failed').length
    const result = { rows, ...before }
    for (const metric of missingMetrics(result, sweep.metrics))
      tell({ type: 'notice', message: `evaluate.metrics: no evaluation has ${metric}, so it has no table` })
    const lines = [
      ...evaluationTables(result, sweep.metrics).flatMap((table) => [table.title, '', ...markdownOf(table), '']),
      `${counted(rows.length - failed, 'run')} done${failed > 0 ? `, ${failed} failed` : ''} → ${join(outputDir, 'sweep.md')} and sweep.html`,
    ]
    tell({ type: 'result', result, lines })
    return result
  } finally {
    giveBack()
  }
}

async function rowOf(
  { name, settings, config }: SweepRun,
  place: string,
  { signal, tell }: { signal: AbortSignal; tell: Tell },
): Promise<Omit<SweepRow, 'config'>> {
  try {
    let total = 0
    for await (const event of runTraining(begun(name, config, tell), { signal })) {
      if (event.type === 'run-start') total = event.steps
      if (event.type === 'step-done')
        tell({ type: 'progress', label: `run ${place}: ${name}`, done: event.metrics.step, total, unit: 'steps' })
      if (event.type === 'checkpoint-failed' || event.type === 'notice')
        tell({ type: 'notice', message: `${name}: ${event.message}` })
    }
    signal.throwIfAborted()
    const metrics = readJsonFile(join(config.output_dir, 'all_results.json')) as Record<string, number>
    return { name, settings, status: 'done', metrics }
  } catch (error) {
    signal.throwIfAborted()
    const message = error instanceof Error ? error.message : String(error)
    tell({ type: 'notice', message: `${name} failed: ${message}` })
    return { name, settings, status: 'failed', metrics: {}, error: message }
  }
}

/**
 * The configuration with which a run goes on, or begins anew where its folder holds one of other settings: half of a run at one rate and half at
 * another would stand in the table as neither.
 */
function begun(name: string, config: SweepRun['config'], tell: Tell): SweepRun['config'] {
  const mark = join(config.output_dir, 'sweep-run.json')
  const text = JSON.stringify(config)
  const isSame = existsSync(mark) && JSON.stringify(readJsonFile(mark)) === text
  if (!isSame) {
    mkdirSync(config.output_dir, { recursive: true })
    const old = readdirSync(config.output_dir).filter((entry) => /^checkpoint-\d+$/.test(entry))
    for (const entry of old) rmSync(join(config.output_dir, entry), { recursive: true })
    if (old.length > 0)
      tell({ type: 'notice', message: `${name}: its settings changed, so it begins anew; old checkpoints are removed` })
    writeFileAtomic(mark, text)
  }
  return isSame ? { ...config, resume_from_checkpoint: 'auto' } : config
}

/** Whether there is a model, which may have failed at its evaluations. */
const isTrained = ({ metrics }: SweepRow): boolean => Object.keys(metrics).length > 0

function resultIn(outputDir: string): SweepResult {
  const file = join(outputDir, 'sweep.json')
  return existsSync(file) ? (readJsonFile(file) as SweepResult) : { rows: [] }
}

/** The row of a trained model with what evaluations say of it; one that cannot be evaluated has failed, and says why. */
async function withEvaluations(
  row: SweepRow,
  { name, config }: SweepRun,
  { evaluations }: Sweep,
  watch: EvaluateWatch,
): Promise<SweepRow> {
  if (!isTrained(row)) return row
  const { error: _, evaluated: known = [], ...trained } = row
  if (evaluations.length === 0) return { ...trained, status: 'done' }
  const folder = join(config.output_dir, 'eval')
  try {
    const evaluated = await evaluateAll(config.output_dir, name, evaluations, folder, known, watch)
    return { ...trained, status: 'done', evaluated }
  } catch (error) {
    watch.signal.throwIfAborted()
    const message = error instanceof Error ? error.message : String(error)
    watch.tell({ type: 'notice', message: `${name} failed: ${message}` })
    // It stays trained, and the next time it is evaluated alone.
    return { ...row, status: 'failed', error: message }
  }
}

/** The models that the runs begin with. */
async function evaluateBefore(
  { runs, evaluations, outputDir }: Sweep,
  known: NonNullable<SweepResult['before']>,
  watch: EvaluateWatch,
): Promise<Pick<SweepResult, 'before'>> {
  if (evaluations.length === 0) return {}
  const models = new Set(runs.flatMap(({ config }) => config.model_name_or_path ?? []))
  const before: NonNullable<SweepResult['before']> = []
  for (const [i, model] of [...models].entries()) {
    const old = known.find((one) => one.model === model)?.evaluated ?? []
    const folder = join(outputDir, models.size === 1 ? 'before' : `before-${i + 1}`)
    before.push({ model, evaluated: await evaluateAll(model, `before: ${model}`, evaluations, folder, old, watch) })
  }
  return { before }
}
