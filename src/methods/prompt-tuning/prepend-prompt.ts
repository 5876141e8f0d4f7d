// A batch whose documents begin with virtual tokens. Plain arrays, no tensors.
import { type Batch, IGNORE_INDEX } from '../../data/batch.ts'

/** Segment of what fills a row up. */
const FILLER = -1

/** One place of the new batch: a token of the old one, by index, or virtual token `virtual` before it. */
interface Place {
  token: number
  virtual: number | null
}

/** The batch with `count` virtual tokens before every document of every row; rows that have fewer documents are filled up. */
export function prependPrompt(batch: Batch, count: number): Batch {
  const rows = Array.from({ length: batch.rows }, (_, row) => placesOf(batch, row, count))
  const width = Math.max(0, ...rows.map((places) => places.length))
  const lay = (filler: number, read: (place: Place) => number): Int32Array => {
    const values = new Int32Array(batch.rows * width).fill(filler)
    for (const [row, places] of rows.entries()) values.set(places.map(read), row * width)
    return values
  }
  const { inputIds, labels, positionIds, segmentIds } = batch
  return {
    rows: batch.rows,
    length: width,
    inputIds: lay(0, ({ token, virtual }) => (virtual === null ? inputIds[token]! : -1 - virtual)),
    labels: lay(IGNORE_INDEX, ({ token, virtual }) => (virtual === null ? labels[token]! : IGNORE_INDEX)),
    ...(positionIds && { positionIds: lay(0, ({ token, virtual }) => positionIds[token]! + (virtual ?? count)) }),
    ...(segmentIds && { segmentIds: lay(FILLER, ({ token }) => segmentIds[token]!) }),
  }
}

function placesOf({ length, segmentIds }: Batch, row: number, count: number): Place[] {
  const first = row * length
  return Array.from({ length }, (_, i) => first + i).flatMap((token) => {
    const startsDocument = token === first || (segmentIds && segmentIds[token] !== segmentIds[token - 1])
    const virtual = startsDocument ? Array.from({ length: count }, (_, k) => ({ token, virtual: k })) : []
    return [...virtual, { token, virtual: null }]
  })
}
