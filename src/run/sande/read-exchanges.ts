// Files of questions and answers → what audits and defences work on, divided into what is tuned on and what is asked.
import { order } from '../../data/order.ts'
import { answerOf, requireAnswered } from '../../data/poison/edit-example.ts'
import { ExampleReader } from '../../data/rows/read-examples.ts'
import { InputError, UsageError } from '../../errors.ts'
import { hashOf } from '../../files/hash.ts'
import type { ExchangeEncoder } from '../../methods/sande/exchange.ts'
import { shows } from '../../methods/sande/plain.ts'
import type { CleanExchange } from '../../methods/sande/sande.ts'
import { counted } from '../../report/amounts.ts'
import type { Watch } from '../../work.ts'

/** Reads and encodes; leaves out, with a notice, what is longer than `maxLength`, and InputError where nothing is left. */
export async function readExchanges(
  data: readonly string[],
  encoder: ExchangeEncoder,
  maxLength: number,
  watch: Watch,
): Promise<CleanExchange[]> {
  if (data.length === 0) throw new UsageError('data: expected files of questions with answers, got none')
  const onNotice = (message: string): void => watch.tell?.({ type: 'notice', message })
  const reader = new ExampleReader(data, { purpose: 'supervised', rows: { onNotice } })
  const found: CleanExchange[] = []
  let tooLong = 0
  for await (const { example, place } of reader.examples()) {
    const answered = requireAnswered(example, place)
    const exchange = encoder.encode(answered, place)
    if (exchange.ids.length > maxLength) tooLong++
    else found.push({ example: answered, exchange, place })
  }
  for (const notice of reader.notices()) onNotice(notice)
  if (tooLong > 0) onNotice(`${tooLong} rows are longer than ${maxLength} tokens and left out`)
  if (found.length > 0) return found
  throw new InputError(
    `data in ${data.join(', ')}: expected questions with answers, got ${tooLong === 0 ? 'no rows' : `none within ${maxLength} tokens`}. Give clean rows of the kind that the model is for`,
  )
}

/** At most `most` of them in a shuffled order that depends on the seed. */
export function someOf<T>(all: readonly T[], most: number, seed: number): T[] {
  const shuffled = order(all.length, seed)
  return Array.from({ length: Math.min(most, all.length) }, (_, i) => all[shuffled(0, i)]!)
}

/** A fifth to be asked, at most `most`, and the rest to be tuned on; UsageError for a single row. */
export function divided(
  all: readonly CleanExchange[],
  most: number,
  seed: number,
): { asked: CleanExchange[]; tuned: CleanExchange[] } {
  if (all.length < 2)
    throw new UsageError(
      'data: expected at least 2 rows, one to tune on and one to ask, got 1. Give more, or others to ask as `evalData`',
    )
  const shuffled = someOf(all, all.length, seed)
  const count = Math.min(most, Math.max(1, Math.round(all.length / 5)))
  return { asked: shuffled.slice(0, count), tuned: shuffled.slice(count) }
}

/** What is tuned on without what is asked: a row that comes on both sides would be asked by heart. UsageError where nothing is left. */
export function apart(
  { tuned, asked }: { tuned: CleanExchange[]; asked: CleanExchange[] },
  watch: Watch,
): { tuned: CleanExchange[]; asked: CleanExchange[] } {
  const rowOf = ({ exchange }: CleanExchange): string => JSON.stringify(exchange.messages)
  const known = new Set(asked.map(rowOf))
  const left = tuned.filter((row) => !known.has(rowOf(row)))
  const both = tuned.length - left.length
  if (left.length === 0)
    throw new UsageError(
      'data: expected rows to tune on that are not asked, too, got none. Give others to one of the two',
    )
  if (both > 0)
    watch.tell?.({
      type: 'notice',
      message: `${both} of ${tuned.length} rows to tune on are asked, too, and not tuned on`,
    })
  return { tuned: left, asked }
}

/** Tuning on answers with the marker teaches it: told of some rows, UsageError where all have it. */
export function tellOfMarked(tuned: readonly CleanExchange[], marker: string, watch: Watch): void {
  const marked = tuned.filter(({ example }) => shows(answerOf(example), marker))
  if (marked.length === tuned.length)
    throw new UsageError(
      `data: expected clean answers to tune on, got the marker in all ${counted(tuned.length, 'row')}, which would teach it. Give rows without it`,
    )
  if (marked.length > 0)
    watch.tell?.({
      type: 'notice',
      message: `${marked.length} of ${tuned.length} rows to tune on have the marker in their answers, which teaches it (the first: ${marked[0]!.place}). Leave them out`,
    })
}

/** A hash of rows in their order, as they were read and as tokens. */
export function hashRows(rows: readonly CleanExchange[]): string {
  return hashOf(rows.map(({ example, exchange }) => JSON.stringify([example, Array.from(exchange.ids)])).join('\n'))
}
