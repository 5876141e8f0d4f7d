// Structured pruning: removes whole neurons and heads, so that the model is smaller and faster in any engine, without sparse kernels.
// LLM-Pruner (arXiv:2305.11627v3): coupled groups and Taylor importance → groups.ts, importance.ts, gradient-evidence.ts.
// FLAP (arXiv:2312.11983): fluctuation of inputs, no gradients, bias compensation → feature-statistics.ts, remove-groups.ts.
// Recovery by training (LoRA) is another run: recipes/recover-pruned.yaml.
import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import type { Batch } from '../../data/batch.ts'
import { UnsupportedError, UsageError } from '../../errors.ts'
import type { AttentionConfig, MlpConfig } from '../../model/config.ts'
import { writeModelConfig } from '../../model/config-write.ts'
import type { Decoder } from '../../model/decoder.ts'
import { FAMILIES } from '../../model/families.ts'
import { Linear } from '../../nn/linear.ts'
import { Generator } from '../../torch/index.ts'
import { Count, type Watch } from '../../work.ts'
import { type FeatureStatistics, featureStatistics } from './feature-statistics.ts'
import { type GroupSet, groupSets } from './groups.ts'
import { standardise } from './importance.ts'
import { type GroupKind, type PruneOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { addBias, compensate, describeWeights, keepGroups } from './remove-groups.ts'
import { gradientPasses, scoreGroups } from './score-groups.ts'
import { best, globalCounts, localCounts } from './select.ts'

const ANNEAL_KEYS = ['per_layer_config', 'attention_output_bias', 'mlp_output_bias']

/** Sizes of one layer; null where the branch is missing. */
export interface LayerSizes {
  num_attention_heads: number | null
  num_key_value_heads: number | null
  intermediate_size: number | null
}

/** What pruning removed, layer by layer. */
export type PruneReport = {
  parameters_before: number
  parameters_after: number
  /** Shares removed, of the whole model and of its blocks. */
  removed_of_model: number
  removed_of_blocks: number
  layers: { before: LayerSizes; after: LayerSizes }[]
  /** Branches whose output matrix got a compensating bias. */
  compensated: GroupKind[]
  /** True when config.json needs no key that Anneal alone reads. */
  is_standard: boolean
}

/** What pruning did, as `appendLineage` takes it. */
export type PruneRecord = PassRecord<PruneReport>

/**
 * Removes neurons and heads from `model` in place and says what it did. `calibration` may be empty for `l1`, `l2` and `random` without
 * compensation. An option that cannot be met is a UsageError or UnsupportedError and leaves the model as it was; so does an abort in the
 * first round of `steps`, while one in a later round leaves it as that round found it. Tells of `scoring` in batches.
 *
 * @example
 * const { report } = await prune(model, windows, { ratio: 0.2 })
 */
export async function prune(
  model: Decoder,
  calibration: readonly Batch[],
  options: PruneOptions,
  watch: Watch = {},
): Promise<PruneRecord> {
  const resolved = resolveOptions(options, model.config.layers.length)
  const before = measure(model)
  const compensated = resolved.ratio === 0 ? [] : await removeInRounds(model, calibration, resolved, watch)
  const after = measure(model)
  return {
    pass: 'prune',
    options: { ...resolved },
    report: {
      parameters_before: before.model,
      parameters_after: after.model,
      removed_of_model: 1 - after.model / before.model,
      removed_of_blocks: 1 - after.blocks / before.blocks,
      layers: after.layers.map((sizes, i) => ({ before: before.layers[i]!, after: sizes })),
      compensated,
      is_standard: !ANNEAL_KEYS.some((key) => key in writeModelConfig(model.config)),
    },
  }
}

async function removeInRounds(
  model: Decoder,
  calibration: readonly Batch[],
  options: ResolvedOptions,
  watch: Watch,
): Promise<GroupKind[]> {
  const { importance, layout, steps } = options
  const find = (): GroupSet[] =>
    groupSets(model, options.targets, options.protectFirst, model.config.layers.length - options.protectLast)
  const original = find()
  if (layout === 'aligned') checkAligned(model, original)
  const countsOf = planCounts(model, original, options)
  const canGetBias = options.targets.filter((kind) => options.compensate && canCompensate(model, kind, layout))
  const needsInputs = canGetBias.length > 0 || importance === 'flap'
  const passes = gradientPasses(original, options) + (needsInputs ? 1 : 0)
  if (passes > 0 && calibration.length === 0)
    throw new UsageError(`importance: expected calibration data for ${importance}, got none. Give some, or use l2`)

  const total = steps * calibration.length * passes
  const count = new Count(watch, { label: 'scoring', unit: 'batches', total })
  const generator = new Generator(options.seed)
  const compensated = new Set<GroupKind>()
  for (let step = 1; step <= steps; step++) {
    const sets = find()
    const paths = needsInputs ? sets.map(outputPath) : []
    const statistics = paths.length > 0 ? await featureStatistics(model, paths, calibration, count, watch) : new Map()
    const inputs = (set: GroupSet): FeatureStatistics => statistics.get(outputPath(set))!
    try {
      const scores = await scoreGroups(model, sets, options, { inputs, calibration, generator, count, watch })
      const counts = countsOf(step / steps, sets, scores)
      for (const [i, set] of sets.entries()) {
        const kept = best(scores[i]!, Math.min(set.count, counts[i]!))
        if (kept.length < set.count && canGetBias.includes(set.kind)) {
          compensate(set, kept, inputs(set).mean)
          compensated.add(set.kind)
        }
        keepGroups(set, kept)
      }
    } finally {
      for (const { mean, variance } of statistics.values()) for (const tensor of [mean, variance]) tensor.free()
    }
    describeWeights(model)
  }
  if (layout === 'aligned') makeBiasesAlike(model, compensated)
  return [...compensated]
}

type Counts = (progress: number, sets: readonly GroupSet[], scores: readonly (readonly number[])[]) => number[]

/** How many groups of each set stay when `progress` (0 to 1) of the work is done; a UsageError where the ratio cannot be met. */
function planCounts(model: Decoder, original: readonly GroupSet[], options: ResolvedOptions): Counts {
  const { scope, layout, align, importance } = options
  const cost = original.reduce((sum, set) => sum + set.count * set.cost, 0)
  const share = removedParameters(model, cost, options) / cost
  const headCounts = (set: GroupSet): number[] => possibleHeads(model, set, layout)
  const countsOf: Counts = (progress, sets, scores) => {
    if (scope === 'local') return localCounts(original, progress * share, { align, headCounts })
    // FLAP's scores are standardised channel by channel already.
    const comparable = importance === 'flap' ? scores : scores.map(standardise)
    return globalCounts(sets, comparable, (1 - progress * share) * cost, align)
  }
  const equal = original.map(({ count }) => new Array<number>(count).fill(0))
  const rehearsal = countsOf(1, original, equal)
  if (rehearsal.every((count, i) => count === original[i]!.count)) throw tooSmall(options)
  return countsOf
}

/** Parameters to remove, of the groups that cost `cost` in all. */
function removedParameters(model: Decoder, cost: number, { ratio, ratioOf }: ResolvedOptions): number {
  const { model: all, blocks } = measure(model)
  const base = { model: all, blocks, groups: cost }[ratioOf]
  if (ratio * base < cost) return ratio * base
  throw new UsageError(
    `ratio: expected below ${(cost / base).toFixed(3)}, the share of ${ratioOf} that is in the groups to choose from, got ${ratio}. Lower it, or protect fewer layers`,
  )
}

/** How many key/value heads a set may keep: in the aligned layout Transformers wants query heads that divide the hidden size. */
function possibleHeads(model: Decoder, { count, members }: GroupSet, layout: ResolvedOptions['layout']): number[] {
  const perGroup = members[0]!.channels / members[1]!.channels
  const all = Array.from({ length: count }, (_, i) => i + 1)
  if (layout === 'per-layer') return all
  return all.filter((heads) => heads === count || model.config.hiddenSize % (heads * perGroup) === 0)
}

function checkAligned({ config }: Decoder, sets: readonly GroupSet[]): void {
  if (sets.some(({ kind }) => kind === 'heads') && !FAMILIES[config.modelType].isGated) {
    throw new UnsupportedError(
      `prune heads: expected a family whose config.json has head_dim for the aligned layout, got ${config.modelType}. Use layout per-layer, or prune the mlp only`,
    )
  }
  const shapes = new Set(config.layers.map(({ attention, mlp }) => JSON.stringify([layerSizes(attention, mlp)])))
  if (shapes.size === 1) return
  throw new UsageError(
    'layout: expected per-layer for a model whose layers differ in size already, got aligned. Use layout per-layer',
  )
}

/** The aligned layout keeps to biases that the family's config.json knows; the per-layer layout has keys of its own for them. */
function canCompensate({ config }: Decoder, kind: GroupKind, layout: ResolvedOptions['layout']): boolean {
  const { attentionBias, mlpBias } = FAMILIES[config.modelType]
  const rule = kind === 'mlp' ? mlpBias : attentionBias
  return layout === 'per-layer' || rule === 'key' || rule === 'all'
}

/** config.json says of all matrices of all layers at once whether they have a bias: zeros where nothing was compensated. */
function makeBiasesAlike(model: Decoder, compensated: ReadonlySet<GroupKind>): void {
  for (const { self_attn, mlp } of model.model.layers) {
    const linears = [
      ...(self_attn && compensated.has('heads')
        ? [self_attn.q_proj, self_attn.k_proj, self_attn.v_proj, self_attn.o_proj]
        : []),
      ...(mlp && compensated.has('mlp') ? [mlp.gate_proj, mlp.up_proj, mlp.down_proj] : []),
    ]
    for (const linear of linears) if (linear instanceof Linear) addBias(linear)
  }
  describeWeights(model)
}

function tooSmall({ ratio, align }: ResolvedOptions): UsageError {
  return new UsageError(
    `ratio: expected enough to remove something of every layer, got ${ratio}, which rounds to nothing. Raise it, or lower align (${align})`,
  )
}

const outputPath = ({ members }: GroupSet): string => members.at(-1)!.path

function layerSizes(attention: AttentionConfig | null, mlp: MlpConfig | null): LayerSizes {
  return {
    num_attention_heads: attention?.numAttentionHeads ?? null,
    num_key_value_heads: attention?.numKeyValueHeads ?? null,
    intermediate_size: mlp?.intermediateSize ?? null,
  }
}

/** Parameters of the model and of its blocks, and the sizes of every layer. */
function measure(model: Decoder): { model: number; blocks: number; layers: LayerSizes[] } {
  const counts = [...model.parameters()].map(([path, { numel }]) => ({ path, numel }))
  const sum = (list: typeof counts): number => list.reduce((total, { numel }) => total + numel, 0)
  return {
    model: sum(counts),
    blocks: sum(counts.filter(({ path }) => path.startsWith('model.layers.'))),
    layers: model.config.layers.map(({ attention, mlp }) => layerSizes(attention, mlp)),
  }
}
