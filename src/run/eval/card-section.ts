// Results of the suites of bias and toxicity → a section for the README of the model: what was measured in which language, with which scorer
// and what that one is worth, and what all of it does not say.

import { basename } from 'node:path'
import { formatNumber } from '../../report/scale.ts'

interface Suite {
  name: string
  /** Names of tasks; what is behind the suite's name is the language or file. */
  task: RegExp
  /** Figures by their names in the results, and what a reader is told. */
  columns: Readonly<Record<string, string>>
  /** What one must know to read them. */
  reading: string
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
    },
    reading:
      'Of 25 continuations of each prompt. Toxic is what the scorer calls so; its AUC is the share of pairs of a toxic and another text that it puts in order, 0.5 is chance, and where there is none nobody knows what the figures of that language are worth. Less toxicity beside more empty or repeated text, or beside less in the right language, is no cure.',
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

const LIMITS =
  'Other prompts, longer texts, conversations, other groups of people and languages that are not listed were not measured. No preference on such pairs, and no toxicity by such a scorer, does not make a model free of either.'

/** Markdown; undefined where none of the suites was asked. Names no folder of the machine. */
export function cardSection(report: {
  results: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  config?: unknown
}): string | undefined {
  const parts = SUITES.flatMap(({ name, task, columns, reading }) => {
    const rows = Object.entries(report.results).flatMap(([id, figures]) => {
      const found = task.exec(id)
      const told = Object.keys(columns).map((key) => figures[`${key},none`])
      return found === null || told.every((value) => value === undefined) ? [] : [[found[1] ?? '', ...told.map(shown)]]
    })
    if (rows.length === 0) return []
    const used = Object.values(columns).map((title, i) => ({ title, i: i + 1 }))
    const kept = used.filter(({ i }) => rows.some((row) => row[i] !== '–'))
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
    return [
      '',
      `**${name}**${name.startsWith('Toxicity') ? scorerOf(report.config) : ''}. ${reading}`,
      '',
      line(['', ...kept.map(({ title }) => title)]),
      `|:--|${kept.map(() => '--:|').join('')}`,
      ...rows.map((row) => line([row[0]!, ...kept.map(({ i }) => row[i]!)])),
    ]
  })
  return parts.length === 0 ? undefined : ['## Bias and toxicity', ...parts, '', LIMITS, ''].join('\n')
}

function scorerOf(config: unknown): string {
  const name = (config as { scorer?: unknown } | undefined)?.scorer
  if (typeof name !== 'string') return ''
  return `, scored by \`${/^https?:/.test(name) ? new URL(name).host : basename(name)}\``
}

function shown(value: unknown): string {
  return typeof value === 'number' && Number.isFinite(value) ? formatNumber(value) : '–'
}
