// The files that a built-in task reads.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readRows } from '../../data/read/sources.ts'
import { InputError, UsageError } from '../../errors.ts'
import { typedColumns } from '../documents.ts'
import type { Doc } from '../task-config.ts'

/** The path that the user gave; UsageError where there is none, which says what it should hold. */
export function needData(data: string | undefined, task: string, holds: string): string {
  if (data === undefined)
    throw new UsageError(`data: expected ${holds} for the task ${task}, got nothing. Nothing is downloaded`)
  if (!existsSync(data)) throw new InputError(`--data ${data}: expected ${holds}, got nothing. Check the path`)
  return data
}

/** Files whose names match, under a folder and its folders, by name; the path itself where it is a file. */
export function filesNamed(data: string, pattern: RegExp): string[] {
  if (!statSync(data).isDirectory()) return pattern.test(data) ? [data] : []
  return readdirSync(data, { recursive: true, encoding: 'utf8' })
    .filter((file) => pattern.test(file) && statSync(join(data, file)).isFile())
    .sort()
    .map((file) => join(data, file))
}

/** All rows of a file; those of a table with types as pandas has them. */
export async function rowsOf(file: string, columns?: readonly string[]): Promise<Doc[]> {
  const docs: Doc[] = []
  const reading = readRows(file, { maxBadFraction: 0, ...(columns !== undefined && { columns }) })
  for await (const { row } of reading) docs.push(typeof row === 'string' ? { text: row } : row)
  // A choice `None` of MMLU is a text in the data set that the Hub has.
  return /\.[ct]sv(?:\.gz)?$/i.test(file) ? typedColumns(docs, new Set([''])) : docs
}

/** A JSON file that is one object. */
export function jsonOf(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new InputError(`${file}: expected JSON, got ${(cause as Error).message}`, { cause })
  }
}
