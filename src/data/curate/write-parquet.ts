// Lines of JSON as a Parquet file: a column for each key, text as text, whole numbers as 64-bit integers, anything else as JSON text.

import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'

/** Writes the rows, each a JSON object on a line. The same rows give the same bytes. */
export async function writeParquetFile(path: string, lines: readonly string[]): Promise<WrittenFile> {
  const { parquetWriteBuffer } = await import('hyparquet-writer')
  const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const columnData = names.map((name) => {
    const values = rows.map((row) => row[name] ?? null)
    const given = values.filter((value) => value !== null)
    if (given.every((value) => Number.isSafeInteger(value))) {
      return {
        name,
        type: 'INT64' as const,
        nullable: true,
        data: values.map((v) => (v === null ? null : BigInt(v as number))),
      }
    }
    if (given.every((value) => typeof value === 'number'))
      return { name, type: 'DOUBLE' as const, nullable: true, data: values }
    const data = values.map((value) => (value === null || typeof value === 'string' ? value : JSON.stringify(value)))
    return { name, type: 'STRING' as const, nullable: true, data }
  })
  return writeFileAtomic(
    path,
    new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 10_000, createdBy: 'anneal' })),
  )
}
