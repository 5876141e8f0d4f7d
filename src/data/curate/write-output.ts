// The documents that stay, in the order of jobs, as files of about one size: JSON lines or Parquet, each whole or not there at all.

import { createReadStream, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileInTurns } from '../../files/atomic-write.ts'
import { Count, turn, type Watch } from '../../work.ts'
import { LineSplitter } from '../read/formats/line-splitter.ts'
import { type GlobalResult, REASON } from './global-step.ts'
import { type JobManifest, jobFiles } from './job-files.ts'
import type { Job } from './settings.ts'

/** How the output is written. */
export interface OutputSettings {
  format: 'jsonl' | 'parquet'
  /** A file is full at so many bytes of documents. */
  fileBytes: number
}

/** One file of the output. */
export interface OutputFile {
  file: string
  documents: number
  bytes: number
  sha256: string
}

/** Folder of the output in that of a curation. */
export const DATA_FOLDER = 'data'

/** Writes the files and returns what they are; files of an earlier run that are not among them go. */
export async function writeOutput(
  jobs: readonly Job[],
  manifests: readonly JobManifest[],
  { reasons, clusterSize }: GlobalResult,
  { format, fileBytes }: OutputSettings,
  out: string,
  watch: Watch = {},
): Promise<OutputFile[]> {
  const folder = join(out, DATA_FOLDER)
  mkdirSync(folder, { recursive: true })
  const rows = keptRows(jobs, manifests, reasons, clusterSize, out)
  const files: OutputFile[] = []
  const total = reasons.reduce((sum, reason) => sum + (reason === REASON.kept ? 1 : 0), 0)
  const count = new Count(watch, { label: 'writing', unit: 'documents', total })
  let told = 0
  /** Of the file that is being written. */
  const tell = (documents: number): void => {
    count.add(documents - told)
    told = documents
  }
  let next = await rows.next()
  while (next.done !== true) {
    const name = `part-${String(files.length).padStart(5, '0')}.${format}`
    const lines: string[] = []
    let bytes = 0
    let documents = 0
    const written =
      format === 'jsonl'
        ? await writeFileInTurns(join(folder, name), async (sink) => {
            let pending = 0
            const flush = (): void => {
              sink.write(lines.join(''))
              lines.length = 0
              pending = 0
            }
            while (next.done !== true && (documents === 0 || bytes + next.value.length <= fileBytes)) {
              lines.push(next.value)
              bytes += next.value.length
              pending += next.value.length
              documents++
              if (pending > 1 << 20) {
                flush()
                tell(documents)
                await turn(watch)
              }
              next = await rows.next()
            }
            flush()
          })
        : await (async () => {
            while (next.done !== true && (documents === 0 || bytes + next.value.length <= fileBytes)) {
              lines.push(next.value)
              bytes += next.value.length
              documents++
              next = await rows.next()
            }
            const { writeParquetFile } = await import('./write-parquet.ts')
            return writeParquetFile(join(folder, name), lines)
          })()
    files.push({ file: `${DATA_FOLDER}/${name}`, documents, bytes: written.size, sha256: written.sha256 })
    tell(documents)
    told = 0
    await turn(watch)
  }
  const names = new Set(files.map(({ file }) => file))
  for (const name of existsSync(folder) ? readdirSync(folder) : [])
    if (!names.has(`${DATA_FOLDER}/${name}`)) rmSync(join(folder, name), { recursive: true, force: true })
  return files
}

/** Lines of the documents that stay, with the number of documents that each stands for. */
async function* keptRows(
  jobs: readonly Job[],
  manifests: readonly JobManifest[],
  reasons: Uint8Array,
  clusterSize: Uint32Array,
  out: string,
): AsyncGenerator<string> {
  let document = 0
  for (const [i, { pieces }] of manifests.entries())
    for (const piece of pieces.keys()) {
      const { lines } = jobFiles(out, jobs[i]!.index, piece)
      const splitter = new LineSplitter({ maxLineBytes: Number.MAX_SAFE_INTEGER })
      for await (const chunk of createReadStream(lines, { highWaterMark: 1 << 20 }))
        for (const { bytes } of splitter.push(chunk as Buffer)) {
          if (reasons[document] === REASON.kept)
            yield `${bytes.toString('utf8', 0, bytes.length - 1)},"cluster_size":${clusterSize[document]}}\n`
          document++
        }
    }
}
