// Segments that stand side by side → one, without what was removed; documents keep their order.
import type { Postings } from '../bm25-formula.ts'
import type { SegmentReader } from './segment-reader.ts'
import type { SegmentContent } from './segment-writer.ts'

/** A segment and which of its rows are gone. */
export interface MergedPart {
  reader: SegmentReader
  removed: Uint8Array | undefined
}

/** What the one segment has; read while it is written. */
export function mergedContent(parts: readonly MergedPart[], type: 'f32' | 'int8'): SegmentContent {
  const kept = parts.flatMap(({ reader, removed }) =>
    Array.from({ length: reader.documents }, (_, row) => ({ reader, row })).filter(({ row }) => removed?.[row] !== 1),
  )
  const dimensions = parts[0]?.reader.dimensions ?? 0
  return {
    ids: kept.map(({ reader, row }) => reader.document(row).id),
    records: mapped(kept, ({ reader, row }) => reader.record(row)),
    lengths: Uint32Array.from(kept, ({ reader, row }) => reader.lengths[row]!),
    terms: mergedTerms(parts),
    ...(dimensions > 0 && {
      vectors: { dimensions, type, rows: mapped(kept, ({ reader, row }) => reader.vector(row)) },
    }),
  }
}

function* mapped<T, R>(items: readonly T[], of: (item: T) => R): Generator<R> {
  for (const item of items) yield of(item)
}

/** Rows of each part → rows of the merged one, −1 for those that are gone. */
function rowMaps(parts: readonly MergedPart[]): Int32Array[] {
  let next = 0
  return parts.map(({ reader, removed }) =>
    Int32Array.from({ length: reader.documents }, (_, row) => (removed?.[row] === 1 ? -1 : next++)),
  )
}

function* mergedTerms(parts: readonly MergedPart[]): Generator<[string, Postings]> {
  const maps = rowMaps(parts)
  const readers = parts.map(({ reader }) => reader.terms())
  const heads = readers.map((terms) => terms.next())
  while (true) {
    let term: string | undefined
    for (const head of heads)
      if (head.done !== true && (term === undefined || head.value[0] < term)) term = head.value[0]
    if (term === undefined) return
    const docs: number[] = []
    const counts: number[] = []
    for (const [i, head] of heads.entries()) {
      if (head.done === true || head.value[0] !== term) continue
      const [, found] = head.value
      for (const [j, row] of found.docs.entries()) {
        const to = maps[i]![row]!
        if (to < 0) continue
        docs.push(to)
        counts.push(found.counts[j]!)
      }
      heads[i] = readers[i]!.next()
    }
    if (docs.length > 0) yield [term, { docs: Uint32Array.from(docs), counts: Uint32Array.from(counts) }]
  }
}
