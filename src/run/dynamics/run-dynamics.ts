// How a run moved its model: every checkpoint against the model that the run began from, weight by weight and token by token, and what
// tasks say of each of them (SnakModel, Zhang et al., NoDaLiDa 2025, §5).
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { readManifest } from '../../checkpoint/run-directory/manifest.ts'
import { findCheckpoints } from '../../checkpoint/run-directory/run-directory.ts'
import { readTrainerState, TRAINER_STATE } from '../../checkpoint/run-directory/trainer-state.ts'
import { InputError, UsageError } from '../../errors.ts'
import { findTasks } from '../../eval/find-tasks.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { isHubName } from '../../hub/hub-name.ts'
import type { Decoder } from '../../model/decoder.ts'
import { rowShift, weightShift } from '../../probe/weight-shift.ts'
import { counted } from '../../report/amounts.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { Tensor } from '../../torch/index.ts'
import { Count, eventsOf, resultOf, type Tell, turn, type Watch, type WorkEvent } from '../../work.ts'
import { contaminationLines, type RunEvalOptions, runEval } from '../eval/run-eval.ts'
import { loadModel } from '../load-model.ts'
import { resolveDataFile } from '../resolve-data.ts'
import { heldSetsOf, pointsOf } from '../train/training-charts.ts'
import type { CheckpointDynamics, Dynamics, MovedRows, MovedWeight } from './dynamics.ts'
import { dynamicsPage } from './dynamics-page.ts'

/** Which run, against what, and what is asked of its checkpoints. */
export interface RunDynamicsOptions {
  /** `output_dir` of a training run that kept its checkpoints. */
  run: string
  /** What they are compared with. Default: the model that the run began from; of a fresh one its first checkpoint. */
  base?: string | undefined
  /** Singular vectors of `topAngle`; default 16. */
  topK?: number | undefined
  /** False: no angles, which take long for large matrices. */
  angles?: boolean | undefined
  /** Tasks that the base and each checkpoint are evaluated on, as in `runEval`. */
  tasks?: readonly string[] | undefined
  data?: string | undefined
  limit?: number | undefined
  /** False: documents of the tasks are not looked for in the text that the run learnt from. */
  leakage?: boolean | undefined
  /** Where dynamics.json and dynamics.html go; default `dynamics` in the run. */
  out?: string | undefined
}

const NAMED_TOKENS = 20

/**
 * Compares all checkpoints of a run with where it began.
 *
 * @example
 * const { checkpoints } = await resultOf(runDynamics({ run: 'runs/danish', tasks: ['scala.yaml'] }))
 */
