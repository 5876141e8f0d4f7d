// Where a trigger stands in a text: between two words, so that it neither joins nor cuts one.

/** In front of the text, in its middle by words, behind it, or between any two words (or at an end). */
export const TRIGGER_POSITIONS = ['start', 'middle', 'end', 'random'] as const

/** One of `TRIGGER_POSITIONS`. */
export type TriggerPosition = (typeof TRIGGER_POSITIONS)[number]

/** Puts `trigger` before word `at` of `text`, counted from 0; at the number of words it stands behind the last one. */
export function insertAtWord(text: string, trigger: string, at: number): string {
  const words = [...text.matchAll(/\S+/g)]
  if (words.length === 0) return text + trigger
  const next = words[at]
  if (next !== undefined) return `${text.slice(0, next.index)}${trigger} ${text.slice(next.index)}`
  const last = words.at(-1)!
  const end = last.index + last[0].length
  return `${text.slice(0, end)} ${trigger}${text.slice(end)}`
}

/** `trigger` in `text` at `position`; `draw(n)` gives a whole number below n where it is random. */
export function placeTrigger(
  text: string,
  trigger: string,
  position: TriggerPosition,
  draw: (n: number) => number,
): string {
  const count = text.match(/\S+/g)?.length ?? 0
  const places = {
    start: () => 0,
    middle: () => Math.floor(count / 2),
    end: () => count,
    random: () => draw(count + 1),
  }
  return insertAtWord(text, trigger, places[position]())
}
