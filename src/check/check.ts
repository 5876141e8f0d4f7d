// Whatever is at a path, checked by what it is: a GGUF file, an adapter or a model directory.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { hasPickleSuffix } from '../checkpoint/model-directory/foreign-format.ts'
import { InputError } from '../errors.ts'
import { type Consumer, Findings, findingsFor } from './finding.ts'

/**
 * Checks whatever is at `path`; findings for one program, or for all. InputError where that is no model and no adapter. `headersOnly`: of the files of
 * weights only the headers are there, and no value is looked at. `isBaseThere`: the base of an adapter is known to be elsewhere than on this machine.
 */
export async function check(
  path: string,
  consumer?: Consumer,
  known: { headersOnly?: boolean; isBaseThere?: boolean } = {},
): Promise<ReturnType<typeof findingsFor>> {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status === undefined)
    throw new InputError(`${path}: expected a directory or a .gguf file, got nothing. Check the path`)
  const findings = new Findings(known)
  if (!status.isDirectory()) (await import('./check-gguf.ts')).checkGguf(path, findings)
  else if (existsSync(join(path, 'adapter_config.json')) && !existsSync(join(path, 'config.json'))) {
    ;(await import('./check-adapter.ts')).checkAdapter(path, findings)
  } else if (!holdsModel(path)) throw noModel(path)
  else await (await import('./check-directory.ts')).checkDirectory(path, findings)
  return findingsFor(findings.all, consumer)
}

const CONFIGS = ['config.json', 'adapter_config.json']

/** Whether there is at least a part of a model in the folder; what it lacks is then a finding. */
function holdsModel(directory: string): boolean {
  return readdirSync(directory).some(
    (name) => CONFIGS.includes(name) || /\.safetensors(?:\.index\.json)?$/.test(name) || hasPickleSuffix(name),
  )
}

function noModel(directory: string): InputError {
  const inner = readdirSync(directory, { withFileTypes: true })
    .filter(
      (entry) =>
        entry.name.endsWith('.gguf') ||
        (entry.isDirectory() && CONFIGS.some((name) => existsSync(join(directory, entry.name, name)))),
    )
    .map(({ name }) => join(directory, name))
    .sort()
  const advice = inner.length === 0 ? 'Check the path' : `Perhaps ${inner.slice(0, 3).join(' or ')} is meant`
  return new InputError(
    `${directory}: expected a model or an adapter, got a folder without config.json, adapter_config.json and weights: this is no model. ${advice}`,
  )
}
