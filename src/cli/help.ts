// The help texts: `anneal --help` and `anneal <command> --help`. Plain strings for people, 100 columns at most.

import { COMMON_OPTIONS, valueName } from './arguments.ts'
import type { Paint } from './colour.ts'
import type { Command, OptionSpec } from './command.ts'

const WIDTH = 100

/** The overview: every command with its one line. */
export function overviewHelp(
  commands: readonly { name: string; summary: string }[],
  paint: Paint = (_look, text) => text,
): string {
  const lines = [
    'Anneal takes an open language model through its whole life.',
    '',
    'Usage: anneal <command> [options]',
    '',
    'Commands:',
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    '',
    'Options:',
    ...columns([
      ['--version', 'show the version'],
      ['--json', `${COMMON_OPTIONS.json.summary}, in every command`],
      ['--debug', COMMON_OPTIONS.debug.summary],
      ['--help', 'show this help; after a command, the help of that command'],
    ]),
    '',
  ]
  return painted(lines, paint).join('\n')
}

/** The help of a word that begins several commands, such as `tokenizer`. */
export function groupHelp(
  name: string,
  commands: readonly { name: string; summary: string }[],
  paint: Paint = (_look, text) => text,
): string {
  const rows = columns(commands.map(({ name: each, summary }) => [each, summary]))
  return `${painted([`Usage: anneal ${name} <command> [options]`, '', 'Commands:', ...rows], paint).join('\n')}\n`
}

/** The help of one command. `name` may be two words, such as `tokenizer train`. */
export function commandHelp(name: string, command: Command, paint: Paint = (_look, text) => text): string {
  const { positionals, overrides, examples = [] } = command
  const usage = ['anneal', name, positionals && (positionals.min > 0 ? positionals.name : `[${positionals.name}]`)]
  if (overrides) usage.push('[--key value …]')
  usage.push('[options]')
  const sections = [`${capitalised(command.summary)}.`, '', `Usage: ${usage.filter(Boolean).join(' ')}`]
  if (positionals) sections.push('', 'Arguments:', ...columns([[positionals.name, positionals.summary]]))
  const rows = Object.entries({ ...command.options, ...COMMON_OPTIONS }).map(optionRow)
  sections.push('', 'Options:', ...columns(rows))
  for (const { title, keys } of command.keyGroups?.() ?? []) {
    const keyRows = keys.map(({ key, value, summary }): [string, string] => [`--${key} ${value}`, summary])
    sections.push('', `${title}:`, ...columns(keyRows))
  }
  if (overrides)
    sections.push(
      '',
      ...wrapped(
        `Each of these is a key of the YAML file, too; \`${overrides.schemaCommand}\` has all that is to be said of them.`,
        WIDTH,
      ),
    )
  if (examples.length > 0) sections.push('', 'Examples:', ...examples.map((line) => `  anneal ${line}`))
  return `${painted(sections, paint).join('\n')}\n`
}

/** Headings stand out. */
function painted(lines: readonly string[], paint: Paint): string[] {
  return lines.map((line) => (/^[A-Z].*:$/.test(line) ? paint('title', line) : line))
}

function optionRow([name, spec]: [string, OptionSpec]): [string, string] {
  if (spec.kind === 'flag') return [`--${name}`, spec.summary]
  const notes = []
  if (spec.kind === 'list') notes.push('may be repeated')
  else if (spec.default !== undefined) notes.push(`default ${spec.default}`)
  if (spec.required) notes.push('required')
  return [`--${name} ${valueName(spec)}`, spec.summary + (notes.length > 0 ? ` (${notes.join(', ')})` : '')]
}

/** Terms and what they mean, beside each other. */
export function columns(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.min(30, Math.max(...rows.map(([term]) => term.length))) + 4
  return rows.flatMap(([term, text]) => {
    const lines = wrapped(text, WIDTH - left)
    const isLong = term.length + 4 > left
    const first = isLong ? [`  ${term}`] : []
    const rest = lines.map(
      (line, index) => (index === 0 && !isLong ? `  ${term}`.padEnd(left) : ' '.repeat(left)) + line,
    )
    return [...first, ...rest]
  })
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
