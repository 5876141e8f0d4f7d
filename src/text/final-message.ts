// A chat whose last message goes on (`continue_final_message` of Transformers): a mark is written behind it before the template is rendered,
// and the text is cut where the mark comes out. What the template would write behind the message is left out by that, whatever it is.

import { TokenizerError } from '../errors.ts'
import { strip } from './jinja/text.ts'

// Transformers' own, so that a template which looks at the end of a message does the same here. The space tells whether it trims.
const MARK = 'CONTINUE_FINAL_MESSAGE_TAG '
const BARE_MARK = MARK.trimEnd()

interface HasContent {
  content?: unknown
}

/** The messages with the mark behind the last one's text: its content, or the last part of it that has one. */
export function markFinalMessage<M extends HasContent>(messages: readonly M[]): M[] {
  const last = messages.at(-1)
  const content = last?.content
  if (last === undefined || (typeof content !== 'string' && !Array.isArray(content)))
    throw new TokenizerError('continueFinalMessage: expected a last message with a text to go on with, got none')
  if (typeof content === 'string') return [...messages.slice(0, -1), { ...last, content: content + MARK }]
  const at = content.findLastIndex(hasText)
  if (at === -1)
    throw new TokenizerError('continueFinalMessage: expected a last message with a part that is text, got none')
  const part = content[at] as { text: string }
  return [...messages.slice(0, -1), { ...last, content: content.with(at, { ...part, text: part.text + MARK }) }]
}

/** Where a text that was rendered of marked messages ends: before the mark, and where the template trims, before the white space there. */
export function endOfFinalMessage(text: string, messages: readonly HasContent[]): number {
  const at = text.lastIndexOf(BARE_MARK)
  if (at === -1 || !text.includes(strip(textOf(messages.at(-1)?.content), undefined, 'both')))
    throw new TokenizerError(
      'continueFinalMessage: expected a chat template that writes the last message as it stands, got one that changes it or leaves it out',
    )
  return text.startsWith(MARK, at) ? at : strip(text.slice(0, at), undefined, 'right').length
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return ((content as readonly unknown[]).findLast(hasText) as { text: string }).text
}

function hasText(part: unknown): boolean {
  return typeof (part as { text?: unknown } | null)?.text === 'string'
}
