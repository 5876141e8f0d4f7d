// Log-probabilities in the shapes that OpenAI's clients read.

import type { Lm, LogProb, TokenLogProb } from '../lm/lm.ts'

/** One token of a chat's `logprobs.content`. */
export interface ChatLogProb {
  token: string
  logprob: number
  /** UTF-8 of the token, which may begin or end within a character. */
  bytes: number[]
  top_logprobs: { token: string; logprob: number; bytes: number[] }[]
}

/** `logprobs` of a text completion. */
export interface TextLogProbs {
  text_offset: number[]
  token_logprobs: (number | null)[]
  tokens: string[]
  top_logprobs: (Record<string, number> | null)[] | null
}

/** −∞ is no JSON number; this is what OpenAI says for what is out of reach. */
const finite = (logprob: number): number => Math.max(logprob, -9999)

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What a token is called: its text, or where that is no whole text, its bytes, as OpenAI's completions write them. */
export function tokenName(lm: Lm, id: number): string {
  const bytes = lm.tokenBytes!(id)
  try {
    return strict.decode(bytes)
  } catch {
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`
  }
}

/** The tokens of an answer with `most` alternatives; those that were asked for by id stand behind the most probable ones. */
export function chatLogProbs(lm: Lm, tokens: readonly TokenLogProb[], most: number): ChatLogProb[] {
  const entry = ({ id, logprob }: LogProb): { token: string; logprob: number; bytes: number[] } => ({
    token: tokenName(lm, id),
    logprob: finite(logprob),
    bytes: Array.from(lm.tokenBytes!(id)),
  })
  return tokens.map((token) => ({ ...entry(token), top_logprobs: candidatesOf(token, most).map(entry) }))
}

/**
 * Where each token of a text begins, in characters as Python counts them, which clients of this API cut by (an emoji is one): those that a
 * token ends count, a half one does not.
 */
export class TextOffsets {
  readonly #lm: Lm
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  /** Negative while tokens spell what the text leaves out. */
  #at = 0

  /** With `echo`: the prompt that is told first, to whose text the places belong. */
  constructor(lm: Lm, echo?: { ids: readonly number[]; text: string }) {
    this.#lm = lm
    if (echo === undefined) return
    // Tokenizers such as Llama's put a space before the text, which is in its first token and not in the text.
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    const spelled = echo.ids.map((id) => this.#spelled(id, decoder)).join('')
    if (spelled === ` ${echo.text}`) this.#at = -1
  }

  next(id: number): number {
    const at = this.#at
    this.#at += Array.from(this.#spelled(id, this.#decoder)).length
    return Math.max(0, at)
  }

  /** Control tokens are left out of the text. */
  #spelled(id: number, decoder: InstanceType<typeof TextDecoder>): string {
    const isTold = this.#lm.decode([id]) !== '' || !this.#lm.controlTokens?.includes(tokenName(this.#lm, id))
    return isTold ? decoder.decode(this.#lm.tokenBytes!(id), { stream: true }) : ''
  }
}

/** Tokens of a text, with `most` alternatives, besides which the token itself is told. */
export function textLogProbs(
  lm: Lm,
  tokens: readonly ({ id: number } & Partial<TokenLogProb>)[],
  most: number,
  offsets: TextOffsets = new TextOffsets(lm),
): TextLogProbs {
  const isTold = ({ logprob }: Partial<TokenLogProb>): boolean => logprob !== undefined
  return {
    tokens: tokens.map(({ id }) => tokenName(lm, id)),
    text_offset: tokens.map(({ id }) => offsets.next(id)),
    token_logprobs: tokens.map(({ logprob }) => (logprob === undefined ? null : finite(logprob))),
    top_logprobs:
      most > 0 ? tokens.map((token) => (isTold(token) ? byName(lm, token as TokenLogProb, most) : null)) : null,
  }
}

function byName(lm: Lm, token: TokenLogProb, most: number): Record<string, number> {
  // Of two tokens of the same name the more probable one counts: clients take a token for the likeliest where its number is the greatest.
  const found = new Map<string, number>()
  for (const { id, logprob } of [...candidatesOf(token, most), token].sort((a, b) => b.logprob - a.logprob)) {
    const name = tokenName(lm, id)
    if (!found.has(name)) found.set(name, finite(logprob))
  }
  return Object.fromEntries(found)
}

function candidatesOf({ top, named = [] }: TokenLogProb, most: number): LogProb[] {
  const best = top.slice(0, most)
  return [...best, ...named.filter(({ id }) => !best.some((other) => other.id === id))]
}

/** vLLM's `prompt_logprobs`: for each token of the prompt what might have stood there, by id; null for the first. */
export function promptLogProbs(
  lm: Lm,
  tokens: readonly (TokenLogProb | null)[],
  most: number,
): (Record<string, { logprob: number; rank: number | null; decoded_token: string }> | null)[] {
  return tokens.map((token) => {
    if (token === null) return null
    const entries = [...candidatesOf(token, most), token].map(({ id, logprob }) => {
      const rank = token.top.findIndex((other) => other.id === id)
      const found = { logprob: finite(logprob), rank: rank === -1 ? null : rank + 1, decoded_token: tokenName(lm, id) }
      return [id, found] as const
    })
    return Object.fromEntries(entries)
  })
}
