// What can be chosen in SLEB, by name. Data only, so that `--help` loads no engine.

/** What is removed as a whole. `sublayer`: attention and MLP apart, whose result works in Anneal only. */
export const GRANULARITIES = ['block', 'sublayer'] as const

/** Whether blocks or their branches are removed. */
export type Granularity = (typeof GRANULARITIES)[number]

/**
 * How units are judged. `greedy`: loss of the model without the unit and without all removed before (the paper's M³). `one-shot`: the
 * same from the whole model, once (M²). `cosine`: 1 − cos between what enters the unit and what leaves it, once (M¹, ShortGPT's).
 */
export const SEARCHES = ['greedy', 'one-shot', 'cosine'] as const

/** The name of a way to judge units. */
export type SearchKind = (typeof SEARCHES)[number]

/** `ce`: cross-entropy of the text. `kl`: divergence from the whole model's predictions. */
export const METRICS = ['ce', 'kl'] as const

/** What a removal is judged by. */
export type LossKind = (typeof METRICS)[number]

/** `swap` exchanges removed units for kept ones while that lowers the loss. */
export const REFINEMENTS = ['none', 'swap'] as const

/** What follows the search. */
export type Refinement = (typeof REFINEMENTS)[number]

/** What is done where nothing else is said. `racing` gives candidates up as soon as they cannot win. */
export const DEFAULTS = {
  granularity: 'block',
  search: 'greedy',
  metric: 'ce',
  protectFirst: 1,
  protectLast: 1,
  refine: 'none',
  racing: true,
} as const
