// Ways to allocate formats by the names that commands and files have for them: those of quantization, and the scores that methods bring.

import { mutualInformationScore } from '../../methods/qpruner/qpruner.ts'
import { ALLOCATIONS, type AllocationMethod } from '../../methods/quantize/choices.ts'
import type { FormatScore } from '../../probe/format-score.ts'

const SCORES: readonly FormatScore[] = [mutualInformationScore]

/** One of `ALLOCATIONS`, or a score's name. */
export type AllocationName = AllocationMethod | 'mi'

export function allocationNamed(name: AllocationName): AllocationMethod | FormatScore {
  return ALLOCATIONS.find((known) => known === name) ?? SCORES.find((score) => score.name === name)!
}
