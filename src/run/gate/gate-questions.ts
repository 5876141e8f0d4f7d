// Questions with right answers from files of rows, by our own names of fields and by those of PopQA and RetrievalQA.
import { readRows } from '../../data/read/sources.ts'
import { InputError } from '../../errors.ts'
import type { GateRecord } from '../../eval/gates/gate-record.ts'
import { counted } from '../../report/amounts.ts'

/** A question that is to be asked both ways. */
export interface GateQuestionRow extends Pick<GateRecord, 'question' | 'gold' | 'relation' | 'entity' | 'popularity'> {
  /** Documents that come with it; without them an index is asked. */
  passages?: readonly string[]
}

/** Ours first. A row has its value under the first name that it has. */
const FIELDS = {
  question: ['question'],
  gold: ['gold', 'answers', 'possible_answers', 'ground_truth'],
  relation: ['relation', 'prop', 'data_source'],
  entity: ['entity', 'subj_id'],
  popularity: ['popularity', 's_pop'],
  passages: ['passages', 'paragraphs', 'context', 'ctxs'],
} as const
type Field = keyof typeof FIELDS

/**
 * Reads rows of `question` and `gold` (a text or a list), with `relation`, `entity`, `popularity` and `passages` (texts, or objects of `title` and
 * `text`) where there are any. Other names that are read: PopQA's `possible_answers`, `prop`, `subj_id`, `s_pop` and `paragraphs`; RetrievalQA's
 * `ground_truth`, `data_source` and `context`. `notice` hears which fields are not read. InputError for a row that is not understood.
 */
export async function readGateQuestions(
  paths: readonly string[],
  notice: (message: string) => void = () => {},
): Promise<GateQuestionRow[]> {
  const found: GateQuestionRow[] = []
  const unread = new Set<string>()
  const known = new Set<string>()
  let unpopular = 0
  let supported = 0
  for await (const { row, id } of readRows(paths, { onNotice: notice })) {
    const place = `${id.file}:${id.line}`
    // A line of plain text has no fields.
    const given = typeof row === 'string' ? {} : row
    for (const field of Object.keys(FIELDS) as Field[]) known.add(nameIn(given, field) ?? field)
    for (const name of Object.keys(given)) if (!known.has(name)) unread.add(name)
    const question = gateQuestion(given, place)
    if (question.popularity === undefined && nameIn(given, 'popularity') !== undefined) unpopular++
    const [first] = (given[nameIn(given, 'passages') ?? ''] ?? []) as { is_supporting?: unknown }[]
    if (first?.is_supporting === true) supported++
    found.push(question)
  }
  if (unread.size > 0) notice(`fields that are not read: ${[...unread].join(', ')}`)
  if (unpopular > 0)
    notice(`${counted(unpopular, 'question')} with a popularity of 0, which counts as none: it has no logarithm`)
  if (supported === found.length)
    notice(
      'the first passage of every question is marked as supporting it: this measures reading, with no search before it',
    )
  return found
}

const nameIn = (row: Readonly<Record<string, unknown>>, field: Field): string | undefined =>
  FIELDS[field].find((name) => row[name] !== undefined && row[name] !== null)

/** The question of a row. InputError, with its place, where it is not understood. */
export function gateQuestion(row: Readonly<Record<string, unknown>>, place: string): GateQuestionRow {
  const fieldOf = (field: Field): unknown => row[nameIn(row, field) ?? '']
  const refuse = (what: string, got: unknown): never => {
    throw new InputError(`${place}: expected ${what}, got ${shown(got)}`)
  }
  const question = fieldOf('question')
  if (question === undefined) refuse('`question`, a text', Object.keys(row).length === 0 ? undefined : Object.keys(row))
  if (typeof question !== 'string' || question.trim() === '') refuse('`question`, a text', question)
  const gold = textsOf(fieldOf('gold'))?.filter((answer) => answer.trim() !== '')
  if (gold === undefined || gold.length === 0)
    refuse(`\`gold\`, its answers (${FIELDS.gold.slice(1).join(', ')} are read, too)`, fieldOf('gold'))
  const [relation, entity] = [fieldOf('relation'), fieldOf('entity')]
  for (const [name, value] of [
    ['relation', relation],
    ['entity', entity],
  ] as const)
    if (value !== undefined && typeof value !== 'string' && typeof value !== 'number')
      refuse(`\`${name}\`, a text`, value)
  const told = fieldOf('popularity')
  const popularity = told === undefined || told === '' ? undefined : Number(told)
  if (popularity !== undefined && !(popularity >= 0 && popularity < Number.POSITIVE_INFINITY))
    refuse('`popularity`, a number of at least 0', told)
  const passages = fieldOf('passages') === undefined ? undefined : passagesOf(fieldOf('passages'))
  if (passages === null)
    refuse('`passages`, a list of texts or of objects with `title` and `text`', fieldOf('passages'))
  return {
    question: question as string,
    gold: gold!,
    ...(relation !== undefined && { relation: String(relation) }),
    ...(entity !== undefined && { entity: String(entity) }),
    ...(popularity !== undefined && popularity > 0 && { popularity }),
    ...(passages && { passages }),
  }
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

/** A list, one text, or a list as PopQA writes it: JSON in a text. Undefined for what is none of it. */
function textsOf(value: unknown): string[] | undefined {
  if (typeof value === 'string') {
    const list = value.trimStart().startsWith('[') ? parsed(value) : undefined
    return list === undefined ? [value] : textsOf(list)
  }
  if (typeof value === 'number') return [String(value)]
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string' || typeof one === 'number'))
    return undefined
  return value.map(String)
}

function parsed(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Texts; of objects, title and text, one below the other. Null for what is none of it. */
function passagesOf(value: unknown): string[] | null {
  const list = typeof value === 'string' ? textsOf(value) : value
  if (!Array.isArray(list)) return null
  const texts = list.map((one: unknown) => {
    if (typeof one === 'string') return one
    const { title, text } = (one ?? {}) as { title?: unknown; text?: unknown }
    const parts = [title, text].filter((part) => typeof part === 'string' && part !== '')
    return parts.length === 0 ? undefined : parts.join('\n')
  })
  return texts.every((text) => text !== undefined) ? (texts as string[]) : null
}
