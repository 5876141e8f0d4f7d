// Where rows come from: who made them by which recipe out of what, for programs (lineage.json) and for people (README.md, the card).

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { hashText } from '../files/hash.ts'
import { readJsonFile } from '../files/read-json.ts'
import { VERSION } from '../version.ts'
import { CALLS } from './ledger.ts'
import { hashesOfRows, REJECTS, ROWS } from './row-files.ts'
import type { ScrubCounts } from './scrub.ts'
import type { SynthesisReport } from './synthesis-report.ts'
import type { SynthesisSetup } from './synthesis-setup.ts'

/** A file that seeds came from. */
export interface SeedFile {
  readonly path: string
  readonly sha256: string
}

/** What is told of a set of rows. */
export interface Lineage {
  readonly anneal: string
  readonly recipe: { readonly name: string; readonly sha256: string }
  readonly teacher: Readonly<Record<string, unknown>> & { readonly licence: string }
  readonly seed: number
  readonly seeds: SynthesisSetup['seeds'] & { readonly files: readonly SeedFile[] }
  /** Of the first call and the last. */
  readonly began: string | null
  readonly ended: string | null
  readonly isComplete: boolean
  /** `marks`: beginnings of the hashes of the first `every`, 2 · `every`, … rows. */
  readonly rows: {
    readonly count: number
    readonly sha256: string | null
    readonly every: number
    readonly marks: readonly string[]
  }
  readonly rejected: number
  readonly refused: number
  readonly calls: number
  readonly promptTokens: number
  readonly completionTokens: number
  readonly cost: number | null
  /** What was replaced in seeds, and what stands replaced in rows; null where nobody looked. */
  readonly scrubbed: { readonly seeds: ScrubCounts | null; readonly rows: ScrubCounts | null }
}

const LINEAGE = 'lineage.json'

/** So many hashes are kept of the rows, at even distances. */
const MARKS = 64

/**
 * Checks rows against what a run before told of them: a row that was taken out or put in would leave all behind it to other seeds, and one
 * that was changed is none of the teacher's. Rows that are missing at the end are made again. InputError.
 */
export function checkMade(directory: string): void {
  const file = join(directory, LINEAGE)
  if (!existsSync(file)) return
  const { every, marks } = ((readJsonFile(file) ?? {}) as Partial<Lineage>).rows ?? {}
  if (!Number.isSafeInteger(every) || every! < 1 || !Array.isArray(marks)) return // of another version
  const at = hashesOfRows(directory, every!).marks.findIndex((hash, i) => i < marks.length && hash !== marks[i])
  if (at === -1) return
  throw new InputError(
    `${join(directory, ROWS)}: expected the rows that were made, got another one among rows ${at * every! + 1} to ${(at + 1) * every!}. Restore it, or remove it and ${REJECTS}: rows are made again from ${CALLS}`,
  )
}

/** Writes both files. */
export function writeLineage(
  directory: string,
  {
    setup,
    report,
    licence = 'unknown',
    files = [],
    began,
    ended,
    isComplete,
    scrubbed,
  }: {
    setup: SynthesisSetup
    report: SynthesisReport
    licence?: string | undefined
    files?: readonly SeedFile[] | undefined
    /** Milliseconds since 1970. */
    began: number
    ended: number
    isComplete: boolean
    scrubbed: Lineage['scrubbed']
  },
): Lineage {
  const date = (time: number): string | null => (Number.isFinite(time) ? new Date(time).toISOString() : null)
  const every = Math.max(1, Math.ceil(report.rows / MARKS))
  const { marks, sha256 } = hashesOfRows(directory, every)
  const lineage: Lineage = {
    anneal: VERSION,
    recipe: { name: setup.recipe.name, sha256: hashText(JSON.stringify(setup.recipe.setup)) },
    teacher: { ...setup.teacher, licence },
    seed: setup.seed,
    seeds: { ...setup.seeds, files },
    began: date(began),
    ended: date(ended),
    isComplete,
    rows: {
      count: report.rows,
      sha256: report.rows === 0 ? null : sha256,
      every,
      marks,
    },
    rejected: report.rejected,
    refused: report.refused,
    calls: report.calls,
    promptTokens: report.promptTokens,
    completionTokens: report.completionTokens,
    cost: report.cost,
    scrubbed,
  }
  writeFileAtomic(join(directory, LINEAGE), `${JSON.stringify(lineage, undefined, 2)}\n`)
  writeFileAtomic(join(directory, 'README.md'), cardOf(lineage, report))
  return lineage
}

function cardOf(lineage: Lineage, { within, against }: SynthesisReport): string {
  const { teacher, recipe, rows, seeds, began, ended, isComplete, scrubbed, cost } = lineage
  const told = (counts: ScrubCounts | null): string =>
    counts === null
      ? 'not looked for'
      : Object.entries(counts)
          .map(([kind, count]) => `${kind} ${count}`)
          .join(', ') || 'none found'
  const near = Object.entries(against).map(
    ([name, { count }]) => `| Rows nearly like a text of ${cell(name)} | ${count} |`,
  )
  return `---
tags:
- synthetic
configs:
- config_name: default
  data_files: ${ROWS}
---

# Synthetic rows

${rows.count} rows that a language model wrote, ${isComplete ? 'complete' : 'not complete: some seeds have not been asked about yet'}. Nobody has checked what they say.

| | |
|---|---|
| Teacher | ${cell(String(teacher.name))} |
| Licence of what the teacher writes | ${cell(teacher.licence)}${teacher.licence === 'unknown' ? ': find it out before you use or share these rows' : ''} |
| Recipe | ${cell(recipe.name)}, sha256 of its setup ${recipe.sha256.slice(0, 16)} |
| Seeds | ${seeds.count}${seeds.files.map(({ path, sha256 }) => `, ${cell(path)} (sha256 ${sha256.slice(0, 16)})`).join('')} |
| Made | ${began ?? 'nothing yet'} to ${ended ?? 'nothing yet'}, seed ${lineage.seed} |
| Seeds without a row, tries refused | ${lineage.rejected}, ${lineage.refused} |
| Calls, tokens, cost | ${lineage.calls}, ${lineage.promptTokens + lineage.completionTokens}, ${cost === null ? 'not known' : cost.toFixed(4)} |
| Replaced in seeds | ${told(scrubbed.seeds)} |
| Replaced in rows | ${told(scrubbed.rows)} |
| Rows nearly like an earlier one | ${within.count} |
${near.map((line) => `${line}\n`).join('')}
Names of people are not looked for. \`lineage.json\` has all of this for programs, \`calls.jsonl\` every call, \`rejects.jsonl\` what was refused and why.
`
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')
