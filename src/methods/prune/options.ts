// What can be asked of pruning, the defaults, and what is refused before anything is computed.
import { UsageError } from '../../errors.ts'

/** How the worth of a group is judged; see card.md for the formulas. */
export const IMPORTANCES = [
  'taylor-element',
  'taylor-vector',
  'taylor-second',
  'taylor-mixed',
  'flap',
  'l2',
  'l1',
  'random',
] as const

/** The name of a score of importance. */
export type Importance = (typeof IMPORTANCES)[number]

/** What is removed: neurons of MLPs, and key/value heads with the query heads that read them. */
export const GROUP_KINDS = ['mlp', 'heads'] as const

/** What is removed: neurons of MLPs, or attention heads. */
export type GroupKind = (typeof GROUP_KINDS)[number]
/** Of what the ratio is a share. */
export const RATIO_BASES = ['blocks', 'model', 'groups'] as const
/** How the scores of the matrices of one group become one. */
export const AGGREGATES = ['sum', 'mean', 'max'] as const
export const SCOPES = ['local', 'global'] as const
export const LAYOUTS = ['aligned', 'per-layer'] as const

/** How much to remove, of what, and how worth is judged; `ratio` alone is enough. */
export interface PruneOptions {
  /** Share of parameters to remove, from 0 (nothing changes) to below 1. */
  ratio: number
  /**
   * Of what `ratio` is a share: of all parameters of the blocks (default), of the whole model with its embeddings, or, as LLM-Pruner
   * counts, of the groups that may be removed, which leaves out protected layers and what is not in `targets`.
   */
  ratioOf?: (typeof RATIO_BASES)[number]
  /** Default both. */
  targets?: readonly GroupKind[]
  /** Default `taylor-element`. */
  importance?: Importance
  /** How the scores of the matrices of one group become one; default `sum`. FLAP looks at one matrix only. */
  aggregate?: (typeof AGGREGATES)[number]
  /** `local`: the same share in every layer (default); `global`: the groups of all layers compete, standardised by layer. */
  scope?: (typeof SCOPES)[number]
  /** `aligned`: the same sizes in all layers, which any loader reads (default); `per-layer`: sizes under `per_layer_config`. */
  layout?: (typeof LAYOUTS)[number]
  /** MLPs keep a multiple of this many neurons; default 64 when aligned, else 1. */
  align?: number
  /** Layers at the start left whole; default 4 of 32, scaled (LLM-Pruner), and 0 when aligned. */
  protectFirst?: number
  /** Layers at the end left whole; default 2 of 32, scaled (LLM-Pruner), and 0 when aligned. */
  protectLast?: number
  /** Prunes in this many rounds of equal size, each with scores of its own; default 1. */
  steps?: number
  /** Adds what the removed inputs contributed on average to the bias of the output matrix; default for `flap` only. */
  compensate?: boolean
  /** Seeds `random`; default 0. */
  seed?: number
  /** Bytes for accumulated gradients; layers that do not fit take a pass of their own. Default 8 GiB. */
  maxGradientBytes?: number
}

/** What does not depend on the model or on another option. */
export const DEFAULTS: Required<Omit<PruneOptions, 'ratio' | 'align' | 'protectFirst' | 'protectLast' | 'compensate'>> =
  {
    ratioOf: 'blocks',
    targets: GROUP_KINDS,
    importance: 'taylor-element',
    aggregate: 'sum',
    scope: 'local',
    layout: 'aligned',
    steps: 1,
    seed: 0,
    maxGradientBytes: 8 * 2 ** 30,
  }

/** Options with nothing left open. */
export type ResolvedOptions = Required<PruneOptions>

/** Whether there must be text: scores of the weights alone need none. */
export function needsText({ importance, compensate }: Pick<ResolvedOptions, 'importance' | 'compensate'>): boolean {
  return compensate || !['l2', 'l1', 'random'].includes(importance)
}

/** Fills in the defaults for a model of `layers` layers; UsageError for values that make no sense. */
export function resolveOptions(options: PruneOptions, layers: number): ResolvedOptions {
  const layout = options.layout ?? DEFAULTS.layout
  const isAligned = layout === 'aligned'
  const resolved: ResolvedOptions = {
    ...DEFAULTS,
    align: isAligned ? 64 : 1,
    protectFirst: isAligned ? 0 : Math.round((layers * 4) / 32),
    protectLast: isAligned ? 0 : Math.round((layers * 2) / 32),
    compensate: options.importance === 'flap',
    ...options,
  }
  const { ratio, targets, scope, protectFirst, protectLast } = resolved
  if (!(ratio >= 0 && ratio < 1)) throw wrong('ratio', 'a share from 0 to below 1', ratio)
  for (const [name, value, min] of [
    ['align', resolved.align, 1],
    ['protectFirst', protectFirst, 0],
    ['protectLast', protectLast, 0],
    ['steps', resolved.steps, 1],
    ['seed', resolved.seed, 0],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < min) throw wrong(name, `a whole number of at least ${min}`, value)
  }
  if (targets.length === 0) throw wrong('targets', 'mlp, heads or both', 'none')
  if (isAligned && scope === 'global') {
    throw wrong('scope', 'local with the aligned layout, whose layers are all of one size', 'global', PER_LAYER)
  }
  if (isAligned && protectFirst + protectLast > 0) {
    const got = `${protectFirst} at the start and ${protectLast} at the end`
    throw wrong('protected layers', 'none with the aligned layout, whose layers are all of one size', got, PER_LAYER)
  }
  if (protectFirst + protectLast >= layers) {
    throw wrong('protected layers', `fewer than the model's ${layers} layers`, protectFirst + protectLast)
  }
  return resolved
}

const PER_LAYER = 'Use layout per-layer'

function wrong(option: string, expected: string, got: unknown, advice?: string): UsageError {
  return new UsageError(`${option}: expected ${expected}, got ${got}${advice === undefined ? '' : `. ${advice}`}`)
}
