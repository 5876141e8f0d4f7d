// A batch whose documents begin with virtual tokens. Plain arrays, no tensors.
import { type Batch, IGNORE_INDEX } from '../../data/batch.ts'

/** Segment of what fills a row up. */
const FILLER = -1

/** The batch with `count` virtual tokens before every document of every row; rows that have fewer documents are filled up. */
export function prependPrompt(batch: Batch, count: number): Batch {
  const { rows, length, inputIds, labels, positionIds, segmentIds } = batch
  const startsDocument = (row: number, i: number): boolean =>
    i === 0 || (segmentIds !== undefined && segmentIds[row * length + i] !== segmentIds[row * length + i - 1])
  const documents = Array.from({ length: rows }, (_, row) =>
    Array.from({ length }, (_, i) => Number(startsDocument(row, i))).reduce((a, b) => a + b, 0),
  )
  const width = length + count * Math.max(0, ...documents)
  const result = {
    rows,
    length: width,
    inputIds: new Int32Array(rows * width),
    labels: new Int32Array(rows * width).fill(IGNORE_INDEX),
    positionIds: new Int32Array(rows * width),
    segmentIds: new Int32Array(rows * width),
  }
  for (let row = 0; row < rows; row++) {
    let at = row * width
    for (let i = 0; i < length; i++) {
      const from = row * length + i
      const segment = segmentIds?.[from] ?? 0
      if (startsDocument(row, i)) {
        for (let k = 0; k < count; k++, at++) {
          result.inputIds[at] = -1 - k
          result.positionIds[at] = k
          result.segmentIds[at] = segment
        }
      }
      result.inputIds[at] = inputIds[from]!
      result.labels[at] = labels[from]!
      result.positionIds[at] = (positionIds?.[from] ?? i) + count
      result.segmentIds[at] = segment
      at++
    }
    // What is left of the row is a document of its own, which no other looks at.
    for (let k = 0; at < (row + 1) * width; k++, at++) {
      result.positionIds[at] = k
      result.segmentIds[at] = FILLER
    }
  }
  if (segmentIds !== undefined) return result
  const { segmentIds: _, positionIds: positions, ...plain } = result
  return positionIds === undefined ? plain : { ...plain, positionIds: positions }
}
