// One sample for people to look at before the first step: its text, with what is learnt between ⟦ and ⟧ (which a terminal shows in colour).

import { printable } from '../printable.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { IGNORE_INDEX } from './batch.ts'
import type { Sample } from './sample.ts'

/** How a sample is shown. */
export interface PreviewOptions {
  /** Shows at most this many characters of each stretch, from both of its ends. Default 600. */
  maxStretch?: number
}

/** The text of a sample with the tokens that are learnt between ⟦ and ⟧. Control characters, which a terminal would obey, become visible. */
export function preview(sample: Sample, tokenizer: Tokenizer, options: PreviewOptions = {}): string {
  const { maxStretch = 600 } = options
  return stretches(sample, tokenizer)
    .map(({ text, isLearnt }) => {
      const shown = shorten(printable(text), maxStretch)
      return isLearnt ? `⟦${shown}⟧` : shown
    })
    .join('')
}

/** The text in turns of what is read and what is learnt. */
export function stretches({ ids, labels }: Sample, tokenizer: Tokenizer): { text: string; isLearnt: boolean }[] {
  const decoder = tokenizer.streamDecoder()
  const found: { text: string; isLearnt: boolean }[] = []
  for (const [i, id] of ids.entries()) {
    const isLearnt = labels[i] !== IGNORE_INDEX
    const text = decoder.push(id)
    const last = found.at(-1)
    if (last?.isLearnt === isLearnt) last.text += text
    else found.push({ text, isLearnt })
  }
  const rest = decoder.flush()
  if (found.length > 0) found.at(-1)!.text += rest
  return found
}

function shorten(text: string, most: number): string {
  const characters = [...text]
  if (characters.length <= most) return text
  const half = Math.floor(most / 2)
  const left = characters.length - 2 * half
  return `${characters.slice(0, half).join('')} … ${left} characters … ${characters.slice(-half).join('')}`
}
