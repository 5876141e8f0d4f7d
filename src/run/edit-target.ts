// The folder that an edited or exported model goes to.
import { existsSync, realpathSync } from 'node:fs'
import { UsageError } from '../errors.ts'

/** UsageError when `to` is the folder that is read from. */
export function refuseSameDirectory(from: string, to: string): void {
  if (!existsSync(from) || !existsSync(to) || realpathSync(from) !== realpathSync(to)) return
  throw new UsageError(`--out: expected another folder than --model, got ${to} for both. Choose another one`)
}
