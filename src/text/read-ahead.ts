// What a template writes into an assistant's turn because of tools' answers that it reads ahead by index. No loop is at an answer while
// that is written, so it is told by rendering the chat once more without the answers: what the turn then lacks was written for them.

import type { Value } from './jinja/values.ts'
import type { MessageRegion, RegionRendering } from './message-regions.ts'
import { isToolMessage } from './stages/content-mask.ts'

/** A rendering whose messages can be left out; undefined where the template fails at the chat that is left. */
export interface RenderedAgain extends RegionRendering {
  readonly messages: readonly Value[]
  without?(dropped: ReadonlySet<number>): RegionRendering | undefined
}

/** What the turn `region` has because of answers that follow it and have no place of their own: ranges of the text, in order. */
export function readAhead(
  { masked, messages, regions, without }: RenderedAgain,
  region: MessageRegion,
  controlTokens: ReadonlySet<string>,
): [start: number, end: number][] {
  const placed = new Set(regions.map(({ message }) => message))
  const answers: number[] = []
  for (let i = region.message + 1; i < messages.length && isToolMessage(messages[i]!); i++)
    if (!placed.has(i)) answers.push(i)
  if (answers.length === 0 || without === undefined) return []
  const turnWithout = (dropped: readonly number[]): string | undefined => {
    const other = without(new Set(dropped))
    const same = other?.regions.find(({ message }) => message === region.message) // what is dropped comes later
    return same && other!.masked.slice(same.start, same.end)
  }
  const turn = masked.slice(region.start, region.end)
  const least = turnWithout(answers)
  const whole = least === undefined ? undefined : insertion(turn, least, controlTokens)
  const ranges = whole === undefined ? oneByOne(turn, answers, turnWithout, controlTokens) : [whole]
  return ranges.filter(([start, end]) => end > start).map(([start, end]) => [region.start + start, region.start + end])
}

/** Where calls stand between the answers these are no single insertion, but each of them, the last one first, may be one. */
function oneByOne(
  turn: string,
  answers: readonly number[],
  turnWithout: (dropped: readonly number[]) => string | undefined,
  controlTokens: ReadonlySet<string>,
): [start: number, end: number][] {
  const ranges: [number, number][] = []
  const places = Array.from({ length: turn.length }, (_, place) => place) // where the characters that are left stand in the turn
  let longer = turn
  for (let kept = answers.length - 1; kept >= 0; kept--) {
    const shorter = turnWithout(answers.slice(kept))
    const range = shorter === undefined ? undefined : insertion(longer, shorter, controlTokens)
    if (shorter === undefined || range === undefined) break
    for (const place of places.splice(range[0], range[1] - range[0])) ranges.push([place, place + 1])
    longer = shorter
  }
  return ranges
}

/**
 * Where `longer` has a stretch that `shorter` lacks, if that is all in which they differ. Equal characters at its ends leave several
 * places; it is the last one that cuts no control token behind it.
 */
export function insertion(
  longer: string,
  shorter: string,
  controlTokens: ReadonlySet<string>,
): [start: number, end: number] | undefined {
  const length = longer.length - shorter.length
  if (length < 0) return undefined
  let prefix = 0
  while (prefix < shorter.length && longer[prefix] === shorter[prefix]) prefix++
  let suffix = 0
  while (suffix < shorter.length && longer.at(-1 - suffix) === shorter.at(-1 - suffix)) suffix++
  const first = shorter.length - suffix
  if (prefix < first) return undefined
  let start = prefix
  while (start > first && cutsToken(shorter, start, controlTokens)) start--
  return [start, start + length]
}

/** Whether a token of the text begins before `at` and ends behind it. */
function cutsToken(text: string, at: number, controlTokens: ReadonlySet<string>): boolean {
  for (const token of controlTokens) {
    const begin = text.indexOf(token, Math.max(0, at - token.length + 1))
    if (begin !== -1 && begin < at && begin + token.length > at) return true
  }
  return false
}
