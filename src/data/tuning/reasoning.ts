// What a model thought before it answered, and whether the chat template writes it: many write it in the last turn only, some
// nowhere, and what is not written is not learnt.

import { InputError } from '../../errors.ts'
import { adviseTemplate } from '../../text/default-template.ts'
import type { Message } from '../rows/conversation.ts'

/** The reasoning of an answer: of its own field, or inside of its content between `<think>` and `</think>`; '' for none. */
export function reasoningOf({ reasoning_content, content }: Message): string {
  const own = reasoning_content?.trim() ?? ''
  if (own !== '') return own
  const start = content.indexOf('<think>')
  const end = content.indexOf('</think>')
  return end === -1 ? '' : content.slice(start === -1 ? 0 : start + '<think>'.length, end).trim()
}

/** Counts answers with reasoning, and those whose reasoning is not in the rendering. */
export class ReasoningTally {
  private given = 0
  private missing = 0

  /** Counts an answer whose turn became `written`. */
  add(message: Message, written: string): void {
    const reasoning = reasoningOf(message)
    if (reasoning === '') return
    this.given++
    // A template may indent it or change its line breaks.
    if (!withoutSpace(written).includes(withoutSpace(reasoning))) this.missing++
  }

  /** What there is to say about data in `files`; throws InputError where no reasoning at all is written. */
  notices(files: string): string[] {
    if (this.missing === 0) return []
    if (this.missing === this.given) {
      throw new InputError(
        `data in ${files}: expected the chat template to write the reasoning of answers (reasoning_content, thinking or <think>), got it ` +
          `written in none of ${this.given}, so that the model would learn to answer without it. ${adviseTemplate('writes it')}, or remove it from the data`,
      )
    }
    return [
      `the chat template writes the reasoning of ${this.given - this.missing} of ${this.given} answers that have one; the others are learnt ` +
        'without it. To learn all of them, give each answer a row of its own in which it is the last turn',
    ]
  }
}

function withoutSpace(text: string): string {
  return text.replace(/\s+/g, '')
}
