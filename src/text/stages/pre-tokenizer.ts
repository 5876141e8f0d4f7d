// Cuts normalized text into the words within which BPE may merge. Compiled once from the `pre_tokenizer` field of a
// tokenizer.json to a chain of callbacks, so that a document is never held as an array of words.

import { TokenizerError } from '../../errors.ts'
import { toByteLevel } from './byte-level.ts'
import { RUST_PUNCTUATION } from './rust-tables.ts'
import { compileSplitPattern, RUST_WORD } from './split-pattern.ts'
import { nestedStages, type StageConfig, show, textField, unknownStage } from './stage-config.ts'

/** Calls `emit` once per word, in order; `isFirst` tells whether `text` begins the input. */
export type WordSplitter = (text: string, isFirst: boolean, emit: WordSink) => void

type WordSink = (word: string, isFirst: boolean) => void

/** A compiled pre-tokenizer. */
export interface PreTokenizer {
  readonly split: WordSplitter
  /** True if words are plain text whose UTF-8 bytes are the symbols: the byte-level mapping is left to the model. */
  readonly isByteLevel: boolean
}

/** GPT-2's pattern, which the ByteLevel stage has built in. */
export const GPT2_PATTERN: string = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

type Behavior = 'removed' | 'isolated' | 'mergedwithprevious' | 'mergedwithnext' | 'contiguous'

const RUST_WORDS = new RegExp(`[${RUST_WORD}]+|[^${RUST_WORD}\\p{White_Space}]+`, 'gu')
const whole: WordSplitter = (text, isFirst, emit) => emit(text, isFirst)

/** Compiles a `pre_tokenizer`; null gives one word per text. `where` names the field in messages. */
export function compilePreTokenizer(config: StageConfig | null, where: string): PreTokenizer {
  const stages = flatten(config, where, 0)
  const last = stages.at(-1)
  const isByteLevel = last?.[0].type === 'ByteLevel'
  const splitters = stages.map(([stage, path]) => {
    const splitter = compileStage(stage, path)
    // In the middle of a chain (Falcon) later stages see mapped characters, so the mapping cannot wait.
    if (stage.type !== 'ByteLevel' || stage === last?.[0]) return splitter
    return chain(splitter, (text, isFirst, emit) => emit(toByteLevel(text), isFirst))
  })
  return { split: splitters.reduce(chain, whole), isByteLevel }
}

function flatten(config: StageConfig | null, where: string, depth: number): [StageConfig, string][] {
  if (config === null || config === undefined) return []
  if (config.type !== 'Sequence') return [[config, where]]
  return nestedStages(config.pretokenizers, where, depth).flatMap(([stage, path]) => flatten(stage, path, depth + 1))
}

function chain(first: WordSplitter, second: WordSplitter): WordSplitter {
  if (first === whole) return second
  return (text, isFirst, emit) => first(text, isFirst, (word, isFirstWord) => second(word, isFirstWord, emit))
}

function compileStage(config: StageConfig, where: string): WordSplitter {
  switch (config.type) {
    case 'ByteLevel': {
      const split = config.use_regex === false ? whole : by(GPT2_PATTERN, 'isolated', where)
      if (config.add_prefix_space !== true) return split
      return (text, isFirst, emit) => split(text.startsWith(' ') ? text : ` ${text}`, isFirst, emit)
    }
    case 'Split': {
      const pattern = compileSplitPattern(config.pattern, `${where}.pattern`)
      const behavior = textField(config, 'behavior', 'isolated', where).toLowerCase()
      return bySplit(pattern, behavior as Behavior, config.invert === true, where, config)
    }
    case 'Digits':
      return by(config.individual_digits === true ? String.raw`\p{N}` : String.raw`\p{N}+`, 'isolated', where)
    case 'Punctuation':
      return byPunctuation(textField(config, 'behavior', 'isolated', where).toLowerCase() as Behavior, where, config)
    case 'Whitespace':
      return bySplit(RUST_WORDS, 'removed', true, where, config)
    case 'WhitespaceSplit':
      return by(String.raw`\s+`, 'removed', where)
    case 'BertPreTokenizer':
      return chain(by(String.raw`\s+`, 'removed', where), byPunctuation('isolated', where, config))
    case 'Metaspace':
      return metaspace(config, where)
    case 'CharDelimiterSplit': {
      const pattern = compileSplitPattern({ String: config.delimiter }, `${where}.delimiter`)
      return bySplit(pattern, 'removed', false, where, config)
    }
    case 'FixedLength':
      return fixedLength(config, where)
    default:
      throw unknownStage('pre-tokenizer', where, config)
  }
}

