// The stages of a run of QPruner: what each is made from and where, before any of it is done.
import { join } from 'node:path'
import { hashBatches } from '../../data/calibration.ts'
import type { Windows } from '../edit/edit-windows.ts'
import type { QprunerConfig } from './config.ts'
import { isComplete, type StageInputs, stageKey } from './stage-directory.ts'

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
