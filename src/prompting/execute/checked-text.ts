// A text that is looked at while it is written, sentence by sentence: rules see each new one with what stands before it as far as they
// reach, so that the cost grows with the length and not with its square; what they write anew stays a continuation of what is out.

import { type Asking, type Broken, passed, type Rule } from './rule.ts'

/** Ends of sentences and lines: where a text is looked at. */
const SENTENCE_END = /[.!?…。！？](?=\s)|\n/g
/** A text without such an end is looked at where words end, once it has so many characters. */
const MOST_HELD = 400
const WORD_END = /(?<![\d\s-])\s(?=[^\d\s-])/g
const REACH = 500

/** What may be given out now, or which rule refuses. */
export type Release = { text: string } | { broken: Broken }

/** One text on its way out. */
export class CheckedText {
  readonly #rules: readonly Rule[]
  readonly #asking: Asking
  readonly #reach: number
  /** The text from the window's beginning, what of it was looked at, and what was given out for that. */
  #raw = ''
  #checked = 0
  #out = ''
  /** Where it may begin later: the ends that were looked at, with what was out by then. */
  #ends: { raw: number; out: number }[] = []
  /** Behind the last sentence and the last word that are whole. */
  #sentence = 0
  #word = 0
  /** The last characters, for what ends with the next one. */
  #last = ''
  #trimAt: number
  /** Characters before the window. */
  #before = 0

  constructor(rules: readonly Rule[], asking: Asking) {
    this.#rules = rules
    this.#asking = asking
    this.#reach = Math.max(0, ...rules.map(({ reach = REACH }) => reach))
    this.#trimAt = 3 * this.#reach
  }

  /** Characters that were looked at and passed. */
  get passed(): number {
    return this.#before + this.#checked
  }

  /** Characters that came. */
  get length(): number {
    return this.#before + this.#raw.length
  }

  /** Only what is new is searched for ends. */
  push(text: string): void {
    const now = this.#last + text
    const from = this.#raw.length - this.#last.length
    for (const match of now.matchAll(SENTENCE_END)) this.#sentence = from + match.index + match[0].length
    for (const match of now.matchAll(WORD_END)) this.#word = from + match.index + match[0].length
    this.#raw += text
    this.#last = now.slice(-2)
  }

  /** Forgets what did not pass: the next text goes on behind what did. */
  rollBack(): void {
    this.#raw = this.#raw.slice(0, this.#checked)
    this.#sentence = this.#word = this.#checked
    this.#last = this.#raw.slice(-2)
  }

  /** Looks at what has come up to its last end; `isOver` where nothing comes after it. */
  async release(isOver: boolean): Promise<Release> {
    if (this.#rules.length === 0) {
      const text = this.#raw
      this.#before += text.length
      this.#raw = ''
      return { text }
    }
    const isHeldLong = this.#sentence <= this.#checked && this.#raw.length - this.#checked > MOST_HELD
    const end = isOver ? this.#raw.length : isHeldLong ? this.#word : this.#sentence
    if (end <= this.#checked) return { text: '' }
    const result = await passed(this.#raw.slice(0, end), this.#rules, this.#asking)
    if ('broken' in result) return result
    // What is out cannot be taken back, so a rule that writes it anew comes too late for it.
    if (!result.text.startsWith(this.#out))
      return { broken: { rule: 'rewrite', why: 'a text that was given out would be another' } }
    const text = result.text.slice(this.#out.length)
    this.#checked = end
    this.#out = result.text
    this.#ends.push({ raw: end, out: this.#out.length })
    if (this.#raw.length >= this.#trimAt) await this.#trim()
    return { text }
  }

  /** Lets the window begin later, where the rules say the same of what is left: not within something that they have written over. */
  async #trim(): Promise<void> {
    const at = this.#ends.findLast(({ raw }) => this.#checked - raw >= this.#reach)
    this.#trimAt = this.#raw.length + 2 * this.#reach
    if (at === undefined) return
    const result = await passed(this.#raw.slice(at.raw, this.#checked), this.#rules, this.#asking)
    if ('broken' in result || result.text !== this.#out.slice(at.out)) return
    this.#raw = this.#raw.slice(at.raw)
    this.#out = this.#out.slice(at.out)
    this.#checked -= at.raw
    this.#sentence -= at.raw
    this.#word -= at.raw
    this.#before += at.raw
    this.#ends = this.#ends.flatMap(({ raw, out }) => (raw > at.raw ? [{ raw: raw - at.raw, out: out - at.out }] : []))
    this.#trimAt = this.#raw.length + 2 * this.#reach
  }
}
