// The resolved configuration as YAML, to be saved beside the result: every key with its value and its origin.
// Reading it back gives the same configuration.

import { stringify } from 'yaml'
import { type ConfigKind, partsOf } from './kind.ts'
import { valueAt } from './settings.ts'

const LINE_BREAK = /\r\n|[\r\n]/g

/** A configuration, and where its values came from where that is known. */
export interface DumpedConfig<Config extends object = object> {
  readonly config: Config
  readonly origins?: Readonly<Record<string, string | undefined>> | undefined
}

/** YAML text; `header` lines go on top as comments, e.g. the version and the command. */
export function dumpConfig(
  kind: ConfigKind,
  { config, origins = {} }: DumpedConfig,
  header: readonly string[] = [],
): string {
  const lines = header.flatMap((text) => text.split(LINE_BREAK)).map((text) => `# ${text}`.trimEnd())
  let section: string | undefined
  for (const key of Object.keys(kind.fields)) {
    const [outer, inner] = partsOf(kind, key)
    const value = valueAt(config, inner === undefined ? [outer] : [outer, inner])
    if (value === undefined) continue
    if (inner !== undefined && section !== outer) lines.push(`${outer}:`)
    section = inner === undefined ? undefined : outer
    const indent = inner === undefined ? '' : '  '
    lines.push(...linesOf(inner ?? outer, value, origins[key]).map((line) => (line === '' ? '' : indent + line)))
  }
  return `${lines.join('\n')}\n`
}

function linesOf(key: string, value: unknown, origin: string | undefined): string[] {
  // yaml-1.1: readers such as PyYAML take a bare `no` for false, so it gets quotes.
  const [first, ...rest] = stringify({ [key]: value }, { compat: 'yaml-1.1', lineWidth: 0 })
    .trimEnd()
    .split('\n')
  const comment = origin === undefined ? '' : ` # ${origin.replaceAll(LINE_BREAK, ' ')}`
  // After `|` a comment is allowed as well, so the end of the first line always takes one.
  return [first! + comment, ...rest]
}
