// Questions with right answers, and records of how they went, from files of rows.
import { readRows } from '../../data/read/sources.ts'
import { InputError } from '../../errors.ts'
import type { GateRecord } from '../../eval/gates/gate-record.ts'

/** A question that is to be asked both ways. */
export interface GateQuestionRow extends Omit<GateRecord, 'closed' | 'retrieved'> {
  /** Documents that come with it; without them an index is asked. */
  passages?: readonly string[]
}

type Row = Readonly<Record<string, unknown>> | string

/**
 * Reads rows of `question` and `gold` (a text or a list), with `relation`, `entity`, `popularity` and `passages` where there are any. PopQA's own
 * names are read, too: `possible_answers`, `prop`, `subj_id` and `s_pop`. InputError for a row without a question or an answer.
 */
export async function readGateQuestions(paths: readonly string[]): Promise<GateQuestionRow[]> {
  const found: GateQuestionRow[] = []
  for await (const { row } of readRows(paths)) found.push(questionOf(row, found.length + 1))
  if (found.length === 0) throw new InputError(`${paths.join(', ')}: expected questions, got none`)
  return found
}

/** Reads records as `anneal gate fit` writes them. */
export async function readGateRecords(path: string): Promise<GateRecord[]> {
  const found: GateRecord[] = []
  for await (const { row } of readRows([path])) {
    const question = questionOf(row, found.length + 1)
    const { closed, retrieved } = row as unknown as Partial<GateRecord>
    if (typeof closed?.text !== 'string' || typeof retrieved?.text !== 'string')
      throw new InputError(
        `${path}: expected records with \`closed\` and \`retrieved\` answers, got row ${found.length + 1} without. anneal gate fit writes them`,
      )
    found.push({ ...question, closed, retrieved })
  }
  if (found.length === 0) throw new InputError(`${path}: expected records, got none`)
  return found
}

function questionOf(given: Row, number: number): GateQuestionRow {
  // A line of plain text has no fields.
  const row = typeof given === 'string' ? {} : given
  const question = row.question
  const gold = listOf(row.gold ?? row.answers ?? row.possible_answers)
  if (typeof question !== 'string' || question.trim() === '' || gold.length === 0)
    throw new InputError(
      `row ${number}: expected \`question\`, a text, and \`gold\`, its answers, got ${Object.keys(row).join(', ') || 'nothing'}`,
    )
  const relation = row.relation ?? row.prop
  const entity = row.entity ?? row.subj_id
  const popularity = Number(row.popularity ?? row.s_pop ?? Number.NaN)
  const passages = row.passages === undefined ? undefined : listOf(row.passages)
  return {
    question,
    gold,
    ...(relation !== undefined && { relation: String(relation) }),
    ...(entity !== undefined && { entity: String(entity) }),
    ...(popularity > 0 && { popularity }),
    ...(passages !== undefined && { passages }),
  }
}

/** A list, one text, or a list as PopQA writes it: JSON in a text. */
function listOf(value: unknown): string[] {
  if (typeof value !== 'string') return Array.isArray(value) ? value.map(String) : []
  if (!value.trimStart().startsWith('[')) return value === '' ? [] : [value]
  try {
    return (JSON.parse(value) as unknown[]).map(String)
  } catch {
    return [value]
  }
}
