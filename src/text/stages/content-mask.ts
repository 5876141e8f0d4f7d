// Marks whose characters are whose. Before a chat is rendered, characters of its messages are replaced by private-use ones;
// what comes out as a control token without any such character was written by the template. What tools answered gets an
// alphabet of its own, so that it is known again wherever a template writes it. The replacement is one to one, so that the
// rendered text keeps its length and can be restored.

import { Dict, type Value } from '../jinja/values.ts'

/** How much of a text is replaced: every character that control tokens have, or just enough to break those that occur. */
export type MaskExtent = 'all' | 'tokens'

const FIRST_PRIVATE = 0xe000
const LAST_PRIVATE = 0xf8ff
// Templates compare these with constants; a known role may even be a part of a control token (`<|user|>`, Phi-3).
const KNOWN_ROLES = new Set(['system', 'user', 'assistant', 'tool', 'function', 'developer', 'ipython', 'model'])
/** Roles whose texts are a tool's answers. */
const TOOL_ROLES: ReadonlySet<string> = new Set(['tool', 'function', 'ipython', 'observation'])
// These reach the output through `tojson`, which would write them differently once replaced, or are half of a character.
const KEPT = /[\s"\\\x00-\x1f\ud800-\udfff]/
/** What may stand between two characters of one answer: what is kept of it, and what `tojson` made of that. */
const BETWEEN = /^(?:[\s"\ud800-\udfff]|\\(?:[nrtbf"\\]|u[\da-f]{4}|))*$/

/** A one-to-one replacement of the characters of a set of control tokens, disjoint from all `texts`. */
export class ContentMask {
  readonly #tokens: readonly string[]
  readonly #toPrivate: Map<string, string> = new Map()
  /** The alphabet of what tools answered; empty where there is nothing of the kind. */
  readonly #toForeign: Map<string, string> = new Map()
  readonly #toPlain: Map<string, string> = new Map()
  readonly #foreign: Set<string> = new Set()
  readonly #prefixes: Set<string> = new Set()
  readonly #suffixes: Set<string> = new Set()
  /** A private-use character that neither the texts nor the mask have, for other markers. */
  readonly marker: string

