// `anneal service FILE NAME`: a service from a file, with its fields as options, or all of a file's services as tools over MCP.

import { messageOf, UsageError } from '../errors.ts'
import { printable } from '../printable.ts'
import type { Service } from '../prompting/service/service.ts'
import { type Command, defineCommand, type OptionValues } from './command.ts'
import { columns, commandHelp } from './help.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import type { Output } from './output.ts'
import { readInput } from './read-input.ts'
import { stopOnSignals } from './stop-on-signals.ts'

const OPTIONS = {
  input: { kind: 'text', value: 'JSON', summary: 'the whole input as JSON; - reads it from standard input' },
  model: {
    kind: 'text',
    value: 'DIR',
    summary: 'model directory, GGUF file, or name on the hub, for a file that makes its services of a model',
  },
  mcp: { kind: 'flag', summary: 'gives all services of the file as tools over MCP, on the pipes of this process' },
  device: MODEL_OPTIONS.device,
  dtype: MODEL_OPTIONS.dtype,
  threads: MODEL_OPTIONS.threads,
} as const

export const command: Command = {
  ...defineCommand({
    summary: 'run a service from a file, or give its services as tools over MCP',
    positionals: { name: 'FILE [NAME]', summary: 'an ES module of services, and the one to run', min: 1, max: 2 },
    options: OPTIONS,
    overrides: { keys: [], takesValue: () => true, schemaCommand: 'anneal service FILE NAME --help' },
    examples: [
      'service services.mjs',
      'service services.mjs mood --help',
      "service services.mjs mood --text 'How nice'",
      'service services.mjs mood --input \'{"text": "How nice"}\'',
      'service services.mjs --mcp',
    ],
    run: async ({ positionals: [file = '', name], options, overrides, output }) => {
      const stop = stopOnSignals(output, 'ending the call')
      const opened = await open(file, options, output)
      try {
        const services = await opened.make()
        if (options.mcp) {
          if (name !== undefined)
            throw new UsageError(`--mcp: expected a file alone, for it gives all services, got ${name}`)
          const { serveMcp } = await import('../prompting/service/mcp-server.ts')
          stop.listen()
          const onError = (error: unknown, one: string): void => output.note(`${one}: ${messageOf(error)}`)
          await serveMcp(services, { signal: stop.signal, onError })
          // A connection that a program left open must not keep a process that nobody talks to.
          setTimeout(() => process.exit(stop.code ?? 0), 1000).unref()
          return stop.code ?? 0
        }
        if (name === undefined) {
          for (const one of services) output.emit({ type: 'row', name: one.name, description: one.description })
          output.result(columns(services.map((one) => [one.name, one.description])).join('\n'))
          return 0
        }
        const found = named(services, name, file)
        const { inputOfWords } = await import('../prompting/service/fields.ts')
        const given =
          options.input === undefined ? {} : inputOf(options.input === '-' ? await readInput('-') : options.input)
        const words = overrides.map(({ flag, value }) => ({ said: flag, value }))
        stop.listen()
        await say(found, { ...given, ...inputOfWords(found.inputSchema, words) }, output, stop.signal)
        return 0
      } catch (error) {
        if (stop.code !== undefined && stop.signal.aborted) return stop.code
        const { ServiceFault } = await import('../prompting/service/service-fault.ts')
        // A field of the input is an option here.
        const isField = error instanceof ServiceFault && error.field !== undefined && options.input === undefined
        throw isField ? new UsageError(`--${error.message}`) : error
      } finally {
        stop.release()
        opened.free()
      }
    },
  }),
  help: async ({ positionals: [file, name], options, output }, paint) => {
    const { overrides: _, help: __, ...plain } = command
    if (file === undefined) return commandHelp('service', plain, paint)
    // What a service takes can be told without its model.
    const opened = await open(file, { ...(options as Options), model: undefined }, output, true)
    const services = await opened.make()
    if (name === undefined)
      return `${commandHelp('service', plain, paint)}\nServices of ${file}:\n${columns(services.map((one) => [one.name, one.description])).join('\n')}\n`
    const found = named(services, name, file)
    const { fieldRows } = await import('../prompting/service/fields.ts')
    const rows = fieldRows(found.inputSchema)
    return [
      `${found.description}`,
      '',
      `Usage: anneal service ${file} ${name} [--field value …] [options]`,
      '',
      ...(rows.length === 0 ? [] : [paint('title', 'Fields:'), ...columns(rows), '']),
      paint('title', 'Options:'),
      ...columns([
        ['--input JSON', OPTIONS.input.summary],
        ['--model DIR', OPTIONS.model.summary],
        ['--json', 'write only JSON to standard output'],
      ]),
      '',
    ].join('\n')
  },
}

type Options = OptionValues<typeof OPTIONS>

/** The services of a file, and the model that they are made of. */
async function open(
  file: string,
  { model, device, dtype, threads }: Pick<Options, 'model' | 'device' | 'dtype' | 'threads'>,
  output: Output,
  isDry = false,
): Promise<{ make(): Promise<Service[]>; free(): void }> {
  const { readServices } = await import('../run/load-services.ts')
  const read = await readServices(file)
  const { localModel } = await import('../prompting/base/local-model.ts')
  if (isDry && read.needsModel) {
    const { fakeLm } = await import('../lm/fake-lm.ts')
    return { make: () => read.make(localModel(fakeLm({}))), free: () => undefined }
  }
  if (model === undefined || !read.needsModel) return { make: () => read.make(), free: () => undefined }
  if (threads !== undefined) {
    const { setThreads } = await import('../torch/index.ts')
    setThreads(threads)
  }
  const { loadLm } = await import('../run/load-lm.ts')
  const { resolveModelPath } = await import('../run/resolve-model.ts')
  const path = await resolveModelPath(model)
  const lm = await loadLm(path, { device, dtype, tell: (line) => output.note(line) })
  return { make: () => read.make(localModel(lm)), free: () => lm.free() }
}

function named(services: readonly Service[], name: string, file: string): Service {
  const found = services.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new UsageError(`${file}: expected one of ${services.map((one) => one.name).join(', ')}, got '${name}'`)
}

function inputOf(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new UsageError(`--input: expected JSON, got something else (${(cause as Error).message})`, { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new UsageError('--input: expected an object of JSON, got another value')
}

/** The text of an answer as it comes; other outputs as JSON. */
async function say(service: Service, input: object, output: Output, signal: AbortSignal): Promise<void> {
  const pieces = service.stream(input, { signal })
  let text = ''
  for (;;) {
    const { done, value } = await pieces.next()
    if (done) {
      output.emit({ type: 'result', output: value })
      if (output.isJson) return
      if (text === '') output.result(typeof value === 'string' ? value : JSON.stringify(value, null, 2))
      else if (value === text) output.stdout.write('\n')
      else output.result(`\n${JSON.stringify(value, null, 2)}`)
      return
    }
    text += value
    if (!output.isJson) output.stdout.write(printable(value))
  }
}
