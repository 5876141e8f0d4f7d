// Trains a byte-level BPE tokenizer: counts the words of a corpus, then learns merges (stages/merge-learner.ts). All 256
// bytes are in the vocabulary, so that every text round-trips, and only pre-tokenizers that have a name in llama.cpp are
// offered, so that models trained with the result can be exported to GGUF.

import { ConfigError } from '../errors.ts'
import { turn } from '../work.ts'
import { plainAddedToken } from './stages/added-tokens.ts'
import { byteLevelAlphabet } from './stages/byte-level.ts'
import { learnMerges } from './stages/learn-merges.ts'
import type { SymbolWords } from './stages/merge-learner.ts'
import { compileNormalizer } from './stages/normalizer.ts'
import { compilePreTokenizer } from './stages/pre-tokenizer.ts'
import type { StageConfig } from './stages/stage-config.ts'
import type { TokenizerJson } from './stages/tokenizer-json.ts'
import { WordCounts } from './stages/word-counts.ts'
import { Tokenizer, type TokenRole } from './tokenizer.ts'

/** Pre-tokenizers by their names in GGUF (`tokenizer.ggml.pre`). */
export type PreTokenizerName = 'gpt-2' | 'qwen2' | 'llama-bpe' | 'smollm'

/** Where a training is: `count` while texts are read (`done` is bytes), `merge` after that (`done` of `total` tokens). */
export interface BpeProgress {
  readonly phase: 'count' | 'merge'
  readonly done: number
  readonly total?: number
}

/** How to train a tokenizer. */
export interface BpeOptions {
  /** Ids in all: special tokens, 256 bytes and merges. Fewer if the corpus has too few pairs. */
  vocabSize: number
  /** Contents of control tokens; they get the first ids. */
  specialTokens?: readonly string[]
  /** Which of them has a role, such as `{ eos: '<|endoftext|>' }`. */
  roles?: Partial<Record<TokenRole, string>>
  /** A pair rarer than this is never merged. Default 2. */
  minFrequency?: number
  /** Default `gpt-2`. */
  preTokenizer?: PreTokenizerName
  chatTemplate?: string
  onProgress?: (progress: BpeProgress) => void
  signal?: AbortSignal
}

const LLAMA3 = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const MAX_VOCAB_SIZE = 2_000_000
const PROGRESS_BYTES = 1 << 22

/** Trains on texts, each a document; words never cross documents. The result depends on nothing but texts and options. */
export async function trainBpe(
  texts: AsyncIterable<string> | Iterable<string>,
  options: BpeOptions,
): Promise<{ tokenizer: Tokenizer; json: TokenizerJson }> {
  checkOptions(options)
  const stages = preTokenizerStages(options.preTokenizer ?? 'gpt-2')
  const words = await countWords(texts, stages, options)
  const specials = [...new Set(options.specialTokens ?? [])]
  const alphabet = [...byteLevelAlphabet()].sort()
  const tokens = [...specials, ...alphabet]
  const merges = await learn(words, tokens, specials, options)
  const json: TokenizerJson = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => plainAddedToken(id, content)),
    ...stages,
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      // llama.cpp does so for this name, whatever the file says.
      ignore_merges: options.preTokenizer === 'llama-bpe',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  }
  const { roles, chatTemplate } = options
  const tokenizer = Tokenizer.fromJson(json, {
    ...(roles && { roles }),
    ...(chatTemplate !== undefined && { chatTemplate }),
  })
  return { tokenizer, json }
}

function checkOptions({ vocabSize, specialTokens = [], roles = {}, minFrequency = 2 }: BpeOptions): void {
  const least = 256 + new Set(specialTokens).size
  if (!Number.isInteger(vocabSize) || vocabSize < least || vocabSize > MAX_VOCAB_SIZE) {
    throw new ConfigError(
      `wrong vocabSize: expected ${least} (256 bytes and the special tokens) to ${MAX_VOCAB_SIZE}, got ${vocabSize}. Choose e.g. 32000`,
    )
  }
  if (!Number.isInteger(minFrequency) || minFrequency < 1) {
    throw new ConfigError(`wrong minFrequency: expected an integer of at least 1, got ${minFrequency}. Leave it at 2`)
  }
  const single = specialTokens.find((token) => token.length < 2)
  if (single !== undefined) {
    throw new ConfigError(
      `wrong specialTokens: expected two characters or more, got ${JSON.stringify(single)}. Use e.g. <|endoftext|>`,
    )
  }
  for (const [role, token] of Object.entries(roles)) {
    if (!specialTokens.includes(token)) {
      throw new ConfigError(
        `wrong roles.${role}: expected one of specialTokens, got ${JSON.stringify(token)}. Add it there`,
      )
    }
  }
}

