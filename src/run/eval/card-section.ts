// Results of the suites of bias and toxicity → a section for the README of the model: what was measured in which language, with which scorer
// and what that one is worth, and what all of it does not say.

import { basename } from 'node:path'
import { suiteTables } from './suite-tables.ts'

const LIMITS =
  'Other prompts, longer texts, conversations, other groups of people and languages that are not listed were not measured. No preference on such pairs, and no toxicity by such a scorer, does not make a model free of either.'

/** Markdown; undefined where none of the suites was asked. Names no folder of the machine. */
export function cardSection(report: {
  results: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  config?: unknown
}): string | undefined {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const parts = suiteTables(report.results).flatMap(({ name, reading, columns, rows }) => [
    '',
    `**${name}**${name.startsWith('Toxicity') ? scorerOf(report.config) : ''}. ${reading}`,
    '',
    line(['', ...columns]),
    `|:--|${columns.map(() => '--:|').join('')}`,
    ...rows.map(line),
  ])
  return parts.length === 0 ? undefined : ['## Bias and toxicity', ...parts, '', LIMITS, ''].join('\n')
}

function scorerOf(config: unknown): string {
  const name = (config as { scorer?: unknown } | undefined)?.scorer
  if (typeof name !== 'string') return ''
  return `, scored by \`${/^https?:/.test(name) ? new URL(name).host : basename(name)}\``
}
