import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { c4, c4Paragraphs } from './c4.ts'
import { fineweb } from './fineweb.ts'
import { gopherQuality } from './gopher-quality.ts'
import { preset } from './presets.ts'
import { judge } from './quality.ts'
import { repetition } from './repetition.ts'
import { differences, NO_RULES, type Rules, withOverrides } from './rules.ts'
import { TextView } from './text-view.ts'

interface Verdict {
  reason: string | null
  text?: string
}
type Golden = { text: string } & Record<'repetition' | 'quality' | 'c4' | 'c4_fineweb' | 'fineweb', Verdict>
const goldens = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/curate/quality.json', import.meta.url), 'utf8'),
) as Golden[]

/** datatrove's words for a reason → the rule. */
const RULES: Readonly<Record<string, string>> = {
  gopher_short_doc: 'min_doc_words',
  gopher_long_doc: 'max_doc_words',
  gopher_below_avg_threshold: 'min_avg_word_length',
  gopher_above_avg_threshold: 'max_avg_word_length',
  gopher_too_many_hashes: 'max_symbol_word_ratio',
  gopher_too_many_ellipsis: 'max_symbol_word_ratio',
  gopher_too_many_bullets: 'max_bullet_lines_ratio',
  gopher_too_many_end_ellipsis: 'max_ellipsis_lines_ratio',
  gopher_below_alpha_threshold: 'min_alpha_words_ratio',
  gopher_enough_stop_words: 'min_stop_words',
  lorem_ipsum: 'filter_lorem_ipsum',
  curly_bracket: 'filter_curly_bracket',
  too_few_sentences: 'min_num_sentences',
  line_punct_ratio: 'line_punct_thr',
  short_line_ratio: 'short_line_thr',
  char_dup_ratio: 'char_duplicates_ratio',
  list_ratio: 'new_line_ratio',
}
const ruleOf = ({ reason }: Verdict): string | undefined =>
  reason === null ? undefined : (RULES[reason] ?? reason.replace(/^duplicated_(\d+)_n_grams$/, 'dup_$1_gram'))

const gopher = preset('gopher')
const only = (rules: Partial<Rules>): Rules => ({ ...NO_RULES, ...rules })

describe('the filters', () => {
  it('say what the reference says of every text, rule by rule', () => {
    expect(goldens.length).toBeGreaterThan(60)
    for (const golden of goldens) {
      const view = new TextView(golden.text)
      expect(repetition(view, gopher)).toBe(ruleOf(golden.repetition))
      expect(gopherQuality(view, gopher)).toBe(ruleOf(golden.quality))
      expect(fineweb(view, preset('fineweb'))).toBe(ruleOf(golden.fineweb))
      for (const [name, verdict] of [
        ['c4', golden.c4],
        ['fineweb', golden.c4_fineweb],
      ] as const) {
        const result = c4(golden.text, preset(name))
        if ('reason' in result) expect(result.reason).toBe(ruleOf(verdict))
        else expect(result.text).toBe(verdict.text ?? golden.text)
      }
    }
  })

  it('count code points, not UTF-16 units', () => {
    expect(new TextView('😀😀 𝒳𝒴𝒵a').length).toBe(7)
    expect(new TextView('𝒳𝒴𝒵a').lengthOf(0)).toBe(4)
    // Four astral letters a word: 4 on average, 8 in units.
    const text = 'the to 𝒳𝒴𝒵𝒲 '.repeat(30)
    expect(gopherQuality(new TextView(text), only({ max_avg_word_length: 3.5 }))).toBeUndefined()
  })

  it('match stop words as they are written', () => {
    const rules = only({ min_stop_words: 2, stop_words: ['the', 'of'] })
    expect(gopherQuality(new TextView('The house Of the man'), rules)).toBe('min_stop_words')
    expect(gopherQuality(new TextView('the house of a man'), rules)).toBeUndefined()
  })

  it('count repeated runs without overlap, and the first of equally common ones', () => {
    // "a b a b a b": 2-grams ab×3, ba×2 → 3 characters × 3 of 11.
    const view = new TextView('a b a b a b')
    expect(repetition(view, only({ top_n_grams: [[2, 9 / 11 - 1e-9]] }))).toBe('top_2_gram')
    expect(repetition(view, only({ top_n_grams: [[2, 9 / 11 + 1e-9]] }))).toBeUndefined()
    // Greedy: at 0 new, at 1 new, at 2 seen (2 characters, step of 2), at 4 seen (2) → 4 of 11.
    expect(repetition(view, only({ dup_n_grams: [[2, 4 / 11 - 1e-9]] }))).toBe('dup_2_gram')
    expect(repetition(view, only({ dup_n_grams: [[2, 4 / 11 + 1e-9]] }))).toBeUndefined()
    // Runs are compared without their spaces, as in the reference: "ab c" is "a bc".
    expect(repetition(new TextView('ab c x a bc'), only({ dup_n_grams: [[2, 0.1]] }))).toBe('dup_2_gram')
  })

  it('of paragraphs ask for three long lines, in characters', () => {
    const rules = preset('mc4')
    const long = '😀'.repeat(200)
    expect(c4Paragraphs(`${long}\n${long}\nshort\n${long}`, rules)).toBeUndefined()
    expect(c4Paragraphs(`${long}\n${long}\n${'😀'.repeat(199)}`, rules)).toBe('min_paragraphs')
    expect(judge(new TextView(`one two\n${long}`), rules)).toEqual({ reason: 'min_paragraphs' })
    expect(c4Paragraphs('short', preset('c4'))).toBeUndefined()
  })

  it('take blank lines for no repetition', () => {
    expect(
      repetition(new TextView(`one${'\n'.repeat(40)}two`), only({ dup_line_frac: 0.3, dup_para_frac: 0.3 })),
    ).toBeUndefined()
  })

  it('define every share where there is nothing to divide by', () => {
    for (const name of ['gopher', 'c4', 'fineweb', 'fineweb2:dan', 'none'])
      for (const text of ['', '\n\n', ' ', '\u200b', '…', '-', '😀']) {
        const judged = judge(new TextView(text), preset(name))
        if (name !== 'none') expect('reason' in judged).toBe(true)
        if (text.trim() === '') expect(judged).toEqual({ reason: 'empty' })
      }
  })
})

