// A text in the making with what it has to keep to: which token may come next, and what was tried at each place.

import type { GenerateRequest, GenerationPiece, Lm } from '../../lm/lm.ts'
import { type Constraint, standing } from './constraint.ts'
import { endings, GrowingText } from './growing-text.ts'

/** Tokens that are refused at one place before it counts as a dead end. */
const MOST_REFUSED = 1000

/** Nothing will do at this place. */
export class DeadEnd extends Error {}

/** The ids so far, their text, and what was refused at each place. */
export class CheckedText {
  readonly ids: number[] = []
  /** Why the last token was refused. */
  lastBroken: Constraint | undefined
  readonly #lm: Lm
  readonly #where: readonly Constraint[]
  readonly #stop: readonly string[]
  readonly #most: number
  readonly #before: readonly number[]
  readonly #controls: ReadonlySet<string>
  /** Ids that end the text, where the model tells them. */
  readonly #ends: ReadonlySet<number> | undefined
  /** By place: ids that lead nowhere. */
  readonly #banned: Set<number>[] = []
  #text: GrowingText
  #refusedHere = 0
  #refused = 0

  constructor(lm: Lm, request: GenerateRequest, where: readonly Constraint[]) {
    this.#lm = lm
    this.#where = where
    this.#stop = request.stop ?? []
    this.#most = request.maxNewTokens ?? Number.POSITIVE_INFINITY
    const isOwn = 'messages' in request && !request.continueFinalMessage
    this.#before = isOwn ? [] : lm.encode(request)
    this.#controls = new Set(lm.controlTokens ?? [])
    const own = request.ignoreEos ? [] : lm.endTokenIds?.(request)
    this.#ends = own === undefined ? undefined : new Set([...own, ...(request.stopTokenIds ?? [])])
    this.#text = this.#fresh()
  }

  /** Whether `id` may come next; if so, it has. */
  accept(id: number): boolean {
    if (!(this.#banned[this.ids.length]?.has(id) ?? false) && this.#isFit(id)) {
      this.#text.push(id)
      this.ids.push(id)
      this.#refusedHere = 0
      return true
    }
    this.#refused++
    if (++this.#refusedHere === MOST_REFUSED) throw new DeadEnd()
    return false
  }

  /** The text, as it is given out. */
  textOf(end: GenerationPiece | undefined): string {
    const { text } = this.#text
    const stop = end?.stop
    return typeof stop === 'string' ? text.slice(0, firstStop(text, [stop], 0)) : text
  }

  /** Takes back so many tokens, or all; the first of them is banned where it stood. False where there is none. */
  stepBack(count: number): boolean {
    const place = Math.max(0, this.ids.length - count)
    const id = this.ids[place]
    if (id === undefined) return false
    this.#banned.length = Math.min(this.#banned.length, place + 1)
    this.#banned[place] ??= new Set()
    this.#banned[place].add(id)
    const kept = this.ids.splice(0, place)
    this.ids.length = 0
    this.#text = this.#fresh()
    for (const one of kept) {
      this.#text.push(one)
      this.ids.push(one)
    }
    return true
  }

  takeRefused(): number {
    const refused = this.#refused
    this.#refused = 0
    this.#refusedHere = 0
    return refused
  }

  #fresh(): GrowingText {
    const bytesOf = (id: number): Iterable<number> =>
      this.#isControl(id)
        ? []
        : (this.#lm.tokenBytes?.(id) ?? new TextEncoder().encode(this.#lm.decode([id]).replaceAll('\ufffd', '')))
    return new GrowingText((ids) => this.#lm.decode(ids), bytesOf, this.#before)
  }

  /** Whether something can come of the text with `id`. */
  #isFit(id: number): boolean {
    const before = this.#text.text
    if (this.#ends?.has(id) || this.#isControl(id)) return (this.#ends?.has(id) ?? true) && this.#isHeld(before)
    const { text, unfinished, isText } = this.#text.after(id)
    if (!isText) return false
    const end = firstStop(text, this.#stop, before.length)
    if (end !== undefined) return this.#isHeld(text.slice(0, end))
    if (this.ids.length + 1 >= this.#most) return this.#isHeld(text)
    if (unfinished.length === 0) return this.#mayGoOn(text)
    // Half a character is fit where one of those that it may become is.
    for (const character of endings(unfinished)) if (this.#mayGoOn(text + character)) return true
    return false
  }

  #mayGoOn(text: string): boolean {
    const found = standing(text.slice(0, text.length - waiting(text, this.#stop)), this.#where)
    if (found.standing === 'broken') this.lastBroken = found.by
    return found.standing !== 'broken'
  }

  #isHeld(text: string): boolean {
    const found = standing(text, this.#where)
    if (found.standing !== 'holds') this.lastBroken = found.by
    return found.standing === 'holds'
  }

  /** Whether it is no text: a token that may end it, or a mark that belongs nowhere in it. */
  #isControl(id: number): boolean {
    if (this.#lm.tokenBytes === undefined) return this.#lm.decode([id]) === ''
    const bytes = this.#lm.tokenBytes(id)
    return bytes.length === 0 || this.#controls.has(new TextDecoder().decode(bytes))
  }
}

/** Where a stop string begins that ends behind the first `seen` characters. */
function firstStop(text: string, stops: readonly string[], seen: number): number | undefined {
  const found = stops.map((stop) => text.indexOf(stop, Math.max(0, seen - stop.length + 1))).filter((at) => at >= 0)
  return found.length === 0 ? undefined : Math.min(...found)
}

/** Characters at the end of a text that may become a stop string. */
function waiting(text: string, stops: readonly string[]): number {
  let most = 0
  for (const stop of stops)
    for (let length = Math.min(stop.length - 1, text.length); length > most; length--)
      if (text.endsWith(stop.slice(0, length))) most = length
  return most
}
