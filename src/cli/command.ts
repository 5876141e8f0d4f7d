// What a command of `anneal` is: one line for the overview, options as data, and a function.
// Options as data give typed values, help, suggestions and the surface snapshot from one table.
// Nothing here imports more than types and errors, so that `anneal --help` stays fast.

import type { KeyGroup } from '../config/key-groups.ts'
import type { Override, OverrideSyntax } from '../config/overrides.ts'
import { saidInKeys } from '../run/train/in-keys.ts'
import type { Paint } from './colour.ts'
import type { Output } from './output.ts'

interface OptionBase {
  /** One clause for the help, without a full stop. */
  summary: string
  /** Name of the value in the help, such as `DIR`; upper case. */
  value?: string
  /** What the library calls it, where that is not `maxNewTokens` for `max-new-tokens`: its errors are said of this option. */
  library?: string
}

/** One `--name` of a command. `list` may be repeated; a `flag` takes no value and knows `--no-name`. */
export type OptionSpec =
  | (OptionBase & { kind: 'text'; default?: string; required?: true })
  | (OptionBase & { kind: 'integer' | 'number'; default?: number; min?: number; max?: number; required?: true })
  | (OptionBase & { kind: 'choice'; choices: readonly string[]; default?: string; required?: true })
  | (OptionBase & { kind: 'list'; required?: true })
  | (OptionBase & { kind: 'flag' })

export type OptionTable = Readonly<Record<string, OptionSpec>>

/** `max-new-tokens` in the table is `maxNewTokens` in the code. */
export type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

type ValueOf<Spec extends OptionSpec> = Spec extends { kind: 'flag' }
  ? boolean
  : Spec extends { kind: 'list' }
    ? string[]
    : Spec extends { kind: 'integer' | 'number' }
      ? number | MissingOf<Spec>
      : Spec extends { kind: 'choice'; choices: readonly (infer Choice)[] }
        ? Choice | MissingOf<Spec>
        : string | MissingOf<Spec>

type MissingOf<Spec> = Spec extends { default: string | number } | { required: true } ? never : undefined

/** The values that a table of options gives. */
export type OptionValues<Table extends OptionTable> = {
  [Name in keyof Table & string as CamelCase<Name>]: ValueOf<Table[Name]>
}

/** What a command runs with. Options that were not given and have no default are `undefined`; lists are empty. */
export interface Invocation<Options = Record<string, unknown>> {
  /** What was given without a dash, in order. */
  positionals: string[]
  options: Options
  /** `--key value` pairs that the command does not define itself; empty unless it has `overrides`. */
  overrides: Override[]
  output: Output
  /** Names on the command line that did not come from a default, as `max-new-tokens`. */
  given: ReadonlySet<string>
}

/** How many arguments without a dash a command takes; `name` is shown in the help, e.g. `TEXT…`. */
export interface PositionalSpec {
  name: string
  summary: string
  min: number
  max: number
}

interface CommandBase {
  /** One clause, shown in `anneal --help`. */
  summary: string
  positionals?: PositionalSpec
  /** Example lines without the leading `anneal `. */
  examples?: readonly string[]
  overrides?: OverrideSyntax
  /** The keys that `overrides` takes, in groups for the help. */
  keyGroups?: () => readonly KeyGroup[]
}

/** A command as `main` runs it. Returns the exit code if it is not 0. */
export interface Command extends CommandBase {
  options: OptionTable
  run: (invocation: Invocation) => Promise<number> | Promise<void>
  /** The help where it depends on the arguments. Default: what the table says. */
  help?: (invocation: Invocation, paint: Paint) => Promise<string>
}

/**
 * Makes a command whose `run` sees its options typed from the table. What the library says of an option is said of `--option`.
 *
 * @example
 * export const command: Command = defineCommand({
 *   summary: 'continue a text',
 *   options: { model: { kind: 'text', value: 'DIR', summary: 'model directory', required: true } },
 *   run: async ({ options, output }) => output.result(await continueText(options.model)),
 * })
 */
export function defineCommand<const Table extends OptionTable>(
  definition: CommandBase & {
    options: Table
    run: (invocation: Invocation<OptionValues<Table>>) => Promise<number> | Promise<void>
  },
): Command {
  const { options, run } = definition as unknown as Command
  return {
    ...definition,
    options,
    run: async (invocation): Promise<number> => {
      try {
        return (await run(invocation)) ?? 0
      } catch (error) {
        throw saidInKeys(namesOf(options), error)
      }
    },
  }
}

/** `topP`, `top_p` and the library's own name → `--top-p`. */
function namesOf(options: OptionTable): Record<string, string> {
  const spellings = (name: string, { library }: OptionSpec): string[] =>
    library === undefined ? [name.replaceAll('-', '_'), camelCase(name)] : [library]
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, spec]) => spellings(name, spec).map((spelled) => [spelled, `--${name}`])),
  )
}

/** `max-new-tokens` → `maxNewTokens`. */
export function camelCase(name: string): string {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}
