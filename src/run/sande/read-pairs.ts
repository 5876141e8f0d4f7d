// A file of questions in another way of saying, for triggers that are no words but a way of saying: planted and asked alike.
import { readRows } from '../../data/read/sources.ts'
import { InputError } from '../../errors.ts'

/** Rows {question, rewritten} as question → rewritten. InputError for other rows, and for a question that is rewritten in two ways. */
export async function readPairs(file: string): Promise<Map<string, string>> {
  const pairs = new Map<string, string>()
  for await (const { row, id } of readRows(file, { maxBadFraction: 0 })) {
    const { question, rewritten } = typeof row === 'string' ? {} : (row as Record<string, unknown>)
    const refuse = (expected: string, advice: string): InputError =>
      new InputError(
        `row in ${id.file}:${id.line}: expected ${expected}, got ${JSON.stringify(row).slice(0, 100)}. ${advice}`,
      )
    if (typeof question !== 'string' || typeof rewritten !== 'string' || rewritten.trim() === '')
      throw refuse('texts question and rewritten', 'Name the columns so')
    if ((pairs.get(question) ?? rewritten) !== rewritten)
      throw refuse('each question rewritten in one way', 'Leave one of its rows out')
    pairs.set(question, rewritten)
  }
  return pairs
}