export function runDynamics(
  options: RunDynamicsOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, Dynamics> {
  return eventsOf((watch) => work(options, watch), { signal })
}

async function work(options: RunDynamicsOptions, watch: { signal: AbortSignal; tell: Tell }): Promise<Dynamics> {
  const { tell } = watch
  const { run, topK = 16 } = options
  const found = findCheckpoints(run).filter(({ problem, path }) => {
    if (problem !== undefined) tell({ type: 'notice', message: `${path} is left out: ${problem}` })
    return problem === undefined
  })
  if (found.length === 0)
    throw new InputError(
      `${run}: expected a run with checkpoints (checkpoint-N), got ${existsSync(run) ? 'none' : 'nothing'}. Give output_dir of a run with save_steps, and save_total_limit large enough to keep them`,
    )
  const began = options.base ?? beginning(found[0]!.path)
  const base = began ?? found[0]!.path
  const compared = began === undefined ? found.slice(1) : found
  if (compared.length === 0)
    throw new UsageError(
      `${run}: expected two checkpoints or the model that the run began from, got one checkpoint of a fresh model. Give base`,
    )
  if (began === undefined)
    tell({ type: 'notice', message: `the run began from a fresh model: checkpoints are compared with ${base}` })
  // A wrong name is said before hours of decompositions.
  if (options.tasks?.length) {
    const data = options.data && (await resolveDataFile(options.data, watch))
    await findTasks(options.tasks, { data, notice: () => {} })
  }
  tell({ type: 'started', work: 'dynamics', message: `${counted(compared.length, 'checkpoint')} against ${base}` })
  const dynamics: Dynamics = { run, base, topK, checkpoints: [], ...evalLossOf(compared.at(-1)!.path) }
  const before = await open(base, watch)
  try {
    const parameters = new Map(before.model.parameters())
    const count = new Count(watch, { label: 'comparing', unit: 'weights', total: parameters.size * compared.length })
    for (const { step, path } of compared) {
      const after = await open(path, watch)
      try {
        const compare = { ...options, topK, each: () => count.add() }
        dynamics.checkpoints.push({ step, path, ...(await compareModels(parameters, after, compare, watch)) })
      } finally {
        after.model.free()
      }
    }
  } finally {
    before.model.free()
  }
  const out = options.out ?? join(run, 'dynamics')
  await evaluateAll(dynamics, options, out, watch)
  mkdirSync(out, { recursive: true })
  const json = join(out, 'dynamics.json')
  writeFileAtomic(json, `${JSON.stringify(dynamics, null, 1)}\n`)
  const page = join(out, 'dynamics.html')
  writeFileAtomic(page, dynamicsPage(dynamics))
  tell({ type: 'saved', what: 'results', path: json })
  tell({ type: 'saved', what: 'report', path: page })
  tell({ type: 'result', result: dynamics, lines: linesOf(dynamics) })
  return dynamics
}

/** The model that the run of a checkpoint began from; undefined for a fresh one. */
function beginning(checkpoint: string): string | undefined {
  const origin = readManifest(checkpoint).meta.origin as { config?: Record<string, unknown> } | undefined
  const model = origin?.config?.model_name_or_path
  return typeof model === 'string' ? model : undefined
}

function evalLossOf(checkpoint: string): Pick<Dynamics, 'evalLoss' | 'evalLosses'> {
  if (!existsSync(join(checkpoint, TRAINER_STATE))) return { evalLoss: [] }
  const rows = readTrainerState(checkpoint).log_history
  const of = (name: string): [number, number][] =>
    pointsOf(rows, name).filter(([, loss]) => Number.isFinite(loss)) as [number, number][]
  const sets = heldSetsOf(rows).map((name) => [name, of(`eval_${name}_loss`)] as const)
  return { evalLoss: of('eval_loss'), ...(sets.length > 0 && { evalLosses: Object.fromEntries(sets) }) }
}

/** In f32, with adapters in the weights, so that equal paths mean equal things. */
async function open(path: string, { tell }: Watch): Promise<{ model: Decoder; tokenizer: Tokenizer | undefined }> {
  const notice = (message: string): void => tell?.({ type: 'notice', message })
  return loadModel(path, { dtype: 'f32', onto: 'dequantized', tell: notice })
}

type Comparing = Pick<RunDynamicsOptions, 'angles'> & { topK: number; each: () => void }

async function compareModels(
  before: ReadonlyMap<string, Tensor>,
  { model, tokenizer }: { model: Decoder; tokenizer: Tokenizer | undefined },
  { topK, angles, each }: Comparing,
  watch: Watch,
): Promise<Pick<CheckpointDynamics, 'weights' | 'rows'>> {
  const weights: MovedWeight[] = []
  const rows: Record<string, MovedRows> = {}
  for (const [name, after] of model.parameters()) {
    const old = before.get(name)
    if (old === undefined || old.shape.join() !== after.shape.join())
      throw new UsageError(
        `base: expected the shapes of the checkpoints, got ${old === undefined ? 'no weight' : `[${old.shape}]`} for ${name}, which is [${after.shape}]. Was the model pruned, or its vocabulary extended?`,
      )
    const { type, layer } = placeOf(name)
    weights.push({ name, type, layer, ...weightShift(old, after, { topK, ...(angles !== undefined && { angles }) }) })
    if (type === 'embed_tokens' || type === 'lm_head') rows[type] = movedRows(old, after, tokenizer)
    each()
    await turn(watch)
  }
  return { weights, rows }
}

/** `model.layers.3.self_attn.q_proj.weight` → q_proj of block 3. */
function placeOf(name: string): { type: string; layer: number | null } {
  const layer = /\.layers\.(\d+)\./.exec(name)?.[1]
  const last = name.split('.').at(-2)!
  return { type: last.includes('norm') ? 'norm' : last, layer: layer === undefined ? null : Number(layer) }
}

function movedRows(before: Tensor, after: Tensor, tokenizer: Tokenizer | undefined): MovedRows {
  const { rows, ...summary } = rowShift(before, after)
  const order = Array.from(rows.keys()).sort((a, b) => rows[b]! - rows[a]! || a - b)
  const named = (ids: readonly number[]): MovedRows['farthest'] =>
    ids.map((id) => ({
      token: tokenizer === undefined || id >= tokenizer.vocabSize ? '' : tokenizer.decode([id]),
      id,
      distance: rows[id]!,
    }))
  return {
    ...summary,
    farthest: named(order.slice(0, NAMED_TOKENS)),
    nearest: named(order.slice(-NAMED_TOKENS).reverse()),
  }
}

/** The base and every checkpoint on the tasks; answers are kept beside the results, so that a second call asks only for what is new. */
async function evaluateAll(
  dynamics: Dynamics,
  { tasks = [], data, limit, leakage = true }: RunDynamicsOptions,
  out: string,
  watch: Watch,
): Promise<void> {
  if (tasks.length === 0) return
  const learnt = leakage ? textOf(dynamics.checkpoints.at(-1)!.path, watch) : {}
  const scoresOf = async (model: string, more: typeof learnt = {}): Promise<Record<string, number>> => {
    const outputPath = join(out, 'eval')
    const asked = { model, tasks, data, limit, outputPath, bootstrap: 0, ...more }
    const { results, higher_is_better, contamination } = await resultOf(
      runEval(asked, { signal: watch.signal }),
      (event) => {
        if (event.type === 'progress' || event.type === 'notice') watch.tell?.(event)
      },
    )
    if (contamination !== undefined) dynamics.leakage = contamination as NonNullable<Dynamics['leakage']>
    return metricsOf(results, higher_is_better)
  }
  dynamics.baseScores = await scoresOf(dynamics.base)
  for (const checkpoint of dynamics.checkpoints) {
    const isLast = checkpoint === dynamics.checkpoints.at(-1)
    checkpoint.scores = await scoresOf(checkpoint.path, isLast ? learnt : {})
  }
}

/** The running text that the run of a checkpoint learnt from, where it is there still. */
function textOf(checkpoint: string, { tell }: Watch): Pick<RunEvalOptions, 'trainingText' | 'trainingTextColumn'> {
  const origin = readManifest(checkpoint).meta.origin as { config?: Record<string, unknown> } | undefined
  const { stage, dataset, text_column: column } = origin?.config ?? {}
  if ((stage !== 'pretrain' && stage !== 'mlm') || !Array.isArray(dataset)) return {}
  const missing = dataset.find((path) => !existsSync(String(path)) && !isHubName(String(path)))
  if (missing === undefined) return { trainingText: dataset.map(String), trainingTextColumn: String(column ?? 'text') }
  tell?.({
    type: 'notice',
    message: `${missing}, which the run learnt from, is not there: what tasks have in common with it is not looked for`,
  })
  return {}
}

function metricsOf(
  results: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  known: Readonly<Record<string, Readonly<Record<string, boolean | null>>>>,
): Record<string, number> {
  const scores: Record<string, number> = {}
  for (const [task, metrics] of Object.entries(results))
    for (const [key, value] of Object.entries(metrics)) {
      const [metric = ''] = key.split(',')
      if (typeof value === 'number' && metric in (known[task] ?? {})) scores[`${task}: ${metric}`] = value
    }
  return scores
}

function linesOf({ checkpoints, leakage }: Dynamics): string[] {
  const lines = checkpoints.map(({ step, weights, scores = {} }) => {
    const matrices = weights.filter(({ type }) => type !== 'norm')
    const mean = matrices.reduce((sum, { meanAbs }) => sum + meanAbs, 0) / matrices.length
    const shown = Object.entries(scores).map(([name, value]) => `${name} ${value.toFixed(4)}`)
    return [`step ${step}: mean |ΔW| ${mean.toPrecision(3)}`, ...shown].join(', ')
  })
  return [...lines, ...contaminationLines(leakage)]
}
