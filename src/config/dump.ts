// The resolved configuration as YAML, to be saved beside the result: every key with its value and its origin.
// Reading it back gives the same configuration.

import { stringify } from 'yaml'
import { CONFIG_KEYS, type ConfigKey, type TrainConfig } from './schema.ts'

const LINE_BREAK = /\r\n|[\r\n]/g

/** A configuration, and where its values came from where that is known. */
export interface DumpedConfig {
  readonly config: TrainConfig
  readonly origins?: Readonly<Partial<Record<ConfigKey, string>>> | undefined
}

/** YAML text; `header` lines go on top as comments, e.g. the version and the command. */
export function dumpConfig({ config, origins = {} }: DumpedConfig, header: readonly string[] = []): string {
  const lines = header.flatMap((text) => text.split(LINE_BREAK)).map((text) => `# ${text}`.trimEnd())
  for (const key of CONFIG_KEYS) {
    if (config[key] === undefined) continue
    // yaml-1.1: readers such as PyYAML take a bare `no` for false, so it gets quotes.
    const text = stringify({ [key]: config[key] }, { compat: 'yaml-1.1', lineWidth: 0 }).trimEnd()
    const end = text.indexOf('\n')
    const origin = origins[key]
    const comment = origin === undefined ? '' : ` # ${origin.replaceAll(LINE_BREAK, ' ')}`
    // After `|` a comment is allowed as well, so the end of the first line always takes one.
    lines.push(end < 0 ? text + comment : text.slice(0, end) + comment + text.slice(end))
  }
  return `${lines.join('\n')}\n`
}
