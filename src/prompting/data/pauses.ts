// Where a reader would pause in a text: found in the stretch that is asked about alone, so that a long text costs what its parts do.

/** What parts are cut at. */
export type Pause = 'heading' | 'paragraph' | 'line' | 'sentence' | 'word'

/** All of them, the best first. */
export const PAUSES: readonly Pause[] = ['heading', 'paragraph', 'line', 'sentence', 'word']

/** Characters around a place that decide whether it is one. */
const AROUND = 64

/** Not the machine's language: the same text is cut alike everywhere. */
const segmenters = new Map<'sentence' | 'word' | 'grapheme', Intl.Segmenter>()
function segmenter(granularity: 'sentence' | 'word' | 'grapheme'): Intl.Segmenter {
  const known = segmenters.get(granularity) ?? new Intl.Segmenter('en', { granularity })
  segmenters.set(granularity, known)
  return known
}

/** A heading of Markdown: where its line begins. */
export interface Heading {
  readonly at: number
  /** Behind its line. */
  readonly end: number
  /** 1 to 6. */
  readonly level: number
  readonly title: string
}

/** The headings of a text in Markdown (`# …`), in order; a line of code that looks like one is none. */
export function headingsOf(text: string): Heading[] {
  const found: Heading[] = []
  let fence: string | undefined
  for (const match of text.matchAll(/^ {0,3}(?:(`{3,}|~{3,})([^\n]*)|(#{1,6})(?:[ \t]+([^\n]*))?)$/gm)) {
    const [, mark, behind, signs, title] = match
    if (mark !== undefined) {
      if (fence === undefined) fence = mark
      else if (mark[0] === fence[0] && mark.length >= fence.length && behind!.trim() === '') fence = undefined
    } else if (fence === undefined)
      found.push({
        at: match.index,
        end: match.index + match[0].length,
        level: signs!.length,
        title: titleOf(title ?? ''),
      })
  }
  return found
}

/** Without the signs that may close it (`# One #`). By hand: a pattern would take the square of a line of spaces. */
function titleOf(written: string): string {
  const title = written.trim()
  let end = title.length
  while (end > 0 && title[end - 1] === '#') end--
  return end === 0 || /\s/.test(title[end - 1]!) ? title.slice(0, end).trimEnd() : title
}

/** Finds pauses in one text. */
export class Pauses {
  private readonly text: string
  private headings: readonly Heading[] | undefined
  /** Where headings begin, but for those that follow another one. */
  private sections: readonly number[] = []

  constructor(text: string) {
    this.text = text
  }

  /** The last pause `p` of a kind with `from < p ≤ to`. */
  last(kind: Pause, from: number, to: number): number | undefined {
    return this.within(kind, from, to).at(-1)
  }

  /** The first pause `p` of a kind with `from ≤ p < to`. */
  first(kind: Pause, from: number, to: number): number | undefined {
    return this.within(kind, from - 1, to - 1)[0]
  }

  /** In order; `from < p ≤ to`. */
  private within(kind: Pause, from: number, to: number): number[] {
    const { text } = this
    if (to <= from) return []
    if (this.headings === undefined) {
      this.headings = headingsOf(text)
      this.sections = this.headings.map(({ at }) => at).filter((at) => !this.isBehindHeading(at))
    }
    if (kind === 'heading') return between(this.sections, from, to)
    // What stands before decides, too: the beginning of a stretch is no beginning of a sentence.
    const begin = Math.max(0, from - AROUND)
    const end = Math.min(text.length, to + AROUND)
    const stretch = text.slice(begin, end)
    const isIn = (at: number): boolean =>
      at > from && at <= to && at > 0 && (kind === 'word' || !this.isBehindHeading(at))
    if (kind === 'sentence' || kind === 'word')
      return Array.from(segmenter(kind).segment(stretch), ({ index }) => begin + index).filter(isIn)
    const pattern = kind === 'line' ? /\n/g : /\n[^\S\n]*\n+/g
    return Array.from(stretch.matchAll(pattern), (match) => begin + match.index + match[0].length).filter(isIn)
  }

  /** Whether nothing but a heading stands right before: it is to be with what it is the heading of. */
  private isBehindHeading(place: number): boolean {
    const { text, headings = [] } = this
    let last = -1
    for (let [low, high] = [0, headings.length]; low < high; ) {
      const middle = (low + high) >>> 1
      if (headings[middle]!.at < place) [last, low] = [middle, middle + 1]
      else high = middle
    }
    return last !== -1 && (headings[last]!.end >= place || text.slice(headings[last]!.end, place).trim() === '')
  }

  /** The beginning and the end of what a reader takes for one character, around a place within it; the place twice where it is between two. */
  character(at: number): readonly [start: number, end: number] {
    const { text } = this
    if (at <= 0 || at >= text.length) return [at, at]
    const begin = Math.max(0, at - AROUND)
    const found = segmenter('grapheme')
      .segment(text.slice(begin, at + AROUND))
      .containing(at - begin)!
    const start = begin + found.index
    return start === at ? [at, at] : [start, start + found.segment.length]
  }
}

/** Whether a place parts the two halves of a surrogate pair. */
export const isWithinPair = (text: string, at: number): boolean =>
  at > 0 &&
  at < text.length &&
  (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 &&
  (text.charCodeAt(at) & 0xfc00) === 0xdc00

/** Of numbers in order those with `from < n ≤ to`. */
function between(numbers: readonly number[], from: number, to: number): number[] {
  let low = 0
  for (let high = numbers.length; low < high; ) {
    const middle = (low + high) >>> 1
    if (numbers[middle]! > from) high = middle
    else low = middle + 1
  }
  let end = low
  while (end < numbers.length && numbers[end]! <= to) end++
  return numbers.slice(low, end)
}
