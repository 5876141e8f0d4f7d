// New tokens for a BPE tokenizer, learnt on text of a language that it cuts into many pieces. Old ids, old merges and their order stay, and new
// merges come after them: whatever was one token is one still, and a new token is always a run of old ones, its pieces.

import { TokenizerError, UnsupportedError, UsageError } from '../errors.ts'
import { turn } from '../work.ts'
import { IdBuffer } from './stages/id-buffer.ts'
import { learnMerges } from './stages/learn-merges.ts'
import type { SymbolWords } from './stages/merge-learner.ts'
import { compileModel } from './stages/model.ts'
import { compileNormalizer } from './stages/normalizer.ts'
import { compilePreTokenizer } from './stages/pre-tokenizer.ts'
import type { TokenizerJson } from './stages/tokenizer-json.ts'
import { readVocabulary, type Vocabulary } from './stages/vocabulary.ts'
import { WordCounts } from './stages/word-counts.ts'
import type { Tokenizer } from './tokenizer.ts'

/** How much is learnt. */
export interface ExtendBpeOptions {
  /** Tokens to add; fewer where the texts have too few pairs. */
  newTokens: number
  /** A pair rarer than this is never merged. Default 2. */
  minFrequency?: number
  /** `count` while texts are read (`done` is texts), `merge` after that (`done` of `total` tokens). */
  onProgress?: (progress: { phase: 'count' | 'merge'; done: number; total?: number }) => void
  signal?: AbortSignal
}

/** A token that was added. */
export interface NewToken {
  id: number
  token: string
  /** Ids of the old tokenizer that it stands for, in order. */
  pieces: number[]
}

/** The larger tokenizer, and what is new in it. */
export interface ExtendedBpe {
  tokenizer: Tokenizer
  added: NewToken[]
}

const NEXT_TURN = 256
const LETTERS = /^▁*[\p{L}\p{M}]*$/u

/**
 * Learns `newTokens` tokens on the texts; the result depends on nothing but tokenizer, texts and options. UnsupportedError where the tokenizer is
 * no BPE.
 *
 * @example
 * const { tokenizer, added } = await extendBpe(await Tokenizer.fromDirectory('models/base'), texts, { newTokens: 4000 })
 */
export async function extendBpe(
  tokenizer: Tokenizer,
  texts: AsyncIterable<string> | Iterable<string>,
  options: ExtendBpeOptions,
): Promise<ExtendedBpe> {
  const { newTokens, minFrequency = 2 } = options
  for (const [name, value] of Object.entries({ newTokens, minFrequency }))
    if (!Number.isInteger(value) || value < 1)
      throw new UsageError(`${name}: expected an integer of at least 1, got ${value}`)
  const json = tokenizer.toJson()
  checkKind(json)
  const vocabulary = readVocabulary(json, 'tokenizer.json')
  const counts = await countWords(json, texts, options)
  const growing = new GrowingVocabulary(vocabulary, newTokens)
  if (json.model.byte_fallback === true) addCharacters(growing, counts, minFrequency)
  const merges = await learn(symbolsOf(json, growing, counts), growing, options)
  return { tokenizer: tokenizer.withJson(extended(json, growing, merges)), added: growing.added }
}

function checkKind({ model }: TokenizerJson): void {
  const refuse = (expected: string, got: string): never => {
    throw new UnsupportedError(
      `tokenizer: expected ${expected}, got ${got}. Train a tokenizer of your own, or use a model whose tokenizer is BPE`,
    )
  }
  if (model.type !== 'BPE' && (model.type !== undefined || model.merges === undefined))
    refuse('BPE to extend', String(model.type ?? 'one without merges'))
  for (const field of ['continuing_subword_prefix', 'end_of_word_suffix'])
    if (typeof model[field] === 'string' && model[field] !== '') refuse(`BPE without ${field}`, String(model[field]))
}

/** The old tokens and those that come behind them. */
class GrowingVocabulary {
  readonly added: NewToken[] = []
  readonly tokens: (string | undefined)[]
  private readonly old: Vocabulary
  private readonly most: number
  private readonly ids: Map<string, number>
  private readonly pieces = new Map<number, number[]>()

  constructor(old: Vocabulary, most: number) {
    this.old = old
    this.most = most
    this.tokens = [...old.tokens]
    this.ids = new Map(old.ids)
  }

  get isFull(): boolean {
    return this.added.length >= this.most
  }

  /** The id of a token that stands for these ids; undefined where it must not come out of text, as a control token. */
  add(token: string, of: readonly number[]): number | undefined {
    const known = this.ids.get(token)
    if (known !== undefined) return this.isOrdinary(token, known) ? known : undefined
    const id = this.tokens.push(token) - 1
    const pieces = of.flatMap((part) => this.pieces.get(part) ?? [part])
    this.ids.set(token, id)
    this.pieces.set(id, pieces)
    this.added.push({ id, token, pieces })
    return id
  }

