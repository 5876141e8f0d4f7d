// The subpath `anneal/methods/dropbp`: DropBP, a part of the backward pass left out.
export type { BranchGates, Mask } from './branch-gates.ts'
export type { Allocation, Mode, Sampling, SensitivityKind } from './choices.ts'
export { type DropBpRule, dropbp } from './dropbp.ts'
export type { DropBpOptions } from './options.ts'
