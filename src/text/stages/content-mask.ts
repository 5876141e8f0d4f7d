// Marks whose characters are whose. Before a chat is rendered, characters of its messages are replaced by private-use ones;
// what comes out as a control token without any such character was written by the template. The replacement is one to one,
// so that the rendered text keeps its length and can be restored.

/** How much of a text is replaced: every character that control tokens have, or just enough to break those that occur. */
export type MaskExtent = 'all' | 'tokens'

const FIRST_PRIVATE = 0xe000
const LAST_PRIVATE = 0xf8ff
const MAX_DEPTH = 64
// Templates compare these with constants; a known role may even be a part of a control token (`<|user|>`, Phi-3).
const KNOWN_ROLES = new Set(['system', 'user', 'assistant', 'tool', 'function', 'developer', 'ipython', 'model'])
// These reach the output through `tojson`, which would write them differently once replaced.
const KEPT = /[\s"\\\x00-\x1f]/

/** A one-to-one replacement of the characters of a set of control tokens, disjoint from all `texts`. */
export class ContentMask {
  readonly #tokens: readonly string[]
  readonly #toPrivate: Map<string, string> = new Map()
  readonly #toPlain: Map<string, string> = new Map()
  readonly #prefixes: Set<string> = new Set()
  readonly #suffixes: Set<string> = new Set()
  /** A private-use character that neither the texts nor the mask have, for other markers. */
  readonly marker: string

  private constructor(controlTokens: ReadonlySet<string>, isUsed: (char: string) => boolean) {
    this.#tokens = [...controlTokens]
    const unused = privateCharacters(isUsed)
    this.marker = unused.next().value ?? '\uffff'
    for (const token of this.#tokens) {
      for (let i = 0; i < token.length; i++) {
        if (i > 0) this.#prefixes.add(token.slice(0, i))
        if (i > 0) this.#suffixes.add(token.slice(i))
        const char = token[i]!
        const masked = KEPT.test(char) || this.#toPrivate.has(char) ? undefined : unused.next().value
        if (masked === undefined) continue
        this.#toPrivate.set(char, masked)
        this.#toPlain.set(masked, char)
      }
    }
  }

  /** The mask for a set of control tokens; `texts` is all that the rendered text may be made of. */
  static for(controlTokens: ReadonlySet<string>, texts: string): ContentMask {
    const used = new Set(texts.match(/[\ue000-\uf8ff]/g))
    if (used.size > 0) return new ContentMask(controlTokens, (char) => used.has(char))
    const usual = usualMasks.get(controlTokens) ?? new ContentMask(controlTokens, () => false)
    usualMasks.set(controlTokens, usual)
    return usual
  }

  /** A copy of JSON-like data with its texts masked; roles and types, and keys, only as far as they spell tokens. */
  mask<T>(value: T, extent: MaskExtent, key?: string, depth = 0): T {
    if (depth > MAX_DEPTH) return value // the renderer refuses it
    if (typeof value === 'string') return this.#maskText(value, extent, key) as T
    if (Array.isArray(value)) return value.map((item) => this.mask(item, extent, key, depth + 1)) as T
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value).map(([name, item]) => [
      this.#breakTokens(name),
      this.mask(item, extent, name, depth + 1),
    ])
    return Object.fromEntries(entries) as T
  }

  /** Undoes `mask` in a rendered text. */
  restore(text: string): string {
    return text.replace(/[\ue000-\uf8ff]/g, (char) => this.#toPlain.get(char) ?? char)
  }

  #maskText(text: string, extent: MaskExtent, key: string | undefined): string {
    if (key === 'role' && KNOWN_ROLES.has(text)) return text
    if (extent === 'tokens' && key !== 'role') return this.#breakTokens(text)
    if (key === 'type') return this.#breakTokens(text)
    let masked = ''
    for (let i = 0; i < text.length; i++) masked += this.#toPrivate.get(text[i]!) ?? text[i]
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

/** Masks for texts without private-use characters, which is nearly all. */
const usualMasks = new WeakMap<ReadonlySet<string>, ContentMask>()

function* privateCharacters(isUsed: (char: string) => boolean): Generator<string, undefined> {
  for (let unit = FIRST_PRIVATE; unit <= LAST_PRIVATE; unit++) {
    const char = String.fromCharCode(unit)
    if (!isUsed(char)) yield char
  }
}
