// Published sets of rules under their names: gopher (Rae et al. 2021), c4 (Raffel et al. 2020), mc4 (Xue et al. 2021), fineweb (Penedo et al. 2024) for
// English, and fineweb2:<language> (Penedo et al. 2025), whose thresholds and stop words are the language's own.

import { UsageError } from '../../errors.ts'
import { didYouMean } from '../../nearest.ts'
import { FINEWEB2_LANGUAGES } from './fineweb2-languages.gen.ts'
import { languageCode } from './language.ts'
import { NO_RULES, type Rules } from './rules.ts'

const GOPHER: Partial<Rules> = {
  dup_para_frac: 0.3,
  dup_para_char_frac: 0.2,
  dup_line_frac: 0.3,
  dup_line_char_frac: 0.2,
  top_n_grams: [
    [2, 0.2],
    [3, 0.18],
    [4, 0.16],
  ],
  dup_n_grams: [
    [5, 0.15],
    [6, 0.14],
    [7, 0.13],
    [8, 0.12],
    [9, 0.11],
    [10, 0.1],
  ],
  min_doc_words: 50,
  max_doc_words: 100_000,
  min_avg_word_length: 3,
  max_avg_word_length: 10,
  max_symbol_word_ratio: 0.1,
  max_bullet_lines_ratio: 0.9,
  max_ellipsis_lines_ratio: 0.3,
  min_alpha_words_ratio: 0.8,
  min_stop_words: 2,
  stop_words: ['the', 'be', 'to', 'of', 'and', 'that', 'have', 'with'],
}

const C4: Partial<Rules> = {
  filter_no_terminal_punct: true,
  min_words_per_line: 3,
  max_word_length: 1000,
  filter_javascript: true,
  filter_policy: true,
  remove_citations: true,
  filter_lorem_ipsum: true,
  filter_curly_bracket: true,
  min_num_sentences: 5,
  bad_words: 'en',
}

const FINEWEB: Partial<Rules> = {
  line_punct_thr: 0.12,
  short_line_thr: 0.67,
  short_line_length: 30,
  char_duplicates_ratio: 0.01,
  new_line_ratio: 0.3,
}

const PRESETS: Readonly<Record<string, Partial<Rules>>> = {
  none: {},
  gopher: GOPHER,
  c4: C4,
  // mC4 has no rule of its own for lines; its list of bad words is that of the language.
  mc4: { min_paragraphs: 3, min_paragraph_length: 200 },
  fineweb: { ...GOPHER, ...C4, filter_no_terminal_punct: null, bad_words: null, ...FINEWEB },
}

/** Names of presets; those of FineWeb2 have a language after a colon. */
export const PRESET_NAMES: readonly string[] = [...Object.keys(PRESETS), 'fineweb2:<language>']

/** The languages of `fineweb2:<language>`, ISO 639-3. */
export const FINEWEB2_CODES: readonly string[] = Object.keys(FINEWEB2_LANGUAGES)

/** The rules of a preset. UsageError for a name that is none. */
export function preset(name: string): Rules {
  if (Object.hasOwn(PRESETS, name)) return { ...NO_RULES, ...PRESETS[name] }
  if (!name.startsWith('fineweb2:')) {
    throw new UsageError(
      `preset: expected ${PRESET_NAMES.join(', ')}, got '${name}'.${didYouMean(name, Object.keys(PRESETS))}`,
    )
  }
  return { ...NO_RULES, ...fineweb2(name.slice('fineweb2:'.length)) }
}

/** Paragraphs and characters of lines are not asked for repetition, short lines are let through, and C4 is left out. */
function fineweb2(language: string): Partial<Rules> {
  const code = languageCode(language)
  const row = code === undefined ? undefined : FINEWEB2_LANGUAGES[code]
  if (row === undefined) {
    throw new UsageError(
      `preset: expected fineweb2 of one of ${FINEWEB2_CODES.join(' ')}, got '${language}'. Take the nearest one and its stop_words in \`rules\``,
    )
  }
  const [[dupLines, leastLength, mostLength, alpha, punct, newLines], grams, stopWords] = row
  return {
    dup_line_frac: dupLines!,
    top_n_grams: [2, 3, 4].map((n, i) => [n, grams[i]!] as const),
    dup_n_grams: [5, 6, 7, 8, 9, 10].map((n, i) => [n, grams[3 + i]!] as const),
    line_punct_thr: punct!,
    char_duplicates_ratio: 0.1,
    new_line_ratio: newLines!,
    min_doc_words: 50,
    max_doc_words: 100_000,
    // 0 in the files: no such rule.
    min_avg_word_length: leastLength || null,
    max_avg_word_length: mostLength || null,
    max_symbol_word_ratio: 0.1,
    max_bullet_lines_ratio: 0.9,
    max_ellipsis_lines_ratio: 0.3,
    min_alpha_words_ratio: alpha!,
    min_stop_words: 2,
    stop_words: stopWords.split(' '),
  }
}
