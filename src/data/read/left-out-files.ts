// What a walk through a folder leaves out, said once: how many files, of which kinds, and the first of them by name.

import { relative } from 'node:path'
import { counted } from '../../report/amounts.ts'

/** Names and kinds that are written out. */
const NAMED = 3
const KINDS = 6

/** One line about the files under `folder` whose names end in no kind that is read; undefined where there are none. */
export function leftOutFiles(
  folder: string,
  files: readonly { path: string; extension: string }[],
): string | undefined {
  if (files.length === 0) return undefined
  const kinds = new Map<string, number>()
  for (const { extension } of files) kinds.set(extension, (kinds.get(extension) ?? 0) + 1)
  const commonest = [...kinds].sort(([, a], [, b]) => b - a)
  const said = commonest.slice(0, KINDS).map(([kind, count]) => `${count} ${kind === '' ? 'without an ending' : kind}`)
  const names = files.slice(0, NAMED).map(({ path }) => relative(folder, path))
  const is = files.length === 1 ? 'is' : 'are'
  return (
    `${folder}: ${counted(files.length, 'file')} ${is} left out, as ${is === 'is' ? 'its name does' : 'their names do'} not end in a kind that is read ` +
    `(${said.join(', ')}${commonest.length > KINDS ? ', …' : ''}): ${names.join(', ')}${files.length > NAMED ? ', …' : ''}`
  )
}

/** One line about files in which there was nothing; undefined where there are none. */
export function emptyFiles(files: readonly string[]): string | undefined {
  if (files.length === 0) return undefined
  const names = `${files.slice(0, NAMED).join(', ')}${files.length > NAMED ? ', …' : ''}`
  return files.length === 1 ? `${names} is empty` : `${counted(files.length, 'file')} are empty: ${names}`
}
