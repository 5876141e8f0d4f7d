// Files → jobs. Sorted by path, so that the order in which they were given does not matter; large files of plain JSON lines are
// several jobs, any other file is one.

import { createReadStream, realpathSync, statSync } from 'node:fs'
import { isPlainJsonLines, listFiles } from '../read/files.ts'
import type { Job } from './settings.ts'

/** Bytes of a job of a file of JSON lines. */
const JOB_BYTES = 16 * 1024 * 1024

/** Jobs of all files under the paths, each file once, whatever ways lead to it; `sourceOf` names the source by its number; undefined leaves it out. */
export function listJobs(
  paths: readonly string[],
  sourceOf: (file: string, path: string) => number | undefined,
  notice: (message: string) => void,
  jobBytes: number = JOB_BYTES,
): Job[] {
  const sources = new Map<string, number>()
  const seen = new Set<string>()
  for (const path of [...paths].sort())
    for (const file of listFiles([path], undefined, notice, true)) {
      const place = realpathSync(file)
      if (seen.has(place)) continue
      seen.add(place)
      const source = sourceOf(file, path)
      if (source !== undefined) sources.set(file, source)
    }
  const files = [...sources.keys()].sort((a, b) => (a < b ? -1 : 1))
  const jobs: Job[] = []
  for (const file of files) {
    const { size } = statSync(file)
    const base = { file, source: sources.get(file)! }
    const parts = size > jobBytes && isPlainJsonLines(file) ? Math.ceil(size / jobBytes) : 1
    for (let part = 0; part < parts; part++) {
      const from = part * jobBytes
      const to = Math.min(size, from + jobBytes)
      jobs.push({
        index: jobs.length,
        ...base,
        size: parts === 1 ? size : to - from,
        ...(parts > 1 && { range: [from, to] as const }),
      })
    }
  }
  return jobs
}

/** Where the first line begins at or after `from`. */
export async function lineStart(file: string, from: number): Promise<number> {
  if (from === 0) return 0
  let at = from - 1
  for await (const chunk of createReadStream(file, { start: at, highWaterMark: 64 * 1024 })) {
    const end = (chunk as Buffer).indexOf(0x0a)
    if (end !== -1) return at + end + 1
    at += (chunk as Buffer).length
  }
  return at
}