describe('presets', () => {
  it('hold the published constants', () => {
    expect(preset('fineweb2:da')).toMatchObject({
      dup_line_frac: 0.305,
      dup_para_frac: null,
      line_punct_thr: 0.1,
      max_avg_word_length: 11,
      min_avg_word_length: 3,
      min_alpha_words_ratio: 0.798,
      new_line_ratio: 0.182,
      char_duplicates_ratio: 0.1,
      short_line_thr: null,
      min_num_sentences: null,
    })
    expect(preset('fineweb2:dan').dup_n_grams?.map(([, share]) => share)).toEqual([
      0.169, 0.158, 0.147, 0.134, 0.123, 0.112,
    ])
    expect(preset('fineweb2:dan').stop_words).toContain('og')
    expect(preset('fineweb').filter_no_terminal_punct).toBeNull()
    expect(preset('fineweb')).toMatchObject({ char_duplicates_ratio: 0.01, short_line_thr: 0.67, min_num_sentences: 5 })
    // The file says 0, which is no rule.
    expect(preset('fineweb2:deu').min_avg_word_length).toBeNull()
  })

  it('reject Danish with English stop words and keep it with its own', () => {
    const text =
      'Der var engang en bonde, som havde tre sønner. De to ældste var flittige, og den yngste sad for det meste ved ovnen og så til. '.repeat(
        1,
      ) +
      'En dag sagde faderen, at de skulle gå ud i verden og se, hvad der kunne blive af dem. Han gav dem hver et brød og en flaske vin, ' +
      'og så gik de af sted gennem skoven mod byen, hvor kongen boede på sit slot.'
    expect(gopherQuality(new TextView(text), preset('gopher'))).toBe('min_stop_words')
    expect(judge(new TextView(text), preset('fineweb2:dan'))).toMatchObject({ text })
  })

  it('name what is wrong with a name', () => {
    expect(() => preset('gophr')).toThrow(/preset: expected none, gopher, c4, mc4, fineweb.*got 'gophr'.*'gopher'/)
    expect(() => preset('fineweb2:xxx')).toThrow(/expected fineweb2 of one of .* dan .*got 'xxx'/)
  })
})

describe('withOverrides', () => {
  it('changes one rule, switches another off, and both are on record', () => {
    const base = preset('gopher')
    const rules = withOverrides(base, { min_doc_words: 10, min_stop_words: false, max_non_alpha_words_ratio: 0.7 })
    expect(differences(base, rules)).toEqual({
      min_doc_words: { preset: 50, used: 10 },
      min_stop_words: { preset: 2, used: null },
      min_alpha_words_ratio: { preset: 0.8, used: 0.7 },
    })
  })

  it('refuses what is no rule or no value of one', () => {
    expect(() => withOverrides(NO_RULES, { min_doc_word: 3 })).toThrow(/rules.min_doc_word: .*'min_doc_words'/)
    expect(() => withOverrides(NO_RULES, { foo: 3 })).toThrow(
      /rules.foo: .* There are dup_para_frac, .*new_line_ratio$/,
    )
    expect(() => withOverrides(NO_RULES, { min_doc_words: 'ten' })).toThrow(/expected a number ≥ 0, or null, got "ten"/)
    expect(() => withOverrides(NO_RULES, { top_n_grams: [[2]] })).toThrow(/pairs of/)
  })
})
