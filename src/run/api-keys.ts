// The keys of a server, from where people keep them: the command line, the environment, a file.
import { readFileSync } from 'node:fs'
import { InputError } from '../errors.ts'

/** Where keys are. */
export interface KeySources {
  given?: readonly string[]
  /** One key a line; empty lines, and those that begin with #, are passed over. */
  file?: string | undefined
  /** `ANNEAL_API_KEY` of it is one more. */
  environment?: Readonly<Record<string, string | undefined>>
}

/** All keys, each once. InputError for a file without any, and for a line that no request could send: a server that was to have keys must not go without. */
export function apiKeys({ given = [], file, environment = {} }: KeySources): string[] {
  const lines =
    file === undefined
      ? []
      : readFileSync(file, 'utf8')
          .replace(/^\ufeff/, '')
          .split(/\r?\n/)
  const stored = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
  const wrong = lines.findIndex((line) => stored.includes(line.trim()) && !/^[\x21-\x7e]+$/.test(line.trim()))
  if (wrong !== -1)
    throw new InputError(
      `${file}:${wrong + 1}: expected a key of visible ASCII characters without spaces, got something else`,
    )
  if (file !== undefined && stored.length === 0) throw new InputError(`${file}: expected a key on a line, got none`)
  const { ANNEAL_API_KEY: own = '' } = environment
  return [...new Set([...given, ...(own === '' ? [] : [own]), ...stored])]
}
