// The folder that an edited or exported model goes to: what is refused, and how it is taken.
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { UsageError } from '../../errors.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { makeOutputDirectory } from '../../files/output-directory.ts'
import { checkOutputFolder } from '../../files/output-file.ts'
import { LOCK, lockTarget } from '../../files/output-lock.ts'
import type { ModelSource } from '../model-source.ts'

/** UsageError when `to` is the folder that is read from. */
export function refuseSameDirectory(from: string, to: string): void {
  if (!existsSync(from) || !existsSync(to) || realpathSync(from) !== realpathSync(to)) return
  throw new UsageError(`out: expected another folder than \`model\`, got ${to} for both. Choose another one`)
}

/** UsageError unless a model may be written to `out`: nothing there, an empty folder, or with `overwrite` any but the model's own. */
export function checkTarget({ base, adapters }: ModelSource, out: string, overwrite: boolean): void {
  checkOutputFolder(out, 'out')
  for (const from of [base, ...adapters.map(({ directory }) => directory)]) refuseSameDirectory(from, out)
  if (overwrite || !existsSync(out) || readdirSync(out).every((name) => name === LOCK)) return
  throw new UsageError(
    `out: expected a new or empty folder, got ${out} with files in it. Choose another one, or give \`overwrite\``,
  )
}

/**
 * Makes the folder around `out` (a folder or a file), locks `out` against other runs, and cleans up what dead processes left. The function returned gives it
 * free and takes away what this made and nobody used.
 */
export function takeTarget(out: string): () => void {
  const folder = dirname(resolve(out))
  const takeAway = makeOutputDirectory(folder, 'out')
  let unlock: () => void
  try {
    if (existsSync(out) && statSync(out).isDirectory()) makeOutputDirectory(out, 'out')
    unlock = lockTarget(out, 'out')
  } catch (error) {
    takeAway()
    throw error
  }
  sweepLeftovers(folder)
  return () => {
    unlock()
    takeAway()
  }
}
