// The names of all ways to allocate formats: those of quantization, and of the scores that methods bring. Data only, so that `--help` and
// a configuration load no engine.
import { MUTUAL_INFORMATION } from '../../methods/qpruner/choices.ts'
import { ALLOCATIONS, type AllocationMethod } from '../../methods/quantize/choices.ts'

/** One of `ALLOCATIONS`, or a score's name. */
export type AllocationName = AllocationMethod | typeof MUTUAL_INFORMATION

/** All of them. */
export const ALLOCATION_NAMES: readonly AllocationName[] = [...ALLOCATIONS, MUTUAL_INFORMATION]
