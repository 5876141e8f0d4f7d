// The command line of one command: words → typed values, or a UsageError that names the option.
// A hand-written loop and not a library: it costs nothing at start-up, and `anneal train` needs the rules of
// `--key value` overrides (see overrides.ts) inside the same pass.

import type { Override } from '../config/overrides.ts'
import { UsageError } from '../errors.ts'
import { didYouMean } from '../nearest.ts'
import { type Command, camelCase, type Invocation, type OptionSpec } from './command.ts'

/** Options that every command knows; `main` takes care of them. */
export const COMMON_OPTIONS: Readonly<Record<'json' | 'debug' | 'help', OptionSpec & { kind: 'flag' }>> = {
  json: { kind: 'flag', summary: 'write only JSON to standard output' },
  debug: { kind: 'flag', summary: 'show the stack of an error' },
  help: { kind: 'flag', summary: 'show this help' },
}

export interface ParsedArguments extends Omit<Invocation, 'output'> {
  json: boolean
  help: boolean
}

/** Parses the words after the command's name. Accepts `--a v`, `--a=v`, `--no-a`, repeated lists, `--` and `-h`. */
export function parseArguments(command: Command, words: readonly string[]): ParsedArguments {
  const table: Readonly<Record<string, OptionSpec>> = { ...command.options, ...COMMON_OPTIONS }
  const values = new Map<string, unknown>()
  const positionals: string[] = []
  const overrides: Override[] = []

  for (let index = 0; index < words.length; index++) {
    const word = words[index]!
    if (word === '--') {
      positionals.push(...words.slice(index + 1))
      break
    }
    if (word === '-h') {
      values.set('help', true)
      continue
    }
    if (!word.startsWith('--')) {
      // A lone '-' is standard input by convention, and '-1' may be a number that a command takes.
      if (word.startsWith('-') && !/^-(?:$|[\d.])/.test(word)) {
        throw new UsageError(`unknown option '${word}': options have two dashes. Run with --help to see them`)
      }
      positionals.push(word)
      continue
    }
    const equals = word.indexOf('=')
    const written = equals < 0 ? word : word.slice(0, equals)
    const inline = equals < 0 ? undefined : word.slice(equals + 1)
    const name = written.slice(2).replaceAll('_', '-')
    const next = words[index + 1]
    const isValue = next !== undefined && !next.startsWith('--')

    if (Object.hasOwn(table, name)) {
      const spec = table[name]!
      if (spec.kind === 'flag') {
        values.set(name, inline === undefined ? true : readBoolean(written, inline))
        continue
      }
      const text = inline ?? (isValue ? next : undefined)
      if (text === undefined) throw new UsageError(`${written}: expected ${valueName(spec)} after it, got nothing`)
      if (inline === undefined) index++
      const value = readValue(written, text, spec)
      if (spec.kind === 'list') values.set(name, [...((values.get(name) as string[]) ?? []), value])
      else values.set(name, once(written, values, name, value))
      continue
    }
    const denied = name.startsWith('no-') ? name.slice(3) : undefined
    if (denied !== undefined && Object.hasOwn(table, denied) && table[denied]!.kind === 'flag') {
      if (inline !== undefined) throw new UsageError(`${written}: expected no value, got '${inline}'`)
      values.set(denied, false)
      continue
    }
    if (command.overrides === undefined) throw unknownOption(written, name, Object.keys(table))

    const key = written.slice(2).replaceAll('-', '_')
    if (inline !== undefined) overrides.push({ key, value: inline, flag: written })
    else if (denied !== undefined && !command.overrides.keys.includes(key)) {
      overrides.push({ key: key.slice(3), value: false, flag: written })
    } else if (isValue && command.overrides.takesValue(key, next)) {
      overrides.push({ key, value: next, flag: written })
      index++
    } else overrides.push({ key, value: true, flag: written })
  }

  const help = values.get('help') === true
  if (!help) checkPositionals(command, positionals)
  const options: Record<string, unknown> = {}
  for (const [name, spec] of Object.entries(command.options)) {
    options[camelCase(name)] = values.get(name) ?? defaultOf(name, spec, help)
  }
  return { positionals, options, overrides, given: new Set(values.keys()), json: values.get('json') === true, help }
}

/** What stands for an option's value in help and errors. */
export function valueName(spec: OptionSpec): string {
  if (spec.kind === 'choice') return spec.choices.join('|')
  return spec.value ?? (spec.kind === 'integer' || spec.kind === 'number' ? 'N' : 'TEXT')
}

function defaultOf(name: string, spec: OptionSpec, isHelp: boolean): unknown {
  if (spec.kind === 'flag') return false
  if (spec.required && !isHelp)
    throw new UsageError(`--${name}: expected ${valueName(spec)}, got nothing. It is required`)
  return spec.kind === 'list' ? [] : spec.default
}

function readValue(written: string, text: string, spec: OptionSpec): unknown {
  if (spec.kind === 'choice') {
    if (spec.choices.includes(text)) return text
    const hint = didYouMean(text, spec.choices)
    throw new UsageError(`${written}: expected ${spec.choices.join(' or ')}, got '${text}'.${hint}`)
  }
  if (spec.kind !== 'integer' && spec.kind !== 'number') return text
  const number = text.trim() === '' ? Number.NaN : Number(text)
  const isFine = spec.kind === 'integer' ? Number.isSafeInteger(number) : Number.isFinite(number)
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = spec
  if (isFine && number >= min && number <= max) return number
  const kind = spec.kind === 'integer' ? 'a whole number' : 'a number'
  const low = spec.min === undefined ? '' : ` ≥ ${spec.min}`
  const most = spec.max ?? (spec.kind === 'integer' && number > Number.MAX_SAFE_INTEGER ? '2^53 − 1' : undefined)
  const high = most === undefined ? '' : ` ≤ ${most}`
  throw new UsageError(`${written}: expected ${kind}${low}${low && high ? ' and' : ''}${high}, got '${text}'`)
}

function readBoolean(written: string, text: string): boolean {
  if (text === 'true') return true
  if (text === 'false') return false
  throw new UsageError(`${written}: expected true or false, got '${text}'`)
}

function once(written: string, values: Map<string, unknown>, name: string, value: unknown): unknown {
  if (values.has(name)) throw new UsageError(`${written}: expected once, got it twice`)
  return value
}

function unknownOption(written: string, name: string, names: string[]): UsageError {
  const hint = didYouMean(name, names, '--')
  return new UsageError(`unknown option '${written}'.${hint || ' Run with --help to see the options'}`)
}

function checkPositionals(command: Command, positionals: string[]): void {
  const { name = '', min = 0, max = 0 } = command.positionals ?? {}
  if (positionals.length < min) {
    const got = positionals.map((word) => `'${word}'`).join(' ') || 'nothing'
    throw new UsageError(`expected ${name}, got ${got}. Run with --help to see how`)
  }
  if (positionals.length > max) {
    throw new UsageError(`unexpected argument '${positionals[max]}'. Run with --help to see what goes there`)
  }
}
