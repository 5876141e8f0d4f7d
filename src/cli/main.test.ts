import { describe, expect, it } from 'vitest'
import { trainOverrides } from '../config/train-kind.ts'
import { qprunerOverrides } from '../run/qpruner/config.ts'
import { parseArguments } from './arguments.ts'
import { type Command, defineCommand } from './command.ts'
import { commandHelp } from './help.ts'
import { COMMANDS, main } from './main.ts'

async function run(...words: string[]) {
  const written = { out: '', err: '' }
  const stdout = { write: (text: string) => (written.out += text) }
  const stderr = { write: (text: string) => (written.err += text) }
  return { code: await main(words, { stdout, stderr }), ...written }
}

describe('main', () => {
  it('shows the overview for --help, and as an error for nothing', async () => {
    const asked = await run('--help')
    expect(asked).toMatchObject({ code: 0, err: '' })
    for (const [name, { summary }] of Object.entries(COMMANDS)) {
      expect(asked.out).toContain(name)
      expect(asked.out.replaceAll(/\s+/g, ' ')).toContain(summary)
    }
    for (const option of ['--version', '--json', '--debug', '--help']) expect(asked.out).toContain(`  ${option} `)
    expect(await run()).toEqual({ code: 2, out: '', err: asked.out })
    expect((await run('-h')).out).toBe(asked.out)
  })

  it('shows its version', async () => {
    expect(await run('--version')).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })

  it.each(Object.entries(COMMANDS))(
    'has a command %s that loads and explains itself',
    async (name, { summary, load }) => {
      const { command } = await load()
      expect(command.summary).toBe(summary)
      const { code, out } = await run(...name.split(' '), '--help')
      expect(code).toBe(0)
      expect(out).toContain(`Usage: anneal ${name}`)
      expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
    },
  )

  it('explains a word that begins several commands', async () => {
    const { code, out, err } = await run('tokenizer', '--help')
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^Usage: anneal tokenizer <command>.*\n {2}tokenizer train +train a byte-level/s)
    expect((await run('--help', 'tokenizer')).out).toBe(out)
    expect((await run('zebra', '--help')).code).toBe(2)
  })

  it('takes help for a command, too', async () => {
    expect(await run('help', 'train')).toEqual(await run('train', '--help'))
    expect(await run('help', 'tokenizer', 'train')).toEqual(await run('tokenizer', 'train', '--help'))
    expect(await run('help')).toEqual(await run('--help'))
    expect(await run('help', 'zebra')).toMatchObject({
      code: 2,
      err: expect.stringContaining("unknown command 'zebra'"),
    })
  })

  it('tells each command’s own defaults', async () => {
    const helpOf = async (name: string): Promise<string> => (await run(name, '--help')).out.replaceAll(/\s+/g, ' ')
    const [generate, chat] = [await helpOf('generate'), await helpOf('chat')]
    const defaults = (help: string): string[] =>
      ['max-new-tokens', 'temperature', 'top-p'].map(
        (name) => new RegExp(`--${name} .*?json, else ([\\d.]+)\\)`).exec(help)![1]!,
      )
    expect(defaults(generate)).toEqual(['256', '0', '1'])
    expect(defaults(chat)).toEqual(['1024', '0.8', '0.95'])
    expect(generate).not.toContain('chat')
  })

  it('gives every key of a training configuration a line, in groups', async () => {
    const { out } = await run('train', '--help')
    for (const key of trainOverrides.keys) expect(out).toContain(`  --${key} `)
    expect(out).toMatch(/^Optimization:$/m)
  })

  it('gives every key of QPruner a line, with its section', async () => {
    const { out } = await run('qpruner', '--help')
    for (const key of qprunerOverrides.keys) expect(out).toContain(`  --${key} `)
    expect(out).toMatch(/^ {2}--quantize\.budget_bits X {3,}Bits per weight on average.*\n.*\(required\)$/m)
    expect(out).toContain('`anneal schema qpruner`')
    const { properties } = JSON.parse((await run('schema', 'qpruner')).out)
    expect(properties.prune.properties.ratio.description).toContain('Share')
  })

  it.each([
    [['schmea'], "error: unknown command 'schmea'. Did you mean 'schema'?\n"],
    [['zebra'], "error: unknown command 'zebra'. Run `anneal --help` to see the commands\n"],
    [['__proto__'], "error: unknown command '__proto__'. Run `anneal --help` to see the commands\n"],
    [['--hlep'], "error: unknown option '--hlep'. Did you mean '--help'?\n"],
    [['schema', '--jsn'], "error: unknown option '--jsn'. Did you mean '--json'?\n"],
    [['methods', 'x'], "error: unexpected argument 'x'. Run with --help to see what goes there\n"],
    [
      ['schema', 'qprune'],
      "error: anneal schema: expected train, qpruner, curate or synth, got 'qprune'. Did you mean 'qpruner'?\n",
    ],
  ])('answers %j with one line and exit code 2', async (words, err) => {
    expect(await run(...words)).toEqual({ code: 2, out: '', err })
  })

  it('shows the stack with --debug only', async () => {
    expect((await run('schema', 'x', '--debug')).err).toMatch(/^error: .*\nUsageError: .*\n {4}at /)
    expect((await run('--debug', 'schema', 'x')).err).toMatch(/\n {4}at /)
    expect((await run('schema', '--', '--debug')).err).not.toMatch(/\n {4}at /)
  })

  it('prints the schema as JSON, with --json on one line', async () => {
    const people = await run('schema')
    const programs = await run('schema', '--json')
    expect(JSON.parse(people.out)).toEqual(JSON.parse(programs.out))
    expect(programs.out.trimEnd()).not.toContain('\n')
    expect([people.err, programs.err]).toEqual(['', ''])
  })

  it('lists methods as text or as JSON lines', async () => {
    const rows = (await run('methods', '--json')).out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const lines = (await run('methods')).out.trimEnd().split('\n')
    expect(lines.length).toBe(rows.length)
    for (const [index, { slug }] of rows.entries()) expect(lines[index]!.startsWith(slug)).toBe(true)
  })
})

