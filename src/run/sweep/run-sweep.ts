// The runs of a sweep, one after the other, and their table. A run that fails is a row that says why; the others go on.
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { takeOutputDirectory } from '../../files/output-directory.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { counted } from '../../report/amounts.ts'
import { eventsOf, type Tell, type WorkEvent } from '../../work.ts'
import { runTraining } from '../train/run-training.ts'
import { readSweep, type Sweep, type SweepRun } from './read-sweep.ts'

/** One run of a sweep and how it ended. */
export interface SweepRow {
  name: string
  settings: Record<string, string>
  status: 'done' | 'failed'
  /** What the run left in all_results.json. */
  metrics: Record<string, number>
  error?: string
  /** What it was trained with; a row of another configuration is run again. */
  config: Record<string, unknown>
}

/** What sweep.json holds. */
export interface SweepResult {
  rows: SweepRow[]
}

/** Not compared: they are of the machine. */
const TIMINGS = /_(?:runtime|per_second)$/

/**
 * Runs what the sweep file asks for and writes `sweep.json` and `sweep.md` into its `output_dir` after each run. Runs that are done with the same
 * configuration are not run again; one that was stopped goes on from its last checkpoint.
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
    const before = rowsIn(outputDir)
    const rows: SweepRow[] = []
    for (const [i, run] of runs.entries()) {
      const config = JSON.parse(JSON.stringify(run.config)) as Record<string, unknown>
      const known = before.find((row) => row.name === run.name && row.status === 'done')
      const isDone = known !== undefined && JSON.stringify(known.config) === JSON.stringify(config)
      const row = isDone ? known : { ...(await rowOf(run, `${i + 1} of ${runs.length}`, watch)), config }
      signal.throwIfAborted()
      rows.push(row)
      // Those that come later are kept until they are run again.
      const rest = before.filter(({ name }) => runs.slice(i + 1).some((later) => later.name === name))
      write(sweep, [...rows, ...rest])
      tell({ type: 'row', table: 'sweep', row: shown(row, sweep.axes) })
    }
    const failed = rows.filter(({ status }) => status === 'failed').length
    const result = { rows }
    const lines = [
      `${counted(rows.length - failed, 'run')} done${failed > 0 ? `, ${failed} failed` : ''} → ${join(outputDir, 'sweep.md')}`,
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

function rowsIn(outputDir: string): SweepRow[] {
  const file = join(outputDir, 'sweep.json')
  return existsSync(file) ? (readJsonFile(file) as SweepResult).rows : []
}

function write({ outputDir, axes }: Sweep, rows: readonly SweepRow[]): void {
  writeFileAtomic(join(outputDir, 'sweep.json'), `${JSON.stringify({ rows }, null, 1)}\n`)
  const metrics = [...new Set(rows.flatMap((row) => Object.keys(row.metrics).filter(isCompared)))]
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const table = [
    line([...axes, 'status', ...metrics]),
    line([...axes, 'status', ...metrics].map(() => '--:')),
    ...rows.map((row) =>
      line([
        ...axes.map((axis) => row.settings[axis] ?? ''),
        row.error === undefined ? row.status : `${row.status}: ${row.error.split('\n')[0]}`,
        ...metrics.map((name) => (row.metrics[name] === undefined ? '' : numberText(row.metrics[name]))),
      ]),
    ),
  ]
  writeFileAtomic(join(outputDir, 'sweep.md'), `${table.join('\n')}\n`)
}

/** As a row of a table at a terminal: settings, how it ended, what evaluations say. */
function shown({ settings, status, metrics }: SweepRow, axes: readonly string[]): Record<string, string> {
  return {
    ...Object.fromEntries(axes.map((axis) => [axis, settings[axis] ?? ''])),
    status,
    eval_loss: numberText(metrics.eval_loss),
    train_loss: numberText(metrics.train_loss),
  }
}

const isCompared = (name: string): boolean => /^(?:eval|train)_/.test(name) && !TIMINGS.test(name)

const numberText = (value: number | null | undefined): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(5))) : ''
