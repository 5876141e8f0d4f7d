// The files that a built-in task reads.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readRows } from '../../data/read/sources.ts'
import { InputError, UsageError } from '../../errors.ts'
import { typedColumns } from '../documents.ts'
import type { Doc, GroupConfig, TaskConfig } from '../task-config.ts'

/** The path that the user gave; UsageError where there is none, which says what it should hold. */
export function needData(data: string | undefined, task: string, holds: string): string {
  if (data === undefined)
    throw new UsageError(`data: expected ${holds} for the task ${task}, got nothing. Nothing is downloaded`)
  if (!existsSync(data)) throw new InputError(`--data ${data}: expected ${holds}, got nothing. Check the path`)
  return data
}

/**
 * What a folder with the data of several tasks has for one of them: the folder or file that is called as it is, with `-` or `_`; else the
 * path itself.
 */
export function partOf(data: string, name: string): string {
  if (!statSync(data).isDirectory()) return data
  const part = readdirSync(data).find((entry) => entry.replaceAll('-', '_') === name)
  return part === undefined ? data : join(data, part)
}

/** One task for each file: alone it has the name itself, several are a group, each under what its own name says besides. */
export function taskPerFile(
  name: string,
  files: readonly string[],
  make: (task: string, file: string) => TaskConfig,
  group: Omit<GroupConfig, 'group' | 'task'>,
): TaskConfig | GroupConfig {
  if (files.length === 1) return make(name, files[0]!)
  const ownName = (file: string): string =>
    basename(file)
      .replace(/\.[^.]+$/, '')
      .replaceAll(/\W+/g, '_')
  const words = new Set([name, ...name.split('_')])
  const task = files.map((file) => {
    const rest = ownName(file)
      .split('_')
      .filter((word) => !words.has(word.toLowerCase()))
    return make([name, ...(rest.length > 0 ? rest : [ownName(file)])].join('_'), file)
  })
  return { group: name, task, ...group }
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
