// The questions of clients with a counsellor's long answer each, of which dialogues are made: one row, one dialogue.

import { basename } from 'node:path'
import { readRows, type SourceRow } from '../../data/read/sources.ts'
import { InputError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { counted } from '../../report/amounts.ts'
import { field } from './cases.ts'

/** A question and its answer. */
export interface SingleTurn {
  readonly id: string
  /** What it is about; absent where the row does not say. */
  readonly topic?: string
  /** The question in a line; '' where there is none. */
  readonly title: string
  readonly detail: string
  readonly answer: string
}

/** How single turns are read. */
export interface SingleTurnOptions {
  /** Hears of rows that are left out. */
  onNotice?: (message: string) => void
}

const OPTIONS: Readonly<Record<keyof SingleTurnOptions, true>> = { onNotice: true }

/** Ours first, then counsel-chat's names, then those of plain questions and answers. */
const TOPIC = ['topic', 'normalizedTag']
const TITLE = ['questionTitle', 'title']
const DETAIL = ['questionDetail', 'questionText', 'question', 'instruction', 'prompt', 'input', 'description']
const ANSWER = ['counsellorLongText', 'counselorLongText', 'answerText', 'answer', 'output', 'response', 'completion']

/** Reads a row; says in a line why it is none. */
export function singleTurnOf({ row, id: { file, line } }: SourceRow): SingleTurn | { fault: string } {
  const fields = typeof row === 'string' ? {} : row
  const [topic, title = '', detail = '', answer] = [TOPIC, TITLE, DETAIL, ANSWER].map((names) => field(fields, names))
  const got = `fields ${Object.keys(fields).slice(0, 20).join(', ') || 'none'}`
  if (title === '' && detail === '')
    return { fault: `${file}:${line}: expected a question (${[...TITLE, ...DETAIL].join(', ')}), got ${got}` }
  if (answer === undefined) return { fault: `${file}:${line}: expected an answer (${ANSWER.join(', ')}), got ${got}` }
  const id = field(fields, ['id']) ?? `${basename(file)}:${line}`
  return { id, ...(topic !== undefined && { topic }), title, detail, answer }
}

/**
 * Reads single turns {topic, questionTitle, questionDetail, counsellorLongText}, counsel-chat's rows, or questions with answers. Rows
 * without a question or an answer are left out, and counted in a notice; InputError where none is left.
 */
export async function* readSingleTurns(
  paths: string | readonly string[],
  options: SingleTurnOptions = {},
): AsyncGenerator<SingleTurn> {
  checkOptionNames('readSingleTurns', options, OPTIONS)
  const { onNotice } = options
  let good = 0
  const faults = { count: 0, first: '' }
  for await (const row of readRows(paths, onNotice === undefined ? {} : { onNotice })) {
    const read = singleTurnOf(row)
    if ('fault' in read) {
      if (faults.count++ === 0) faults.first = read.fault
    } else {
      good++
      yield read
    }
  }
  if (good === 0) throw new InputError(`row in ${faults.first}`)
  if (faults.count > 0) onNotice?.(`${counted(faults.count, 'row')} left out (the first: ${faults.first})`)
}
