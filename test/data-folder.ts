// A folder of its own for a test of readers, removed when the test file is done, and documents read all at once.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type DocumentOptions, type ReadReport, readDocuments, type SourceDocument } from '../src/data/read/sources.ts'

/** Makes the folder; `file` writes into it and returns the path. */
export function dataFolder(): { directory: string; file: (name: string, content: string | Uint8Array) => string } {
  const directory = mkdtempSync(join(tmpdir(), 'anneal-data-'))
  afterAll(() => rmSync(directory, { recursive: true }))
  return {
    directory,
    file: (name, content) => {
      const path = join(directory, name)
      writeFileSync(path, content)
      return path
    },
  }
}

/** All documents under the paths, and what reading them met. */
export async function readAll(
  paths: string | string[],
  options: DocumentOptions = {},
): Promise<{ documents: SourceDocument[]; texts: string[]; report: ReadReport }> {
  const reading = readDocuments(paths, options)
  const documents: SourceDocument[] = []
  for await (const document of reading) documents.push(document)
  return { documents, texts: documents.map(({ text }) => text), report: reading.report }
}
