// Finds added tokens (`<|im_end|>`, `<think>`) in text before anything else happens to it, longest match first.
// A control token is one that steers the model: flagged special, or spelled <|like this|>. Whether text may produce it is
// the caller's decision, per position; that is what keeps a user's words from ending a turn.

import { RUST_WORD } from './split-pattern.ts'

/** An entry of `added_tokens` in tokenizer.json. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly single_word: boolean
  readonly lstrip: boolean
  readonly rstrip: boolean
  readonly normalized: boolean
  readonly special: boolean
}

/** A token that is matched as it is written and takes no space beside it along. */
export function plainAddedToken(id: number, content: string, special = true): AddedToken {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }
}

/** A piece of text: an added token with its id, or plain text with id −1. Offsets are UTF-16 units. */
export interface TextPiece {
  readonly start: number
  readonly end: number
  readonly id: number
}

/** Decides whether a control token may be read at `[start, end)`. */
export type ControlPermit = (start: number, end: number) => boolean

/** True for tokens that user text must not produce. */
export function isControlToken(token: AddedToken): boolean {
  return token.special || /^<[|｜].*[|｜]>$/su.test(token.content)
}

interface TrieNode {
  readonly children: Map<number, TrieNode>
  token: AddedToken | undefined
  isControl: boolean
}

function emptyNode(): TrieNode {
  return { children: new Map(), token: undefined, isControl: false }
}

/** A character of a word, as Rust's regular expressions have it. */
const WORD = new RegExp(`^[${RUST_WORD}]$`, 'u')

/** Splits text at a set of added tokens. Time is linear in the text for tokens of bounded length. */
export class AddedTokenSplitter {
  readonly #root: TrieNode = emptyNode()
  readonly isEmpty: boolean

  /** `spelling` is what to look for: the content, or what the normalizer makes of it. */
  constructor(tokens: readonly AddedToken[], spelling: (token: AddedToken) => string = (token) => token.content) {
    this.isEmpty = tokens.length === 0
    for (const token of tokens) {
      let node = this.#root
      const text = spelling(token)
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i)
        const child = node.children.get(unit) ?? emptyNode()
        node.children.set(unit, child)
        node = child
      }
      if (node === this.#root) continue
      node.token = token
      node.isControl = isControlToken(token)
    }
  }

  /** The pieces of `text`, in order and without gaps. */
  split(text: string, permit: ControlPermit): TextPiece[] {
    const pieces: TextPiece[] = []
    let plainStart = 0
    for (let at = 0; !this.isEmpty && at < text.length; ) {
      const first = this.#root.children.get(text.charCodeAt(at))
      const token = first === undefined ? undefined : this.#match(first, text, at, permit)
      if (token === undefined) {
        at++
        continue
      }
      // As in Rust: what is taken from the sides does not count as searched, and a match inside a word is passed over whole.
      let start = Math.max(at, plainStart)
      let end = at + token.length
      at = end
      if (token.value.single_word && (endsInWord(text, start) || beginsWithWord(text, end))) continue
      if (token.value.lstrip) while (start > plainStart && isSpace(text, start - 1)) start--
      if (token.value.rstrip) while (end < text.length && isSpace(text, end)) end++
      if (start > plainStart) pieces.push({ start: plainStart, end: start, id: -1 })
      pieces.push({ start, end, id: token.value.id })
      plainStart = end
    }
    if (plainStart < text.length) pieces.push({ start: plainStart, end: text.length, id: -1 })
    return pieces
  }

  /** The longest permitted token at `at`, whose first character has been followed to `first`. */
  #match(
    first: TrieNode,
    text: string,
    at: number,
    permit: ControlPermit,
  ): { value: AddedToken; length: number } | undefined {
    let found: { value: AddedToken; length: number } | undefined
    let node: TrieNode | undefined = first
    for (let end = at + 1; node !== undefined; end++) {
      const { token } = node
      if (token !== undefined && (!node.isControl || permit(at, end))) found = { value: token, length: end - at }
      node = end < text.length ? node.children.get(text.charCodeAt(end)) : undefined
    }
    return found
  }
}

function isSpace(text: string, at: number): boolean {
  return /\p{White_Space}/u.test(text[at]!)
}

function beginsWithWord(text: string, at: number): boolean {
  return at < text.length && WORD.test(String.fromCodePoint(text.codePointAt(at)!))
}

function endsInWord(text: string, at: number): boolean {
  if (at === 0) return false
  const isPair = (text.charCodeAt(at - 1) & 0xfc00) === 0xdc00 && at > 1
  return WORD.test(text.slice(isPair ? at - 2 : at - 1, at))
}
