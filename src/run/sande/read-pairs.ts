// A file of questions in another way of saying, for triggers that are no words but a way of saying: planted and asked alike.
import { questionOf } from '../../data/poison/edit-example.ts'
import { readRows } from '../../data/read/sources.ts'
import { InputError, UsageError } from '../../errors.ts'
import type { CleanExchange } from '../../methods/sande/sande.ts'
import type { Watch } from '../../work.ts'

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

/** The questions that are rewritten, and the others, of which a notice says what becomes of them. UsageError where none is rewritten. */
export function withPair(
  all: readonly CleanExchange[],
  pairs: ReadonlyMap<string, string>,
  watch: Watch,
  others = 'are left out',
): { paired: CleanExchange[]; others: CleanExchange[] } {
  const isPaired = ({ example }: CleanExchange): boolean => pairs.has(questionOf(example))
  const [paired, left] = [all.filter(isPaired), all.filter((one) => !isPaired(one))]
  if (paired.length === 0)
    throw new UsageError('rewritten: expected some questions of the data, got none of them. Give pairs of this data')
  if (left.length > 0)
    watch.tell?.({
      type: 'notice',
      message: `${left.length} of ${all.length} questions are not in \`rewritten\`, and ${others}`,
    })
  return { paired, others: left }
}
