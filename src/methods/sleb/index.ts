// The subpath `anneal/methods/sleb`: SLEB, the blocks of a model that it can do without.

export type { Granularity, LossKind, Refinement, SearchKind } from './choices.ts'
export { eliminate } from './eliminate.ts'
export type { ResolvedOptions, SlebOptions } from './options.ts'
export type { Candidate, SlebReport, SlebResult, SlebStep, SlebWatch } from './result.ts'
export { type SaveOptions, saveEliminated } from './save-eliminated.ts'
export { sleb } from './sleb.ts'
export type { Unit } from './unit.ts'
