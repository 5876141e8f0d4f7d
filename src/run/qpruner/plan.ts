// The stages of a run of QPruner: what each is made from and where, before any of it is done.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { hashBatches } from '../../data/calibration.ts'
import { UsageError } from '../../errors.ts'
import type { Windows } from '../edit/edit-windows.ts'
import { isComplete, madeFrom, type StageInputs, stageKey } from '../stage-directory.ts'
import type { QprunerConfig } from './config.ts'

/** One stage: a directory, and what it is made from. */
export interface Stage {
  name: string
  directory: string
  inputs: StageInputs
  key: string
}

/** The stages in their order; undefined where the configuration leaves one out. */
export interface QprunerPlan {
  pruned: Stage | undefined
  allocated: Stage
  refined: Stage | undefined
  quantized: Stage
  recovered: Stage | undefined
  /** The journal that allocation and refinement share. */
  measurements: string
}

/** Plans for a model whose weights `model` names. */
export function planStages(config: QprunerConfig, model: string, windows: Windows): QprunerPlan {
  const { output_dir: root, seed, dtype, prune, quantize, recover, dataset } = config
  const stage = (name: string, inputs: StageInputs): Stage => ({
    name,
    directory: join(root, name),
    inputs,
    key: stageKey(name, inputs),
  })
  const common = { model, data: hashBatches(windows.calibration), seed, ...(dtype !== 'auto' && { dtype }) }
  const pruned = prune && stage('pruned', { ...common, prune })
  const base = pruned?.key ?? model
  const { evaluations, ...allocation } = quantize
  const { formats: choices, granularity, quantizer } = quantize
  const measured = stageKey('measurements', { ...common, base, choices, granularity, quantizer })
  const allocated = stage('allocated', { ...common, base, ...allocation })
  const refined = evaluations > 0 ? stage('refined', { allocated: allocated.key, evaluations }) : undefined
  const start = { rank: recover?.lora_r, alpha: recover?.lora_alpha, iterations: recover?.loftq_iterations }
  const quantized = stage('quantized', { base, formats: (refined ?? allocated).key, ...start })
  return {
    pruned,
    allocated,
    refined,
    quantized,
    recovered: recover && stage('recovered', { quantized: quantized.key, dataset, recover }),
    measurements: join(root, `.measurements-${measured.slice(0, 12)}.jsonl`),
  }
}

/** In the order in which they are made. */
export function stagesOf({ pruned, allocated, refined, quantized, recovered }: QprunerPlan): Stage[] {
  return [pruned, allocated, refined, quantized, recovered].filter((stage) => stage !== undefined)
}

/** `pruned: done before`, or what `otherwise` says. */
export function describeStage({ name, directory, key }: Stage, otherwise = ''): string {
  const state = isComplete(directory, key) ? 'done before' : otherwise
  return state === '' ? name : `${name}: ${state}`
}

/** UsageError where stages of other inputs are there, which these would replace: says which, and what they were made from. */
export function refuseOtherStages(plan: QprunerPlan, root: string): void {
  const stale = stagesOf(plan).filter(({ directory, key }) => existsSync(directory) && !isComplete(directory, key))
  if (stale.length === 0) return
  const changes = stale.flatMap(({ directory, inputs }) => changesBetween(madeFrom(directory) ?? {}, inputs))
  const why = changes.length === 0 ? '' : ` (${[...new Set(changes)].join(', ')})`
  throw new UsageError(
    `output_dir: expected a folder without results of other settings, got ${root}, whose ${stale.map(({ name }) => name).join(', ')} would be replaced${why}. Choose another one, or give \`overwrite\``,
  )
}

/** `budget_bits 4 → 3`; of hashes, whose change is no news to anybody, the name alone. What follows from another stage is left out. */
function changesBetween(before: StageInputs, after: StageInputs): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => {
    const [was, is] = [before[key], after[key]]
    if (JSON.stringify(was) === JSON.stringify(is)) return []
    if (isSection(was) && isSection(is)) return changesBetween(was, is).map((change) => `${key}.${change}`)
    if (key === 'model' || key === 'data') return [`another ${key === 'model' ? 'model' : 'text'}`]
    if (isHash(was) && isHash(is)) return []
    return [`${key} ${shownValue(was)} → ${shownValue(is)}`]
  })
}

function isHash(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

function isSection(value: unknown): value is StageInputs {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shownValue(value: unknown): string {
  if (value === undefined) return 'unset'
  return Array.isArray(value) ? value.join(' ') : isSection(value) ? 'set' : String(value)
}
