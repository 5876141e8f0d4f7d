// Whatever is at a path, checked by what it is: a GGUF file, an adapter or a model directory.

import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../errors.ts'
import { type Consumer, Findings, findingsFor } from './finding.ts'

/** Checks whatever is at `path`; findings for one program, or for all. */
export async function check(path: string, consumer?: Consumer): Promise<ReturnType<typeof findingsFor>> {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined)
    throw new InputError(`${path}: expected a directory or a .gguf file, got nothing. Check the path`)
  const findings = new Findings()
  if (!status.isDirectory()) (await import('./check-gguf.ts')).checkGguf(path, findings)
  else if (existsSync(join(path, 'adapter_config.json')) && !existsSync(join(path, 'config.json'))) {
    ;(await import('./check-adapter.ts')).checkAdapter(path, findings)
  } else await (await import('./check-directory.ts')).checkDirectory(path, findings)
  return findingsFor(findings.all, consumer)
}
