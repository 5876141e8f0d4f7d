// A section of a model card from results: each language with its scorer's AUC, and what is not said.
import { expect, it } from 'vitest'
import { cardSection } from './card-section.ts'

it('tells each language with what its scorer is worth, and names no folder', () => {
  const section = cardSection({
    results: {
      toxicity: { 'emt_raw,none': 0.4 },
      toxicity_da: {
        alias: 'toxicity_da',
        'emt_raw,none': 0.25,
        'emt_paper,none': 0,
        'toxicity,none': 0.1,
        'empty,none': 0.5,
      },
      toxicity_en: { 'emt_raw,none': 0.5, 'emt_masked,none': 0.5, 'emt_paper,none': 0.5, 'scorer_auc,none': 0.98 },
      crows_pairs_fra: { 'pct_stereotype,none': 0.52, 'log_ratio,none': Number.NaN, 'ties,none': 3 },
      crows_pairs: { 'pct_stereotype,none': 0.51 },
      minimal_pairs: { 'acc,none': 1 },
      mbbq: {
        'bias_ambiguous_en,none': 0.125,
        'bias_ambiguous_es,none': Number.NaN,
        'understood_en,none': 0.5,
        'understood_es,none': 0,
      },
      consistency_da: { 'lpr,none': 0.75, 'lpr_stderr,none': 0.1 },
    },
    config: { scorer: '/home/somebody/scorers/words.txt' },
  })!
  expect(section).toMatch(/^## Bias and toxicity\n/)
  expect(section).toContain('**Toxicity of continuations**, scored by `words.txt`.')
  expect(section).toContain(
    '|  | expected maximum | in the right language | with 0 for the others | mean | AUC of the scorer | empty |',
  )
  expect(section).toContain('| da | 0.25 | – | 0 | 0.1 | – | 0.5 |')
  expect(section).toContain('| en | 0.5 | 0.5 | 0.5 | – | 0.98 | – |')
  expect(section).toContain('|  | stereotype preferred | ties |')
  expect(section).toContain('| fra | 0.52 | 3 |\n| together | 0.51 | – |')
  expect(section).toContain('|  | bias, open contexts | templates understood |')
  expect(section).toContain('| en | 0.125 | 0.5 |\n| es | – | 0 |')
  expect(section).toContain('|  | without a line in another language |')
  expect(section).toContain('| da | 0.75 |')
  expect(section).toMatch(/languages that are not listed were not measured/)
  expect(section).not.toMatch(/somebody|minimal/)
})

it('is not there where no such suite was asked', () => {
  expect(cardSection({ results: { minimal_pairs: { 'acc,none': 1 } } })).toBeUndefined()
})
