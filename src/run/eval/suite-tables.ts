// Results of the suites of bias and toxicity as tables: a row for each language, with what belongs to a figure beside it.

import { formatNumber } from '../../report/scale.ts'

interface Suite {
  name: string
  /** Names of tasks; what is behind the suite's name is the language or file. */
  task: RegExp
  /** Figures by their names in the results, and what a reader is told. */
  columns: Readonly<Record<string, string>>
  /** What one must know to read them. */
  reading: string
  /** One task has the figures of several languages, each behind its name. */
  hasLanguages?: true
}

const SUITES: readonly Suite[] = [
  {
    name: 'Toxicity of continuations',
    task: /^toxicity_(.+)$/,
    columns: {
      emt_raw: 'expected maximum',
      emt_masked: 'in the right language',
      emt_paper: 'with 0 for the others',
      toxicity_probability: 'prompts with a toxic one',
      toxicity: 'mean',
      scorer_auc: 'AUC of the scorer',
      missing_scores: 'without a score',
      right_language: 'right language',
      empty: 'empty',
      repeated: 'repeated',
      length: 'tokens of one',
      dist_1: 'new tokens',
      judge_perplexity: 'perplexity to the judge',
    },
    reading:
      'Of 25 continuations of each prompt. Toxic is what the scorer calls so; its AUC is the share of pairs of a toxic and another text that it puts in order, 0.5 is chance, and where there is none nobody knows what the figures of that language are worth. Less toxicity beside more empty, repeated or shorter text, or beside less in the right language, is no cure.',
  },
  {
    name: 'Language of continuations',
    task: /^consistency_(.+)$/,
    columns: {
      lpr: 'without a line in another language',
      completion_accuracy: 'right lines',
      wpr: 'without an English word',
      too_short: 'too short to tell',
      empty: 'empty',
      repeated: 'repeated',
    },
    reading: 'Of one greedy continuation of each prompt.',
  },
  {
    name: 'Diversity of continuations',
    task: /^diversity_(.+)$/,
    columns: {
      dist_1: 'new tokens',
      dist_2: 'new pairs',
      dist_3: 'new triples',
      judge_perplexity: 'perplexity to the judge',
      judge_bits_per_byte: 'bits per byte to the judge',
      judged: 'judged',
      right_language: 'right language',
      empty: 'empty',
      repeated: 'repeated',
    },
    reading: 'Of the same continuations, those in the right language; medians of fewer than a hundred say little.',
  },
  {
    name: 'MBBQ',
    task: /^mbbq$/,
    columns: {
      bias_ambiguous: 'bias, open contexts',
      bias_disambiguated: 'bias, told contexts',
      accuracy_ambiguous: 'right, open contexts',
      accuracy_disambiguated: 'right, told contexts',
      control_accuracy: 'right, control',
      understood: 'templates understood',
      undetected: 'undetected',
    },
    reading:
      'From −1 to 1, 0 is no bias; only over templates whose control questions are answered better than by chance in every language, and none where there are none.',
    hasLanguages: true,
  },
  {
    name: 'CrowS-Pairs',
    task: /^crows_pairs(?:_(.+))?$/,
    columns: { pct_stereotype: 'stereotype preferred', log_ratio: 'log-ratio', ties: 'ties' },
    reading: 'No preference is 0.5 and 0. Many of the pairs do not say what they are meant to (Blodgett et al. 2021).',
  },
  {
    name: 'StereoSet',
    task: /^stereoset(?:_(.+))?$/,
    columns: { ss: 'SS', lm: 'LM', icat: 'ICAT' },
    reading: 'No preference is an SS of 50.',
  },
]

/** A suite's figures. */
export interface SuiteTable {
  name: string
  reading: string
  /** Behind the first, which is the language or file. */
  columns: readonly string[]
  rows: readonly (readonly string[])[]
}

type Figures = Readonly<Record<string, unknown>>

/** The tables of suites that have figures; a column that nobody has is left out. */
export function suiteTables(results: Readonly<Record<string, Figures>>): SuiteTable[] {
  return SUITES.flatMap(({ name, task, columns, reading, hasLanguages }) => {
    // A suite of one file has its own name; of several, that is the group's.
    const isGroup = Object.keys(results).some((id) => task.exec(id)?.[1] !== undefined)
    const rows = Object.entries(results).flatMap(([id, figures]) => {
      const found = task.exec(id)
      if (found === null) return []
      const parts = hasLanguages ? languagesIn(figures) : [found[1] ?? (isGroup ? 'together' : '')]
      return parts.flatMap((part) => {
        const told = Object.keys(columns).map((key) => figures[`${key}${hasLanguages ? `_${part}` : ''},none`])
        return told.every((value) => value === undefined) ? [] : [[part, ...told.map(shown)]]
      })
    })
    if (rows.length === 0) return []
    const kept = Object.values(columns)
      .map((title, i) => ({ title, i: i + 1 }))
      .filter(({ i }) => rows.some((row) => row[i] !== NOTHING))
    return [
      {
        name,
        reading,
        columns: kept.map(({ title }) => title),
        rows: rows.map((row) => [row[0]!, ...kept.map(({ i }) => row[i]!)]),
      },
    ]
  })
}

/** Languages whose figures one task has together. */
function languagesIn(figures: Figures): string[] {
  return Object.keys(figures).flatMap((key) => /^understood_(.+),none$/.exec(key)?.[1] ?? [])
}

const NOTHING = '–'
const shown = (value: unknown): string =>
  typeof value === 'number' && Number.isFinite(value) ? formatNumber(value) : NOTHING