  /** As the model stage reads it. */
  get vocabulary(): Vocabulary {
    const words = new Map([...this.old.words, ...this.added.map(({ token, id }) => [token, id] as const)])
    return { ...this.old, tokens: this.tokens, ids: this.ids, words }
  }

  private isOrdinary(token: string, id: number): boolean {
    return !this.old.control.has(id) && (this.old.words.has(token) || this.pieces.has(id))
  }
}

/** Letters that the vocabulary lacks and writes in bytes: no merge joins those, so they become tokens first, the commonest first. */
function addCharacters(growing: GrowingVocabulary, words: WordCounts, minFrequency: number): void {
  const { words: known } = growing.vocabulary
  const counts = words.counts()
  const missing = new Map<string, number>()
  let index = 0
  for (const word of words.words()) {
    for (const character of word.match(/[\p{L}\p{M}]/gu) ?? [])
      if (!known.has(character)) missing.set(character, (missing.get(character) ?? 0) + counts[index]!)
    index++
  }
  for (const [character, count] of [...missing].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))) {
    const bytes = Array.from(Buffer.from(character), (byte) =>
      known.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
    )
    const ids = bytes.filter((id) => id !== undefined)
    if (growing.isFull || count < minFrequency) return
    if (ids.length === bytes.length) growing.add(character, ids)
  }
}

/** The distinct words of the texts. */
async function countWords(
  json: TokenizerJson,
  texts: AsyncIterable<string> | Iterable<string>,
  { onProgress, signal }: ExtendBpeOptions,
): Promise<WordCounts> {
  const normalizer = compileNormalizer(json.normalizer, 'tokenizer.json:normalizer')
  const preTokenizer = compilePreTokenizer(json.pre_tokenizer, 'tokenizer.json:pre_tokenizer')
  const counts = new WordCounts()
  // Llama 2 has no pre-tokenizer: a document is one word there, and words begin at its mark for a space.
  const add = (word: string): void => {
    for (const part of word.split(/(?<=[^▁])(?=▁)/u)) counts.add(part)
  }
  let done = 0
  for await (const text of texts) {
    signal?.throwIfAborted()
    preTokenizer.split(normalizer?.(text) ?? text, true, add)
    if (++done % NEXT_TURN !== 0) continue
    onProgress?.({ phase: 'count', done })
    await turn({ signal })
  }
  return counts
}

/** Words as ids of the tokens so far. */
function symbolsOf(json: TokenizerJson, growing: GrowingVocabulary, counts: WordCounts): SymbolWords {
  const { isByteLevel } = compilePreTokenizer(json.pre_tokenizer, 'tokenizer.json:pre_tokenizer')
  const model = compileModel(json.model, growing.vocabulary, isByteLevel, 'tokenizer.json')
  const out = new IdBuffer()
  const starts = new Int32Array(counts.size + 1)
  let index = 0
  for (const word of counts.words()) {
    model.encodeWord(word, out)
    starts[++index] = out.length
  }
  return { symbols: out.toArray(), starts, counts: counts.counts() }
}

async function learn(
  words: SymbolWords,
  growing: GrowingVocabulary,
  { newTokens, minFrequency = 2, onProgress, signal }: ExtendBpeOptions,
): Promise<[left: string, right: string][]> {
  const { tokens, added } = growing
  const merges: [left: string, right: string][] = []
  // Without a pre-tokenizer nothing keeps letters, digits and punctuation apart; new tokens are of letters then.
  const marksSpaces = tokens.some((token) => token?.includes('▁'))
  const mayJoin = (left: string, right: string): boolean =>
    !marksSpaces || (LETTERS.test(left) && LETTERS.test(right) && !right.startsWith('▁'))
  await learnMerges(words, {
    minFrequency,
    isFull: () => growing.isFull,
    join: (leftId, rightId) => {
      const [left, right] = [tokens[leftId]!, tokens[rightId]!]
      const id = mayJoin(left, right) ? growing.add(left + right, [leftId, rightId]) : undefined
      if (id !== undefined) merges.push([left, right])
      return id
    },
    onProgress: () => onProgress?.({ phase: 'merge', done: added.length, total: newTokens }),
    signal,
  })
  onProgress?.({ phase: 'merge', done: added.length, total: added.length })
  return merges
}

function extended(
  json: TokenizerJson,
  { added, vocabulary }: GrowingVocabulary,
  merges: readonly [string, string][],
): TokenizerJson {
  const old = json.model.merges
  if (!Array.isArray(old)) throw new TokenizerError('bad tokenizer in tokenizer.json:model.merges: expected a list')
  const isPair = Array.isArray(old[0])
  const vocab: Record<string, number> = { ...(json.model.vocab as Record<string, number>) }
  // Added tokens have ids below the new ones. Where the vocabulary does not say so, other readers would number them behind it.
  for (const { content, id } of vocabulary.added) vocab[content] = id
  for (const { token, id } of added) vocab[token] = id
  const model = {
    ...json.model,
    vocab,
    merges: [...old, ...merges.map((pair) => (isPair ? pair : pair.join(' ')))],
  }
  return { ...json, model }
}