/** The stages before the merges that a name in GGUF stands for. */
export function preTokenizerStages(name: PreTokenizerName): {
  normalizer: StageConfig | null
  pre_tokenizer: StageConfig
} {
  const byteLevel = (useRegex: boolean): StageConfig => ({
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: useRegex,
  })
  const sequence = (...pretokenizers: StageConfig[]): StageConfig => ({ type: 'Sequence', pretokenizers })
  const split = (pattern: string): StageConfig => {
    return sequence(
      { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
      byteLevel(false),
    )
  }
  switch (name) {
    case 'gpt-2':
      return { normalizer: null, pre_tokenizer: byteLevel(true) }
    case 'smollm':
      return { normalizer: null, pre_tokenizer: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)) }
    case 'llama-bpe':
      return { normalizer: null, pre_tokenizer: split(LLAMA3) }
    case 'qwen2':
      return { normalizer: { type: 'NFC' }, pre_tokenizer: split(LLAMA3.replace('{1,3}', '')) }
    default:
      throw new ConfigError(
        `unknown preTokenizer: expected gpt-2, qwen2, llama-bpe or smollm, got ${JSON.stringify(name)}. Other names have no GGUF export`,
      )
  }
}

async function countWords(
  texts: AsyncIterable<string> | Iterable<string>,
  stages: { normalizer: StageConfig | null; pre_tokenizer: StageConfig },
  { onProgress, signal }: BpeOptions,
): Promise<WordCounts> {
  const normalizer = compileNormalizer(stages.normalizer, 'normalizer')
  const { split } = compilePreTokenizer(stages.pre_tokenizer, 'pre_tokenizer')
  const words = new WordCounts()
  const count = (word: string): void => words.add(word)
  let done = 0
  let reported = 0
  for await (const text of texts) {
    signal?.throwIfAborted()
    split(normalizer?.(text) ?? text, true, count)
    done += Buffer.byteLength(text)
    if (done - reported < PROGRESS_BYTES) continue
    reported = done
    onProgress?.({ phase: 'count', done })
    await turn({ signal })
  }
  onProgress?.({ phase: 'count', done })
  return words
}

/** Learns merges until the vocabulary is full; appends their results to `tokens` and returns them as `"a b"`. */
async function learn(
  words: WordCounts,
  tokens: string[],
  specials: readonly string[],
  { vocabSize, minFrequency = 2, onProgress, signal }: BpeOptions,
): Promise<string[]> {
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const merges: string[] = []
  await learnMerges(symbolsOf(words, ids), {
    minFrequency,
    isFull: () => tokens.length >= vocabSize,
    join: (leftId, rightId) => {
      const [left, right] = [tokens[leftId]!, tokens[rightId]!]
      // Text must not be able to become a control token, however often a corpus spells it.
      if (specials.includes(left + right)) return undefined
      // Two merges may spell the same token.
      const merged = ids.get(left + right) ?? tokens.push(left + right) - 1
      ids.set(left + right, merged)
      merges.push(`${left} ${right}`)
      return merged
    },
    onProgress: () => onProgress?.({ phase: 'merge', done: tokens.length, total: vocabSize }),
    signal,
  })
  onProgress?.({ phase: 'merge', done: tokens.length, total: tokens.length })
  return merges
}

/** Writes the words as ids of their bytes, one after the other. */
function symbolsOf(words: WordCounts, ids: ReadonlyMap<string, number>): SymbolWords {
  const byteIds = Int32Array.from(byteLevelAlphabet(), (char) => ids.get(char)!)
  const starts = new Int32Array(words.size + 1)
  let index = 0
  for (const word of words.words()) {
    starts[index + 1] = starts[index]! + Buffer.byteLength(word)
    index++
  }
  const symbols = new Int32Array(starts[words.size]!)
  let at = 0
  for (const word of words.words()) for (const byte of Buffer.from(word)) symbols[at++] = byteIds[byte]!
  return { symbols, starts, counts: words.counts() }
}
