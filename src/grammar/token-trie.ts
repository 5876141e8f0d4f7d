// The texts of a vocabulary as a tree of bytes, laid out in the order of a walk: each node knows where its branch ends, so that a branch
// that may not come is left in one step.

import type { Tokenizer } from '../text/tokenizer.ts'
import { BEFORE, BEHIND, controlBytes } from './control-bytes.ts'
import { plainLength } from './plain.ts'

const tries = new WeakMap<Tokenizer, TokenTrie>()

/** The texts of all tokens of a vocabulary, for masks. */
export class TokenTrie {
  /** Ids that a mask has bits for. */
  readonly vocabSize: number
  /** By id: its bytes. */
  readonly texts: readonly Uint8Array[]
  /** By node; node 0 is the root: its byte, its depth, and the first node behind its branch. */
  readonly bytes: Uint8Array
  readonly depths: Uint16Array
  readonly ends: Int32Array
  /** The ids of node n are `ids[firstIds[n]…firstIds[n + 1]]`. */
  readonly ids: Int32Array
  readonly firstIds: Int32Array
  /** Bytes of the longest token. */
  readonly longest: number
  readonly #encode: ((text: string) => Iterable<number>) | undefined
  readonly #plain: Uint16Array
  readonly #plainUpTo: (Uint32Array | undefined)[] = []
  #rest: { trie: TokenTrie; nodes: Int32Array } | undefined

  /** `texts[id]`: the bytes that a token stands for (`controlBytes` of a control token); empty for those that can never come. `encode`: as the model is used to. */
  constructor(texts: readonly Uint8Array[], encode?: (text: string) => Iterable<number>) {
    this.#encode = encode
    this.vocabSize = texts.length
    this.texts = texts
    this.#plain = Uint16Array.from(texts, plainLength)
    const order = [...texts.keys()]
      .filter((id) => texts[id]!.length > 0)
      .sort((a, b) => Buffer.compare(texts[a]!, texts[b]!) || a - b)
    const bytes = [0]
    const depths = [0]
    const firstIds = [0]
    const ids: number[] = []
    let before: Uint8Array = new Uint8Array(0)
    for (const id of order) {
      const text = texts[id]!
      let shared = 0
      while (shared < before.length && shared < text.length && before[shared] === text[shared]) shared++
      for (let i = shared; i < text.length; i++) {
        bytes.push(text[i]!)
        depths.push(i + 1)
        firstIds.push(ids.length)
      }
      ids.push(id)
      before = text
    }
    firstIds.push(ids.length)
    this.bytes = Uint8Array.from(bytes)
    this.depths = Uint16Array.from(depths)
    this.ids = Int32Array.from(ids)
    this.firstIds = Int32Array.from(firstIds)
    this.longest = depths.reduce((a, b) => Math.max(a, b), 0)
    this.ends = new Int32Array(bytes.length)
    const open: number[] = []
    for (let node = 0; node < bytes.length; node++) {
      while (open.length > 0 && depths[open.at(-1)!]! >= depths[node]!) this.ends[open.pop()!] = node
      open.push(node)
    }
    for (const node of open) this.ends[node] = bytes.length
  }

  /** The trie of a tokenizer, for a model of `vocabSize` rows. Made once for each tokenizer. */
  static of(tokenizer: Tokenizer, vocabSize: number = tokenizer.vocabSize): TokenTrie {
    let trie = tries.get(tokenizer)
    if (trie?.vocabSize !== vocabSize) {
      const bytesOf = (id: number): Uint8Array => {
        if (tokenizer.isSpecial(id)) return controlBytes(tokenizer.idToToken(id)!)
        const bytes = tokenizer.idToBytes(id)
        // Vocabularies of bytes have these two alone, and no text has them: nobody may put a control token together of them.
        return bytes.includes(BEFORE) || bytes.includes(BEHIND) ? new Uint8Array(0) : bytes
      }
      trie = new TokenTrie(
        Array.from({ length: vocabSize }, (_, id) => (id < tokenizer.vocabSize ? bytesOf(id) : new Uint8Array(0))),
        (text) => tokenizer.encode(text, { addSpecialTokens: false }),
      )
      tries.set(tokenizer, trie)
    }
    return trie
  }

  /** The tokens of 1 to `most` plain characters (see plain.ts), as bits. */
  plainUpTo(most: number): Uint32Array {
    const longest = Math.min(most, this.longest)
    let bits = this.#plainUpTo[longest]
    if (bits === undefined) {
      bits = new Uint32Array(Math.ceil(this.vocabSize / 32))
      for (const [id, length] of this.#plain.entries())
        if (length > 0 && length <= longest) bits[id >>> 5]! |= 1 << (id & 31)
      this.#plainUpTo[longest] = bits
    }
    return bits
  }

  /** All other tokens as a trie of their own, and for each of its nodes the one of this trie. */
  get rest(): { trie: TokenTrie; nodes: Int32Array } {
    if (this.#rest === undefined) {
      const trie = new TokenTrie(this.texts.map((text, id) => (this.#plain[id] === 0 ? text : new Uint8Array(0))))
      const nodes = new Int32Array(trie.bytes.length)
      const open = [0]
      for (let i = 1; i < nodes.length; i++) {
        const depth = trie.depths[i]!
        nodes[i] = this.child(open[depth - 1]!, trie.bytes[i]!)
        open[depth] = nodes[i]!
      }
      this.#rest = { trie, nodes }
    }
    return this.#rest
  }

  /** The node behind `node` and this byte; −1 where no token goes on so. */
  child(node: number, byte: number): number {
    for (let at = node + 1; at < this.ends[node]!; at = this.ends[at]!) if (this.bytes[at] === byte) return at
    return -1
  }

  /** These bytes as the tokens that the model is used to; undefined where no tokens make them. */
  spell(bytes: readonly number[]): number[] | undefined {
    const ids: number[] = []
    for (let from = 0; from < bytes.length; ) {
      // A control token stands alone: the texts before and behind it are spelt each for itself.
      const isControl = bytes[from] === BEFORE
      const next = bytes.indexOf(isControl ? BEHIND : BEFORE, from)
      const end = next < 0 ? bytes.length : isControl ? next + 1 : next
      const part = bytes.slice(from, end)
      const found = isControl ? this.greedy(part) : this.#spellText(part)
      if (found === undefined) return undefined
      ids.push(...found)
      from = end
    }
    return ids
  }

  #spellText(bytes: readonly number[]): number[] | undefined {
    const text = Buffer.from(bytes)
    const ids = this.#encode === undefined ? [] : [...this.#encode(text.toString())]
    const isSame = ids.length > 0 && text.equals(Buffer.concat(ids.map((id) => this.texts[id] ?? new Uint8Array(0))))
    return isSame ? ids : this.greedy(bytes)
  }

  /** These bytes as tokens, the longest first; undefined where no tokens make them. */
  greedy(bytes: readonly number[]): number[] | undefined {
    const made: number[] = []
    for (let from = 0; from < bytes.length; ) {
      let [node, best, end] = [0, -1, from]
      for (let i = from; i < bytes.length; i++) {
        node = this.child(node, bytes[i]!)
        if (node < 0) break
        if (this.firstIds[node]! < this.firstIds[node + 1]!) [best, end] = [this.ids[this.firstIds[node]!]!, i + 1]
      }
      if (best < 0) return undefined
      made.push(best)
      from = end
    }
    return made
  }
}
