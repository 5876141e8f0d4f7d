// The variables that a script is run with: those that it reads, all of them, each of the type that it asks for.

import { UsageError } from '../../../errors.ts'
import { didYouMean } from '../../../nearest.ts'
import { type CheckedScript, checkScript } from './check-script.ts'
import { faultAt, ScriptError, type ScriptSource } from './script-error.ts'
import { type ScriptType, type ScriptValue, typeOfValue } from './script-type.ts'
import type { InputType, Statement } from './syntax.ts'

const MOST_NESTED = 64

/** The values by name, and the script checked with their types. */
export function readVariables(
  source: ScriptSource,
  statements: readonly Statement[],
  checked: CheckedScript,
  given: Readonly<Record<string, unknown>>,
): { values: Map<string, ScriptValue>; checked: CheckedScript } {
  const wanted = checked.variables
  const unused = Object.keys(given).filter((name) => !wanted.has(name))
  const missing = [...wanted].filter(([name, { isOptional }]) => !isOptional && !Object.hasOwn(given, name))
  if (missing.length > 0) {
    // A name that the script declares is not misspelt in it; one that it only reads may be.
    const knownFor = (name: string): string[] =>
      checked.names.get(name)?.kind === 'input' ? unused : [...unused, ...checked.names.keys()]
    throw new ScriptError(
      source.name,
      missing.map(([name, { at }]) =>
        faultAt(
          source,
          at,
          `expected a variable '${name}', got none.${
            didYouMean(
              name,
              knownFor(name).filter((other) => other !== name),
            ) || ` Give ${name} (on the command line, --var ${name}=VALUE)`
          }`,
        ),
      ),
    )
  }
  if (unused.length > 0) {
    const [name] = unused as [string]
    const names = [...wanted.keys()]
    const kind = checked.names.get(name)?.kind
    const what = kind === undefined || kind === 'input' ? 'another' : kind === 'hole' ? 'a hole' : `a name of ${kind}`
    throw new UsageError(
      `variables: expected ${names.length === 0 ? 'none' : names.join(', ')}, got '${name}', which is ${what} in ${source.name}.${didYouMean(name, names)}`.replace(
        /\.$/,
        '',
      ),
    )
  }
  const values = new Map<string, ScriptValue>()
  const types = new Map<string, ScriptType>()
  for (const [name, value] of Object.entries(given)) {
    const read = typed(name, wanted.get(name)!.type, checkedValue(name, value, 0))
    values.set(name, read)
    types.set(name, typeOfValue(read))
  }
  return { values, checked: checkScript(source, statements, types) }
}

/** A value that JSON can say. */
function checkedValue(name: string, value: unknown, depth: number): ScriptValue {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null || Number.isFinite(value))
    return value as ScriptValue
  if (depth > MOST_NESTED)
    throw new UsageError(`variables: expected values nested at most ${MOST_NESTED} deep for ${name}`)
  if (Array.isArray(value)) return value.map((item) => checkedValue(name, item, depth + 1))
  if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value)))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, checkedValue(name, item, depth + 1)]))
  throw new UsageError(
    `variables: expected what JSON can say for ${name}, got ${typeof value === 'object' ? 'an object of a class' : String(value)}`,
  )
}

const EXPECTED: Readonly<Record<InputType, string>> = {
  str: 'a text',
  int: 'a whole number',
  float: 'a number',
  bool: 'true or false',
  list: 'a list',
  json: 'JSON',
}

/** The value as its type says; a text, as a command line gives it, is read. */
function typed(name: string, type: InputType | undefined, value: ScriptValue): ScriptValue {
  if (type === undefined || (type === 'json' && typeof value !== 'string')) return value
  const read = typeof value === 'string' && type !== 'str' ? parsed(value, type) : value
  const isRight = {
    str: typeof read === 'string',
    int: Number.isSafeInteger(read),
    float: typeof read === 'number',
    bool: typeof read === 'boolean',
    list: Array.isArray(read),
    json: read !== undefined,
  }[type]
  if (isRight) return read as ScriptValue
  throw new UsageError(`variables: expected ${EXPECTED[type]} for ${name}, got ${JSON.stringify(value).slice(0, 60)}`)
}

function parsed(text: string, type: InputType): ScriptValue | undefined {
  if ((type === 'int' || type === 'float') && !/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return undefined
  try {
    return checkedValue(type, JSON.parse(text), 0)
  } catch {
    return undefined
  }
}
