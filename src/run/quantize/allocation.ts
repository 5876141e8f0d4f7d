// Ways to allocate formats by the names that commands and files have for them.

import { UsageError } from '../../errors.ts'
import { mutualInformationScore } from '../../methods/qpruner/qpruner.ts'
import { ALLOCATIONS, type AllocationMethod } from '../../methods/quantize/choices.ts'
import type { FormatScore } from '../../probe/format-score.ts'
import { ALLOCATION_NAMES, type AllocationName } from './allocation-names.ts'

const SCORES: readonly FormatScore[] = [mutualInformationScore]

/** What a name stands for; UsageError for one that nothing has. */
export function allocationNamed(name: AllocationName): AllocationMethod | FormatScore {
  const found = ALLOCATIONS.find((known) => known === name) ?? SCORES.find((score) => score.name === name)
  if (found !== undefined) return found
  throw new UsageError(`allocate: expected ${ALLOCATION_NAMES.join(' or ')}, got '${name}'`)
}
