// A tokenizer → the `tokenizer.*` metadata of a GGUF file. Two kinds have a counterpart in llama.cpp: byte-level BPE (`gpt2`,
// with merges and a named pre-tokenizer) and SentencePiece's BPE with byte fallback (`llama`, with scores). Others are refused.
// The way back is tokenizer-from-metadata.ts.

import { InputError, UnsupportedError } from '../errors.ts'
import type { StageConfig } from '../text/stages/stage-config.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { preTokenizerName } from './pre-tokenizers.ts'
import type { GgufMetadata, GgufValue } from './values.ts'

/** `tokenizer.ggml.token_type` by name. */
export const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/** Other facts of the model that belong to its tokenizer. */
export interface TokenizerFacts {
  /** Rows of the embedding: ids without token are filled up. */
  readonly vocabSize: number
  /** Ids that end a text, from generation_config.json or config.json; the tokenizer's own comes first. */
  readonly eosTokenIds: readonly number[]
  /** What to call the tokenizer in messages. */
  readonly file: string
}

/** Describes a tokenizer in llama.cpp's words; an UnsupportedError says what llama.cpp would tokenize differently. */
export function tokenizerMetadata(tokenizer: Tokenizer, facts: TokenizerFacts): GgufMetadata {
  const json = tokenizer.toJson()
  // Added tokens that the model has no rows for have no place in the file.
  if (tokenizer.fit(facts.vocabSize) === undefined) {
    throw new InputError(
      `${facts.file}: expected at most the ${facts.vocabSize} ids of the model's embedding, got ${tokenizer.vocabSize}. Resize the embedding`,
    )
  }
  if (json.model.type !== 'BPE') {
    throw new UnsupportedError(
      `${facts.file}:model.type: expected BPE, got ${json.model.type}. This export has no counterpart for it`,
    )
  }
  for (const field of ['end_of_word_suffix', 'continuing_subword_prefix']) {
    if (!json.model[field]) continue
    throw new UnsupportedError(
      `${facts.file}:model.${field}: expected none, got ${JSON.stringify(json.model[field])}. This export has no counterpart for it`,
    )
  }
  const isSentencePiece = json.model.byte_fallback === true
  const metadata: GgufMetadata = new Map()
  const put = (key: string, value: GgufValue): unknown => metadata.set(`tokenizer.ggml.${key}`, value)
  put('model', { type: 'string', value: isSentencePiece ? 'llama' : 'gpt2' })
  put('pre', { type: 'string', value: isSentencePiece ? 'default' : preTokenizerName(json, facts.file) })
  const tokens = Array.from({ length: facts.vocabSize }, (_, id) => tokenizer.idToToken(id) ?? `[PAD${id}]`)
  put('tokens', { type: 'array', of: 'string', value: tokens })
  put('token_type', { type: 'array', of: 'i32', value: tokenTypes(tokenizer, facts.vocabSize, isSentencePiece) })
  const merges = mergesOf(json.model.merges)
  if (isSentencePiece) {
    put('add_space_prefix', { type: 'bool', value: hasSpacePrefix(json.normalizer, json.pre_tokenizer, facts.file) })
    put('scores', { type: 'array', of: 'f32', value: scoresOf(tokens, merges, facts.file) })
  } else {
    if (merges.some(([left, right]) => `${left}${right}`.includes(' '))) {
      throw new UnsupportedError(`${facts.file}:model.merges: expected no spaces, got some. llama.cpp splits at them`)
    }
    put('merges', { type: 'array', of: 'string', value: merges.map(([left, right]) => `${left} ${right}`) })
  }
  putSpecialTokens(tokenizer, facts, put)
  if (tokenizer.chatTemplate !== undefined) {
    metadata.set('tokenizer.chat_template', { type: 'string', value: tokenizer.chatTemplate })
  }
  return metadata
}

function tokenTypes(tokenizer: Tokenizer, vocabSize: number, isSentencePiece: boolean): Int32Array {
  const added = new Map(tokenizer.toJson().added_tokens.map((token) => [token.id, token.special]))
  const typeOf = (id: number): keyof typeof TOKEN_TYPE => {
    const token = tokenizer.idToToken(id)
    if (token === undefined) return 'unused'
    if (isSentencePiece && id === tokenizer.unkTokenId) return 'unknown'
    const isSpecial = added.get(id)
    if (isSpecial !== undefined) return isSpecial || tokenizer.controlTokens.has(token) ? 'control' : 'userDefined'
    return isSentencePiece && /^<0x[0-9A-F]{2}>$/.test(token) ? 'byte' : 'normal'
  }
  return Int32Array.from({ length: vocabSize }, (_, id) => TOKEN_TYPE[typeOf(id)])
}