describe('commandHelp', () => {
  const command: Command = defineCommand({
    summary: 'train a model from a configuration',
    positionals: { name: 'CONFIG.yaml', summary: 'the configuration', min: 0, max: 1 },
    overrides: { ...trainOverrides, keys: ['stage', 'seed'] },
    examples: ['train run.yaml --seed 7'],
    options: {
      model: { kind: 'text', value: 'DIR', summary: 'model directory', required: true },
      'max-new-tokens': { kind: 'integer', summary: 'how many tokens are made', default: 64 },
      stop: { kind: 'list', value: 'TEXT', summary: 'stop at this text' },
      'dry-run': {
        kind: 'flag',
        summary: 'show what would happen, with a long explanation that does not fit on a single line of the help',
      },
    },
    run: async () => {},
  })

  it('lists arguments, options, overrides and examples', () => {
    expect(commandHelp('train', command)).toBe(`Train a model from a configuration.

Usage: anneal train [CONFIG.yaml] [--key value …] [options]

Arguments:
  CONFIG.yaml  the configuration

Options:
  --model DIR         model directory (required)
  --max-new-tokens N  how many tokens are made (default 64)
  --stop TEXT         stop at this text (may be repeated)
  --dry-run           show what would happen, with a long explanation that does not fit on a single
                      line of the help
  --json              write only JSON to standard output
  --debug             show the stack of an error
  --help              show this help

Each of these is a key of the YAML file, too; \`anneal schema\` has all that is to be said of them.

Examples:
  anneal train run.yaml --seed 7
`)
  })

  it('needs no required option', () => {
    expect(parseArguments(command, ['--help']).help).toBe(true)
  })
})