function byPunctuation(behavior: Behavior, where: string, config: StageConfig): WordSplitter {
  return bySplit(new RegExp(RUST_PUNCTUATION, 'gu'), behavior, false, where, config)
}

function by(source: string, behavior: Behavior, where: string, invert = false): WordSplitter {
  return bySplit(compileSplitPattern({ Regex: source }, where), behavior, invert, where, { type: 'Split' })
}

/** Splits at the matches of a pattern; `invert` splits at what is between them instead. */
function bySplit(
  pattern: RegExp,
  behavior: Behavior,
  invert: boolean,
  where: string,
  config: StageConfig,
): WordSplitter {
  switch (behavior) {
    case 'isolated':
      return (text, isFirst, emit) =>
        forEachPart(pattern, text, (start, end) => emit(text.slice(start, end), isFirst && start === 0))
    case 'removed':
      return (text, isFirst, emit) =>
        forEachPart(pattern, text, (start, end, isMatch) => {
          if (isMatch === invert) emit(text.slice(start, end), isFirst && start === 0)
        })
    case 'mergedwithprevious':
    case 'mergedwithnext':
    case 'contiguous':
      return (text, isFirst, emit) => {
        let wordStart = 0
        let previous: boolean | undefined
        forEachPart(pattern, text, (start, _end, isMatch) => {
          const isDelimiter = isMatch !== invert
          if (previous !== undefined && isCut(behavior, previous, isDelimiter)) {
            emit(text.slice(wordStart, start), isFirst && wordStart === 0)
            wordStart = start
          }
          previous = isDelimiter
        })
        if (previous !== undefined) emit(text.slice(wordStart), isFirst && wordStart === 0)
      }
    default:
      throw unknownStage('behavior of a Split', `${where}.behavior`, config)
  }
}

/** Whether a word ends between two neighbouring parts, given which of them are delimiters. */
function isCut(behavior: Behavior, isDelimiter: boolean, isNextDelimiter: boolean): boolean {
  if (behavior === 'contiguous') return isDelimiter !== isNextDelimiter
  return behavior === 'mergedwithprevious' ? isDelimiter : isNextDelimiter
}

/** Calls `visit` for every match and every gap between matches, in order. */
function forEachPart(
  pattern: RegExp,
  text: string,
  visit: (start: number, end: number, isMatch: boolean) => void,
): void {
  let end = 0
  pattern.lastIndex = 0
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    if (match.index > end) visit(end, match.index, false)
    end = match.index + match[0].length
    visit(match.index, end, true)
    // `visit` may have run this pattern on another text.
    pattern.lastIndex = end
  }
  if (end < text.length) visit(end, text.length, false)
}

/** Pieces of so many characters; the last one may be shorter. */
function fixedLength(config: StageConfig, where: string): WordSplitter {
  const length = config.length ?? 5
  if (!Number.isSafeInteger(length) || (length as number) < 1) {
    throw new TokenizerError(
      `bad field in ${where}.length: expected a whole number of at least 1, got ${show(length)}. Get the file again`,
    )
  }
  return (text, isFirst, emit) => {
    let start = 0
    let characters = 0
    for (let at = 0; at < text.length; ) {
      at += text.codePointAt(at)! > 0xffff ? 2 : 1
      characters++
      if (characters < (length as number) && at < text.length) continue
      emit(text.slice(start, at), isFirst && start === 0)
      start = at
      characters = 0
    }
  }
}

/** SentencePiece's view: spaces become `▁`, one is put in front, and words begin at a `▁`. */
function metaspace(config: StageConfig, where: string): WordSplitter {
  const replacement = textField(config, 'replacement', '▁', where)
  const scheme = config.prepend_scheme ?? (config.add_prefix_space === false ? 'never' : 'always')
  const mark: WordSplitter = (text, isFirst, emit) => {
    const marked = text.replaceAll(' ', replacement)
    const isPrefixed = (scheme === 'always' || (scheme === 'first' && isFirst)) && !marked.startsWith(replacement)
    emit(isPrefixed ? replacement + marked : marked, isFirst)
  }
  if (config.split === false) return mark
  const cut = bySplit(
    compileSplitPattern({ String: replacement }, `${where}.replacement`),
    'mergedwithnext',
    false,
    'Metaspace',
    config,
  )
  return chain(mark, cut)
}
