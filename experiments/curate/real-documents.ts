// Documents of a few hundred to a few thousand characters out of whatever files of real text there are.
import { readRows } from '../../src/data/read/sources.ts'

/** Texts of rows; those of fewer than 200 characters are gathered, in turn on one line and on lines of their own, up to some 1,200. */
export async function realDocuments(paths: readonly string[]): Promise<string[]> {
  const documents: string[] = []
  let gathered: string[] = []
  let size = 0
  const flush = (): void => {
    if (size > 200) documents.push(gathered.join(documents.length % 3 === 0 ? '\n' : ' '))
    gathered = []
    size = 0
  }
  for await (const { row } of readRows(paths, { maxBadFraction: 0.1 }))
    for (const text of textsOf(row))
      for (const piece of text.length > 20_000 ? text.split(/\n\s*\n/) : [text]) {
        if (piece.length >= 200) {
          documents.push(piece)
          continue
        }
        gathered.push(piece)
        size += piece.length
        if (size > 1200) flush()
      }
  flush()
  return [...new Set(documents)]
}

/** All texts of a row of at least 20 characters, also inside lists and objects. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return value.length >= 20 && /\s/.test(value) ? [value] : []
  if (Array.isArray(value)) return value.flatMap(textsOf)
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}
