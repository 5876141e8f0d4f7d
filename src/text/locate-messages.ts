// Where the messages of a rendered chat stand in its text: their headers, what their authors say, and what of that is a tool's.

import { Dict, type Value } from './jinja/values.ts'
import type { MessageRegion } from './message-regions.ts'
import { type RenderedAgain, readAhead } from './read-ahead.ts'
import { type ContentMask, isToolMessage } from './stages/content-mask.ts'

/** A message's place as offsets in the text; the names are those of MessageSpan. */
export interface TextSpan {
  readonly start: number
  readonly bodyStart: number
  readonly bodyEnd: number
  readonly end: number
  readonly foreign: readonly (readonly [start: number, end: number])[]
  readonly hasUntoldFrame: boolean
}

/** What messages are looked for in: the text, its masked copy with the messages masked alike, and the template's loops. */
export interface LocatedIn extends RenderedAgain {
  readonly text: string
}

/** How messages are told apart. */
export interface LocateOptions {
  mask: ContentMask
  /** What makes the model answer. */
  prompt: string
  controlTokens: ReadonlySet<string>
}

/** Start, body and end of every message; undefined for one that is not in the text. */
export function locateMessages(rendering: LocatedIn, options: LocateOptions): (TextSpan | undefined)[] {
  const { text, masked, messages, regions } = rendering
  const byMessage = new Map(regions.map((region) => [region.message, region]))
  let searchFrom = 0
  return messages.map((message, index) => {
    const region = byMessage.get(index)
    // Masked contents are looked for in the masked text: a user who says "user" is not in the header.
    const content = contentOf(message)
    if (region !== undefined) {
      const { start, end } = region
      searchFrom = end
      if (isAssistant(message)) {
        const bodyStart = start + commonPrefix(text, start, end, options.prompt)
        const at = content === '' ? -1 : masked.slice(bodyStart, end).indexOf(content)
        const bodyEnd = at === -1 ? end : bodyStart + at + content.length
        return { start, bodyStart, bodyEnd, end, ...foreignIn(rendering, options, region, bodyStart) }
      }
      const at = content === '' ? -1 : masked.slice(start, end).indexOf(content)
      const bodyStart = at === -1 ? start : start + at
      return { start, bodyStart, bodyEnd: at === -1 ? start : bodyStart + content.length, end, ...NOTHING_FOREIGN }
    }
    // Written outside the loop, such as a system message in front of it.
    const at = content === '' ? -1 : masked.indexOf(content, searchFrom)
    if (at === -1) return undefined
    searchFrom = at + content.length
    return { start: at, bodyStart: at, bodyEnd: searchFrom, end: searchFrom, ...NOTHING_FOREIGN }
  })
}

const NOTHING_FOREIGN = { foreign: [], hasUntoldFrame: false } as const

/** The parts of an assistant's turn that were written for other messages: by an inner loop, or with a tool's words. */
function foreignIn(
  rendering: LocatedIn,
  { mask, controlTokens }: LocateOptions,
  turn: MessageRegion,
  start: number,
): Pick<TextSpan, 'foreign' | 'hasUntoldFrame'> {
  const { masked, messages, all, regions } = rendering
  const { end, message: own } = turn
  const found: [number, number][] = mask.foreignRanges(masked, start, end)
  const framed = readAhead(rendering, turn, controlTokens)
  for (const region of all) {
    const isInside = region.start >= start && region.end <= end
    if (isInside && region.message !== own && !isAssistant(messages[region.message]!))
      framed.push([region.start, region.end])
  }
  // Where only tokens are masked a tool's words look like any; those without a place of their own are looked for.
  const placed = new Set(regions.map((region) => region.message))
  for (const [index, message] of messages.entries()) {
    const content = contentOf(message)
    if (!isToolMessage(message) || placed.has(index) || content === '') continue
    const at = masked.slice(0, end).indexOf(content, start)
    if (at !== -1) found.push([at, at + content.length])
  }
  const whole = merged(framed)
  const hasUntoldFrame = found.some(([from, to]) => !whole.some(([a, b]) => a <= from && to <= b))
  return { foreign: merged([...found, ...framed.filter(([, to]) => to > start)]), hasUntoldFrame }
}

/** The ranges in order, overlapping ones as one. */
function merged(ranges: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const joined: [number, number][] = []
  for (const [start, end] of [...ranges].sort(([a], [b]) => a - b)) {
    const last = joined.at(-1)
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end)
    else joined.push([start, end])
  }
  return joined
}

function isAssistant(message: Value): boolean {
  return message instanceof Dict && message.get('role') === 'assistant'
}

/** A message's content without white space around it, where it is a text. */
function contentOf(message: Value): string {
  const content = message instanceof Dict ? message.get('content') : undefined
  return typeof content === 'string' ? content.trim() : ''
}

function commonPrefix(text: string, start: number, end: number, prompt: string): number {
  let length = 0
  while (length < prompt.length && start + length < end && text[start + length] === prompt[length]) length++
  return length
}
