// The subpath `anneal/methods/dropbp`: DropBP, a part of the backward pass left out.
export type { BranchGates, Mask } from './branch-gates.ts'
export { type DropBpRule, dropbp } from './dropbp.ts'
export type { DropBpOptions } from './options.ts'
export type { SensitivityKind } from './sensitivity.ts'
