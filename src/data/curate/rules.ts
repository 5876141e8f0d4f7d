// The rules of quality by name, as published filters have them, and what values they take. A rule that is null is off.

import { UsageError } from '../../errors.ts'
import { didYouMean } from '../../nearest.ts'
import { BAD_WORD_LANGUAGES } from './bad-words.ts'

/** Shares for runs of so many words. */
export type NgramLimits = readonly (readonly [n: number, share: number])[]

/** Every rule. Shares are of 1, lengths in characters (code points), limits belong to what is kept. */
export interface Rules {
  /** Repetition (Gopher, Rae et al. 2021, table A1): the most that may be repeated. */
  dup_para_frac: number | null
  dup_para_char_frac: number | null
  dup_line_frac: number | null
  dup_line_char_frac: number | null
  /** The commonest run of n words takes at most this share of the characters. */
  top_n_grams: NgramLimits | null
  /** Runs of n words that came before take at most this share of the characters. */
  dup_n_grams: NgramLimits | null
  /** Quality (Gopher). Words that are more than punctuation. */
  min_doc_words: number | null
  max_doc_words: number | null
  min_avg_word_length: number | null
  max_avg_word_length: number | null
  /** `#`, and ellipses, for each word. */
  max_symbol_word_ratio: number | null
  max_bullet_lines_ratio: number | null
  max_ellipsis_lines_ratio: number | null
  /** The least share of words with a letter (`max_non_alpha_words_ratio` elsewhere, though it is a least share). */
  min_alpha_words_ratio: number | null
  /** The least number of different stop words, matched as they are written. */
  min_stop_words: number | null
  stop_words: readonly string[] | null
  /** C4 (Raffel et al. 2020): lines that go. */
  filter_no_terminal_punct: boolean | null
  min_words_per_line: number | null
  max_word_length: number | null
  filter_javascript: boolean | null
  filter_policy: boolean | null
  remove_citations: boolean | null
  /** C4: documents that go. */
  filter_lorem_ipsum: boolean | null
  filter_curly_bracket: boolean | null
  min_num_sentences: number | null
  /** C4: documents with a word of the list of a language, by its code, or with one of these words. */
  bad_words: string | readonly string[] | null
  /** mC4 (Xue et al. 2021): the least number of lines of at least `min_paragraph_length` characters. */
  min_paragraphs: number | null
  min_paragraph_length: number | null
  /** FineWeb (Penedo et al. 2024): the least share of lines that end as sentences do. */
  line_punct_thr: number | null
  /** A text in which no line ends so is kept all the same. */
  line_punct_exclude_zero: boolean | null
  /** The most lines of at most `short_line_length` characters. */
  short_line_thr: number | null
  short_line_length: number | null
  char_duplicates_ratio: number | null
  /** The most line ends for each word. */
  new_line_ratio: number | null
}

/** No rule at all. */
export const NO_RULES: Rules = {
  dup_para_frac: null,
  dup_para_char_frac: null,
  dup_line_frac: null,
  dup_line_char_frac: null,
  top_n_grams: null,
  dup_n_grams: null,
  min_doc_words: null,
  max_doc_words: null,
  min_avg_word_length: null,
  max_avg_word_length: null,
  max_symbol_word_ratio: null,
  max_bullet_lines_ratio: null,
  max_ellipsis_lines_ratio: null,
  min_alpha_words_ratio: null,
  min_stop_words: null,
  stop_words: null,
  filter_no_terminal_punct: null,
  min_words_per_line: null,
  max_word_length: null,
  filter_javascript: null,
  filter_policy: null,
  remove_citations: null,
  filter_lorem_ipsum: null,
  filter_curly_bracket: null,
  min_num_sentences: null,
  bad_words: null,
  min_paragraphs: null,
  min_paragraph_length: null,
  line_punct_thr: null,
  line_punct_exclude_zero: null,
  short_line_thr: null,
  short_line_length: null,
  char_duplicates_ratio: null,
  new_line_ratio: null,
}

const FLAGS: ReadonlySet<string> = new Set([
  'filter_no_terminal_punct',
  'filter_javascript',
  'filter_policy',
  'remove_citations',
  'filter_lorem_ipsum',
  'filter_curly_bracket',
  'line_punct_exclude_zero',
])
const LISTS = `a list of words, one of ${BAD_WORD_LANGUAGES.join(' ')}, or null`
const NGRAMS: ReadonlySet<string> = new Set(['top_n_grams', 'dup_n_grams'])
/** Names that others use. */
const ALIASES: Readonly<Record<string, keyof Rules>> = {
  max_non_alpha_words_ratio: 'min_alpha_words_ratio',
  short_line_threshold: 'short_line_thr',
}

/** `base` with what was asked for in its place; `null` or `false` switches a rule off. UsageError for a name or value that is none. */
export function withOverrides(base: Rules, overrides: Readonly<Record<string, unknown>>): Rules {
  const rules: Record<string, unknown> = { ...base }
  for (const [given, value] of Object.entries(overrides)) {
    const name = ALIASES[given] ?? given
    if (!Object.hasOwn(NO_RULES, name)) {
      const meant =
        didYouMean(given, [...Object.keys(NO_RULES), ...Object.keys(ALIASES)]) ||
        ` There are ${Object.keys(NO_RULES).join(', ')}`
      throw new UsageError(`rules.${given}: expected the name of a rule, got '${given}'.${meant}`)
    }
    rules[name] = checked(name, value)
  }
  return rules as unknown as Rules
}

function checked(name: string, value: unknown): unknown {
  if (value === null) return null
  const refuse = (expected: string): never => {
    throw new UsageError(`rules.${name}: expected ${expected}, got ${JSON.stringify(value)}`)
  }
  if (FLAGS.has(name)) return typeof value === 'boolean' ? value || null : refuse('true, false or null')
  if (value === false) return null
  if (name === 'stop_words') {
    const words = typeof value === 'string' ? value.split(/\s+/).filter(Boolean) : value
    const isList = Array.isArray(words) && words.every((word) => typeof word === 'string' && word !== '')
    return isList ? words : refuse('a list of words, or null')
  }
  if (name === 'bad_words') {
    if (typeof value === 'string') return BAD_WORD_LANGUAGES.includes(value) ? value : refuse(LISTS)
    const isList = Array.isArray(value) && value.every((word) => typeof word === 'string')
    return isList ? value : refuse(LISTS)
  }
  if (NGRAMS.has(name)) {
    const isList =
      Array.isArray(value) &&
      value.every(
        (pair) => Array.isArray(pair) && pair.length === 2 && Number.isInteger(pair[0]) && pair[0] >= 1 && pair[1] >= 0,
      )
    return isList ? value : refuse('pairs of a number of words and a share, such as [[2, 0.2]], or null')
  }
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : refuse('a number ≥ 0, or null')
}

/** The rules in which two sets differ, for a record: `name` → what holds and what held. */
export function differences(base: Rules, rules: Rules): Record<string, { preset: unknown; used: unknown }> {
  const found: Record<string, { preset: unknown; used: unknown }> = {}
  for (const name of Object.keys(NO_RULES) as (keyof Rules)[])
    if (JSON.stringify(base[name]) !== JSON.stringify(rules[name]))
      found[name] = { preset: base[name], used: rules[name] }
  return found
}
