// Samples that are longer than the model is trained on. Nothing is cut silently: by default more than one in a hundred is an error.

import { InputError } from '../../errors.ts'
import { percent } from '../../report/amounts.ts'
import { IGNORE_INDEX } from '../batch.ts'
import type { LengthReport } from '../length-report.ts'
import type { Sample } from '../sample.ts'

/** What happens to long samples. `error-if-many` leaves them out if they are few and stops if they are not. */
export const ON_OVERLONG = ['error-if-many', 'drop', 'truncate-left', 'truncate-right', 'split'] as const
/** What becomes of a sample that is too long. */
export type OnOverlong = (typeof ON_OVERLONG)[number]

/** The share of long samples that `error-if-many` leaves out. */
const FEW = 0.01

/**
 * The pieces of a sample that have at most `maxLength` tokens; pieces without anything to learn are left out. `truncate-left` keeps
 * the first token if it is `bosId`: models lean on it.
 */
export function shortened(sample: Sample, maxLength: number, how: OnOverlong, bosId?: number): Sample[] {
  const { length } = sample.ids
  if (length <= maxLength) return [sample]
  return cut(sample, maxLength, how, bosId).filter(({ labels }) => labels.some((label) => label !== IGNORE_INDEX))
}

function cut(sample: Sample, maxLength: number, how: OnOverlong, bosId: number | undefined): Sample[] {
  const { length } = sample.ids
  switch (how) {
    case 'error-if-many':
    case 'drop':
      return []
    case 'truncate-right':
      return [piece(sample, 0, maxLength)]
    case 'truncate-left': {
      const tail = piece(sample, length - maxLength, length)
      if (bosId !== undefined && sample.ids[0] === bosId) tail.ids[0] = bosId
      return [tail]
    }
    case 'split':
      return Array.from({ length: Math.ceil(length / maxLength) }, (_, i) =>
        piece(sample, i * maxLength, Math.min(length, (i + 1) * maxLength)),
      )
  }
}

/** A stretch of a sample. Nothing is left that could predict its first token. */
function piece({ ids, labels }: Sample, start: number, end: number): Sample {
  const part = { ids: ids.slice(start, end), labels: labels.slice(start, end) }
  part.labels[0] = IGNORE_INDEX
  return part
}

/** What is read, and where its longest row is. */
interface Places {
  files: string
  longest: string
}

/** Throws InputError when more samples are too long than anyone would leave out unasked. */
export function refuseMany(
  overlong: number,
  lengths: LengthReport,
  maxLength: number,
  { files, longest }: Places,
): void {
  const { count, max, p99, suggestedMaxLength } = lengths
  if (overlong <= FEW * count) return
  throw new InputError(
    `data in ${files}: expected at most ${100 * FEW} % of the samples to be longer than max_length ${maxLength}, got ${overlong} of ` +
      `${count} (${percent(overlong / count)}; 99 % have up to ${p99} tokens, the longest ${max}, at ${longest}). ` +
      `Set max_length: ${suggestedMaxLength}, or on_overlong: ${ON_OVERLONG.slice(1).join(' | ')}`,
  )
}
