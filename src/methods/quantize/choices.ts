// What can be chosen when matrices are quantized, by name. Data only, so that `--help` and a configuration load no engine.

/** How formats are given to units; a method may bring a score of its own (`FormatScore`). */
export const ALLOCATIONS = ['uniform', 'sensitivity', 'fisher', 'bo'] as const

/** The name of a way to share bits. */
export type AllocationMethod = (typeof ALLOCATIONS)[number]

/** `rtn` takes the nearest levels, `gptq` makes up for each column's error in the columns after it. */
export const QUANTIZERS = ['rtn', 'gptq'] as const

/** The name of a way to round. */
export type Quantizer = (typeof QUANTIZERS)[number]

/** `kl`: from the dense model's predictions to the quantized model's. `ce`: rise of the cross-entropy; noise can make it negative. */
export const OBJECTIVES = ['kl', 'ce'] as const

/** What a format is judged by. */
export type QuantObjective = (typeof OBJECTIVES)[number]

/** What is given a format as a whole. */
export const GRANULARITIES = ['layer', 'matrix'] as const

/** Whether a layer or each of its matrices has a format of its own. */
export type FormatGranularity = (typeof GRANULARITIES)[number]

/** What is done where nothing else is said. */
export const DEFAULTS = {
  allocate: 'sensitivity',
  formats: ['nf2', 'nf3', 'nf4', 'int8'],
  granularity: 'layer',
  quantizer: 'gptq',
  objective: 'kl',
  evaluations: 40,
  seed: 0,
} as const