/** Merges as pairs, from either of their spellings. */
function mergesOf(merges: unknown): [string, string][] {
  const list = (merges ?? []) as (string | [string, string])[]
  return list.map((merge) => (typeof merge === 'string' ? (merge.split(' ') as [string, string]) : merge))
}

/**
 * SentencePiece merges the neighbours whose joint piece scores highest, BPE those whose merge comes first. They agree if every
 * way to split a piece is a merge and all merges of one piece come before all of another; then minus the rank is a score.
 */
function scoresOf(tokens: readonly string[], merges: readonly [string, string][], file: string): Float32Array {
  const rankOf = new Map<string, number>()
  let last = ''
  for (const [rank, [left, right]] of merges.entries()) {
    const piece = left + right
    if (piece !== last && rankOf.has(piece) && !isRun(piece)) {
      throw new UnsupportedError(
        `${file}:model.merges[${rank}]: expected all merges to ${JSON.stringify(piece)} in one place, got another after those of other pieces. llama.cpp orders by piece`,
      )
    }
    if (!rankOf.has(piece)) rankOf.set(piece, rankOf.size)
    last = piece
  }
  // Pieces that no merge makes are single characters, bytes and control tokens, which are never the result of one either.
  return Float32Array.from(tokens, (token) => -(rankOf.get(token) ?? -1) - 1)
}

/** One character again and again: however neighbours are merged, the pieces are the same. Llama 2 has such merges for spaces. */
const isRun = (piece: string): boolean => new Set(piece).size === 1

/** Whether a space is put before the text; an UnsupportedError for stages that SentencePiece's own do not have. */
function hasSpacePrefix(normalizer: StageConfig | null, preTokenizer: StageConfig | null, file: string): boolean {
  const normalizers = normalizer?.type === 'Sequence' ? (normalizer.normalizers as StageConfig[]) : [normalizer]
  const kinds = normalizers.map((stage) => stage?.type)
  const isReplacing = normalizers.some((stage) => stage?.type === 'Replace' && stage.content === '▁')
  if (isReplacing && kinds.every((kind) => kind === 'Prepend' || kind === 'Replace')) return kinds.includes('Prepend')
  if (normalizer === null && preTokenizer?.type === 'Metaspace' && preTokenizer.split === false) {
    return preTokenizer.prepend_scheme !== 'never'
  }
  throw new UnsupportedError(
    `${file}:normalizer: expected spaces replaced by ▁ as in Llama 2, got ${JSON.stringify(normalizer ?? preTokenizer)?.slice(0, 80)}. llama.cpp has no counterpart`,
  )
}

function putSpecialTokens(
  tokenizer: Tokenizer,
  { vocabSize, eosTokenIds, file }: TokenizerFacts,
  put: (key: string, value: GgufValue) => unknown,
): void {
  const { before, after } = frameOf(tokenizer)
  const known = (id: number | undefined): id is number => id !== undefined && id < vocabSize
  const [eos, eot, eom] = new Set([tokenizer.eosTokenId, ...eosTokenIds].filter(known))
  const ids = {
    bos: tokenizer.bosTokenId,
    // Without one, llama.cpp would take id 11, an ordinary token, for the end.
    eos: eos ?? [tokenizer.bosTokenId, tokenizer.padTokenId, ...tokenizer.specialTokens.values()].find(known),
    eot,
    eom,
    unknown: tokenizer.unkTokenId,
    padding: tokenizer.padTokenId,
  }
  for (const [name, id] of Object.entries(ids)) {
    if (known(id)) put(`${name}_token_id`, { type: 'u32', value: id })
  }
  const isFrame = (frame: readonly number[], id: number | undefined): boolean =>
    frame.length === 0 || (frame.length === 1 && frame[0] === id)
  if (!isFrame(before, ids.bos) || !isFrame(after, ids.eos)) {
    throw new UnsupportedError(
      `${file}:post_processor: expected at most the start token before a text and the end token after it, got ids [${before}] and [${after}]. llama.cpp adds no others`,
    )
  }
  put('add_bos_token', { type: 'bool', value: before.length === 1 })
  put('add_eos_token', { type: 'bool', value: after.length === 1 })
}

/** The ids that the tokenizer puts around every text. */
function frameOf(tokenizer: Tokenizer): { before: number[]; after: number[] } {
  const text = 'a'
  const framed = Array.from(tokenizer.encode(text))
  const bare = Array.from(tokenizer.encode(text, { addSpecialTokens: false }))
  const start = framed.findIndex((_, i) => bare.every((id, k) => framed[i + k] === id))
  return { before: framed.slice(0, start), after: framed.slice(start + bare.length) }
}
