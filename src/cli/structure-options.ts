// What a text has to be, on the command line: JSON of a schema, a match of a regular expression, a text of a grammar, one of some choices.

import { InputError, UsageError } from '../errors.ts'
import type { Structure } from '../grammar/grammar.ts'
import type { OptionValues } from './command.ts'
import { readInput } from './read-input.ts'

export const STRUCTURE_OPTIONS = {
  'json-schema': {
    kind: 'text',
    value: 'FILE|JSON',
    summary: 'make JSON that satisfies this schema; true is any JSON',
  },
  regex: { kind: 'text', value: 'REGEX', summary: 'make a text that this regular expression matches as a whole' },
  grammar: { kind: 'text', value: 'FILE', summary: 'make a text of this grammar, in the notation of GBNF' },
  choice: { kind: 'list', value: 'TEXT', summary: 'make one of these texts' },
} as const

/** The structure that is asked for; undefined where none is. UsageError for two, InputError for a schema that is no JSON. */
export async function structureOf(options: OptionValues<typeof STRUCTURE_OPTIONS>): Promise<Structure | undefined> {
  const { jsonSchema, regex, grammar, choice } = options
  const given = [
    ['json-schema', jsonSchema !== undefined],
    ['regex', regex !== undefined],
    ['grammar', grammar !== undefined],
    ['choice', choice.length > 0],
  ] as const
  const [first, second] = given.filter(([, is]) => is).map(([name]) => name)
  if (second !== undefined) throw new UsageError(`--${second}: expected it or --${first}, got both`)
  if (jsonSchema !== undefined) return { json_schema: await schemaOf(jsonSchema) }
  if (regex !== undefined) return { regex }
  if (grammar !== undefined) return { grammar: await readInput(grammar) }
  return choice.length > 0 ? { choice } : undefined
}

async function schemaOf(given: string): Promise<unknown> {
  const isInline = /^\s*(?:\{|true\s*$|false\s*$)/.test(given)
  const text = isInline ? given : await readInput(given)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new InputError(
      `--json-schema${isInline ? '' : ` ${given}`}: expected JSON, got ${(cause as Error).message}`,
      { cause },
    )
  }
}
