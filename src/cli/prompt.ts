// `anneal prompt FILE.ps --model DIR --var NAME=VALUE`: runs a script of prompts, writes its text as it comes, and what it came to.

import { InputError, UsageError } from '../errors.ts'
import type { Lm } from '../lm/lm.ts'
import { printable } from '../printable.ts'
import type { Model, Script, ScriptError, ScriptOptions, ScriptResult } from '../prompting/index.ts'
import { counted } from '../report/amounts.ts'
import { type Command, defineCommand, type OptionValues } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import { openWriter } from './open-lm.ts'
import type { Output } from './output.ts'
import { readInput } from './read-input.ts'
import { stopOnSignals } from './stop-on-signals.ts'

const { required: _, ...model } = MODEL_OPTIONS.model

export const command: Command = defineCommand({
  summary: 'run a script of prompts: holes with types, conditions, branches and loops',
  positionals: { name: 'FILE', summary: 'the script, - for standard input; docs/promptscript.md', min: 1, max: 1 },
  options: {
    model: { ...model, summary: `${model.summary}; with --url, its name there` },
    url: {
      kind: 'text',
      value: 'URL',
      summary: 'ask a service in the dialect of OpenAI instead, such as https://host/v1',
    },
    adapter: MODEL_OPTIONS.adapter,
    var: { kind: 'list', value: 'NAME=VALUE', summary: 'a variable of the script', library: 'variables' },
    vars: { kind: 'text', value: 'FILE', summary: 'variables as a JSON object, lists and numbers among them' },
    seed: { kind: 'integer', value: 'S', summary: 'same seed, same text; without one, another each time', min: 0 },
    'max-steps': { kind: 'integer', value: 'N', summary: 'statements to run at most (default: 10000)', min: 1 },
    trace: { kind: 'text', value: 'FILE', summary: 'write every call of the model to this file, as JSON lines' },
    'dry-run': { kind: 'flag', summary: 'check, and show the text with made-up answers; needs no model' },
    device: MODEL_OPTIONS.device,
    dtype: MODEL_OPTIONS.dtype,
    threads: MODEL_OPTIONS.threads,
  },
  examples: [
    'prompt examples/review.ps --model runs/tiny --var review=cold',
    'prompt review.ps --model runs/tiny --vars reviews.json --json --trace calls.jsonl',
    'prompt review.ps --dry-run --var review=x',
  ],
  run: async ({ positionals, options, output }) => {
    const [file] = positionals as [string]
    const { script, ScriptError } = await import('../prompting/index.ts')
    const stop = stopOnSignals(output, `ending the call${options.trace === undefined ? '' : ' and writing the trace'}`)
    try {
      const program = script(await readInput(file), { name: file === '-' ? 'standard input' : file })
      const variables = await variablesOf(options)
      if (options.model === undefined && !options.dryRun)
        throw new UsageError('--model: expected a model (or --dry-run), got nothing')
      const run: ScriptOptions = {
        ...(options.seed !== undefined && { seed: options.seed }),
        ...(options.maxSteps !== undefined && { maxSteps: options.maxSteps }),
        signal: stop.signal,
      }
      program.check(variables) // whatever is wrong with them is said before a model is loaded
      const asked = await askedOf(options, output)
      stop.listen()
      await runScript(program, asked, variables, run, options, output)
      return 0
    } catch (error) {
      if (stop.code !== undefined && stop.signal.aborted) return stop.code
      if (!(error instanceof ScriptError)) throw error
      return tellFaults(error, file === '-' ? 'standard input' : file, output)
    } finally {
      stop.release()
    }
  },
})

/** Runs it onto `output`: the text as it comes, holes in colour, or one object with `--json`. */
export async function runScript(
  program: Script,
  asked: Model | Lm,
  variables: Readonly<Record<string, unknown>>,
  run: ScriptOptions,
  { trace: file, dryRun: isDry }: { trace?: string | undefined; dryRun?: boolean },
  output: Output,
): Promise<void> {
  const { dryRun, trace } = await import('../prompting/index.ts')
  const work = async (): Promise<ScriptResult> => {
    const pieces = program.stream(asked, variables, run)
    for (let isFirst = true; ; isFirst = false) {
      const next = await pieces.next()
      if (next.done === true) return next.value
      if (!output.isJson) writePiece(next.value, output, isFirst)
    }
  }
  const { value: result, calls } = isDry ? await dryRun(work) : await trace(work, file === undefined ? {} : { file })
  if (!output.isJson) output.stdout.write('\n')
  const { text, values, value, messages } = result
  output.emit({ text, values, ...(value !== null && { value }), ...(messages !== undefined && { messages }) })
  if (output.isJson) return
  if (value !== null) output.note(`returned: ${JSON.stringify(value)}`)
  const made = calls.reduce((sum, { answer }) => sum + (answer?.usage.completionTokens ?? 0), 0)
  output.note(
    `${counted(calls.length, 'call')}, ${isDry ? 'none made: the answers are made up' : `${counted(made, 'token')} made`}`,
    'quiet',
  )
}

function writePiece(
  { text, hole, role }: { text: string; hole?: string; role?: string },
  { stdout, paintResult: paint }: Output,
  isFirst: boolean,
): void {
  const shown = stdout.isTTY ? printable(text) : text
  const turn = role === undefined ? '' : `${isFirst ? '' : '\n'}${paint('quiet', `${role}:`)} `
  stdout.write(`${turn}${hole === undefined ? shown : paint('good', shown)}`)
}

/** Every fault with its line and a mark under the place; the exit code. */
function tellFaults({ faults, exitCode }: ScriptError, file: string, output: Output): number {
  for (const { line, column, message, excerpt } of faults) {
    output.note(`error: ${file}:${line}:${column}: ${message}`)
    for (const shown of excerpt.split('\n')) output.note(`  ${shown}`)
  }
  return exitCode
}

type Asked = Omit<OptionValues<typeof MODEL_OPTIONS>, 'model'> & { model: string | undefined; url: string | undefined }

/** A model of ours, a service, or for a dry run without either one that is never asked. */
async function askedOf({ url, model: name, ...options }: Asked, output: Output): Promise<Model | Lm> {
  if (url !== undefined && options.adapter.length > 0)
    throw new UsageError('--adapter: expected it without --url, got both')
  if (url !== undefined) return (await import('../prompting/index.ts')).connect(url, { model: name ?? 'none' })
  if (name === undefined) return (await import('../lm/index.ts')).fakeLm()
  return openWriter({ ...options, model: name }, output)
}

/** The variables of `--vars` and `--var`. */
async function variablesOf({
  var: given,
  vars,
}: {
  var: readonly string[]
  vars: string | undefined
}): Promise<Record<string, unknown>> {
  const variables = new Map(vars === undefined ? [] : Object.entries(await objectOf(vars)))
  for (const one of given) {
    const at = one.indexOf('=')
    if (at < 1) throw new UsageError(`--var: expected NAME=VALUE such as --var dish=pizza, got '${one}'`)
    const name = one.slice(0, at)
    if (variables.has(name)) throw new UsageError(`--var: expected '${name}' once, got it twice`)
    variables.set(name, one.slice(at + 1))
  }
  return Object.fromEntries(variables)
}

async function objectOf(file: string): Promise<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(await readInput(file))
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new InputError(`--vars ${file}: expected JSON, got ${cause.message}`, { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new InputError(
    `--vars ${file}: expected an object such as {"dish": "pizza"}, got ${Array.isArray(value) ? 'a list' : JSON.stringify(value).slice(0, 40)}`,
  )
}