  private constructor(controlTokens: ReadonlySet<string>, foreign: string, isUsed: (char: string) => boolean) {
    this.#tokens = [...controlTokens]
    const unused = privateCharacters(isUsed)
    this.marker = unused.next().value ?? '\uffff'
    const replace = (char: string, alphabet: Map<string, string>): void => {
      const masked = KEPT.test(char) || alphabet.has(char) ? undefined : unused.next().value
      if (masked === undefined) return
      alphabet.set(char, masked)
      this.#toPlain.set(masked, char)
      if (alphabet === this.#toForeign) this.#foreign.add(masked)
    }
    for (const token of this.#tokens) {
      for (let i = 0; i < token.length; i++) {
        if (i > 0) this.#prefixes.add(token.slice(0, i))
        if (i > 0) this.#suffixes.add(token.slice(i))
        replace(token[i]!, this.#toPrivate)
      }
    }
    if (foreign === '') return
    for (const char of this.#toPrivate.keys()) replace(char, this.#toForeign)
    for (const char of new Set(foreign.split(''))) replace(char, this.#toForeign)
  }

  /** The mask for a set of control tokens; `texts` is all that the rendered text may be made of, `foreign` what tools answered. */
  static for(controlTokens: ReadonlySet<string>, texts: string, foreign = ''): ContentMask {
    const used = new Set(texts.match(/[\ue000-\uf8ff]/g))
    if (used.size > 0 || foreign !== '') return new ContentMask(controlTokens, foreign, (char) => used.has(char))
    const usual = usualMasks.get(controlTokens) ?? new ContentMask(controlTokens, '', () => false)
    usualMasks.set(controlTokens, usual)
    return usual
  }

  /** A copy of messages or other data with their texts masked; roles and types, and keys, only as far as they spell tokens. */
  mask(value: Value, extent: MaskExtent, key?: string, isForeign = false): Value {
    if (typeof value === 'string') return this.#maskText(value, extent, key, isForeign)
    if (Array.isArray(value)) return value.map((item) => this.mask(item, extent, key, isForeign))
    if (!(value instanceof Dict)) return value
    const isAnswer = isForeign || isToolMessage(value)
    const entries = Array.from(value.entries(), ([name, item]) => {
      const text = typeof name === 'string' ? name : ''
      return [this.#breakTokens(text), this.mask(item, extent, text, isAnswer)] as const
    })
    return Dict.of(entries)
  }

  /** Undoes `mask` in a rendered text. */
  restore(text: string): string {
    return text.replace(/[\ue000-\uf8ff]/g, (char) => this.#toPlain.get(char) ?? char)
  }

  /** Where in a stretch of a masked text there is something that a tool answered. */
  foreignRanges(masked: string, start: number, end: number): [start: number, end: number][] {
    const ranges: [number, number][] = []
    if (this.#foreign.size === 0) return ranges
    for (let i = start; i < end; i++) {
      if (!this.#foreign.has(masked[i]!)) continue
      const last = ranges.at(-1)
      if (last !== undefined && (last[1] === i || BETWEEN.test(masked.slice(last[1], i)))) last[1] = i + 1
      else ranges.push([i, i + 1])
    }
    return ranges
  }

  #maskText(text: string, extent: MaskExtent, key: string | undefined, isForeign: boolean): string {
    if (key === 'role' && KNOWN_ROLES.has(text)) return text
    if (extent === 'tokens' && key !== 'role') return this.#breakTokens(text)
    if (key === 'type') return this.#breakTokens(text)
    const alphabet = isForeign && key !== 'role' && this.#toForeign.size > 0 ? this.#toForeign : this.#toPrivate
    let masked = ''
    for (let i = 0; i < text.length; i++) masked += alphabet.get(text[i]!) ?? text[i]
    return masked
  }

  /** Replaces one character of each control token in a text, and of each that its beginning or end could be a part of. */
  #breakTokens(text: string): string {
    const at = new Set<number>()
    for (const token of this.#tokens) {
      for (let i = text.indexOf(token); i !== -1; i = text.indexOf(token, i + 1)) at.add(i)
    }
    const longest = Math.min(text.length, 256)
    for (let length = 1; length <= longest; length++) {
      if (this.#prefixes.has(text.slice(text.length - length))) at.add(text.length - length)
      if (this.#suffixes.has(text.slice(0, length))) at.add(0)
    }
    if (at.size === 0) return text
    return Array.from({ length: text.length }, (_, i) => (at.has(i) && this.#toPrivate.get(text[i]!)) || text[i]).join(
      '',
    )
  }
}

/** True for a message that holds what a tool answered. */
export function isToolMessage(message: Value): boolean {
  const role = message instanceof Dict ? message.get('role') : undefined
  return typeof role === 'string' && TOOL_ROLES.has(role)
}

/** All that tools answered in a chat. */
export function toolTexts(messages: Value): string {
  const texts: string[] = []
  const collect = (value: Value): void => {
    if (typeof value === 'string') texts.push(value)
    else if (Array.isArray(value)) value.forEach(collect)
    else if (value instanceof Dict) value.values().forEach(collect)
  }
  if (Array.isArray(messages)) for (const message of messages) if (isToolMessage(message)) collect(message)
  return texts.join('')
}

/** Masks for texts without private-use characters, which is nearly all. */
const usualMasks = new WeakMap<ReadonlySet<string>, ContentMask>()

function* privateCharacters(isUsed: (char: string) => boolean): Generator<string, undefined> {
  for (let unit = FIRST_PRIVATE; unit <= LAST_PRIVATE; unit++) {
    const char = String.fromCharCode(unit)
    if (!isUsed(char)) yield char
  }
}
