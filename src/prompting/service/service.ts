// A program as a service: registered once, with what goes in and what comes out, it is an HTTP route, a command, a tool over MCP and a form.

import { UsageError } from '../../errors.ts'
import { didYouMean } from '../../nearest.ts'
import { checkOptionNames } from '../../option-names.ts'
import { Pace } from '../base/pace.ts'
import { jsonSchemaOf, type Schema, type SchemaIssue } from '../base/schema.ts'
import { checkSeconds } from '../base/seconds.ts'
import { program } from '../base/trace.ts'
import { ServiceFault } from './service-fault.ts'

/** What a service is. */
export interface ServiceOptions<Input, Output> {
  /** What it does, for people and for models. */
  description: string
  /** What goes in: an object. Its JSON Schema is what the route, the command, the tool and the form are made from. */
  input: Schema<Input>
  /** What comes out, checked. Default: whatever `run` gives. */
  output?: Schema<Output>
  /** The program. One that gives pieces of text is streamed; its output is what it returns, or its text where that is nothing. */
  run(
    input: Input,
    context: { signal: AbortSignal },
  ): NoInfer<Output> | Promise<NoInfer<Output>> | AsyncIterable<string, unknown>
  /** Longest time of one call, from its place on. A program that does not heed its signal goes on unheard. Default 300. */
  timeoutSeconds?: number
  /** Calls at the same time. Default 4. */
  concurrency?: number
  /** Calls that wait for a place; others are told to come again. Default 16. */
  waiting?: number
}

/** How it is called. */
export interface ServiceCallOptions {
  signal?: AbortSignal
}

/** A registered service. */
export interface Service {
  readonly name: string
  readonly description: string
  /** JSON Schema of an object. */
  readonly inputSchema: Readonly<Record<string, unknown>>
  readonly outputSchema: Readonly<Record<string, unknown>> | undefined
  /** The pieces of its text as they come, and its output when it is over. Throws what the program throws, and `ServiceFault`. */
  stream(input: unknown, options?: ServiceCallOptions): AsyncGenerator<string, unknown, undefined>
  /** Its output, as JSON knows it. */
  call(input: unknown, options?: ServiceCallOptions): Promise<unknown>
}

const OPTIONS: Readonly<Record<keyof ServiceOptions<never, never>, true>> = {
  description: true,
  input: true,
  output: true,
  run: true,
  timeoutSeconds: true,
  concurrency: true,
  waiting: true,
}

/** Lists and objects inside each other. */
const DEEPEST = 64

/**
 * Registers a program as a service. UsageError for a name that no address could have, and for schemas that JSON Schema cannot express.
 *
 * @example
 * const mood = service('mood', {
 *   description: 'Whether a text is friendly.',
 *   input: z.object({ text: z.string() }),
 *   output: z.object({ mood: z.enum(['friendly', 'unfriendly']) }),
 *   run: ({ text }, { signal }) => model.ask(prompt`How does this sound?\n\n${quote(text)}`, { as: Mood, signal }),
 * })
 */
export function service<Input, Output = unknown>(name: string, options: ServiceOptions<Input, Output>): Service {
  if (typeof name !== 'string' || !/^[A-Za-z][\w-]{0,63}$/.test(name))
    throw new UsageError(
      `service: expected a name of at most 64 letters, digits, - and _, got ${JSON.stringify(name)?.slice(0, 80)}`,
    )
  checkOptionNames('service', options, OPTIONS)
  const { description, input, output, run, timeoutSeconds = 300, concurrency = 4, waiting = 16 } = options
  if (typeof description !== 'string' || description.trim() === '')
    throw new UsageError(`service ${name}: expected a description, got none. Models choose by it`)
  checkSeconds('timeoutSeconds', timeoutSeconds)
  if (!(Number.isInteger(waiting) && waiting >= 0))
    throw new UsageError(`waiting: expected a whole number of at least 0, got ${waiting}`)
  const inputSchema = writtenSchema(name, 'input', input)
  if (inputSchema.type !== 'object')
    throw new UsageError(
      `service ${name}: expected an object as input, got ${JSON.stringify(inputSchema).slice(0, 80)}. Put the value into one`,
    )
  const outputSchema = output === undefined ? undefined : writtenSchema(name, 'output', output)
  const pace = new Pace({ concurrency, retries: 0 })
  let queued = 0

  async function* stream(
    given: unknown,
    { signal }: ServiceCallOptions = {},
  ): AsyncGenerator<string, unknown, undefined> {
    const checked = await checkedInput(given, input, inputSchema)
    const stop = new AbortController()
    const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
    if (queued >= waiting + pace.places)
      throw new ServiceFault(429, 'busy', `${name}: ${queued} calls run or wait already. Try again later`, {
        retryAfter: 1,
      })
    queued++
    let leave = (): void => {}
    let timer: NodeJS.Timeout | undefined
    let pieces: AsyncIterator<string, unknown> | undefined
    try {
      ;({ leave } = await pace.enter(both))
      const late = new ServiceFault(504, 'timeout', `${name}: expected an output within ${timeoutSeconds} s, got none`)
      timer = setTimeout(() => stop.abort(late), timeoutSeconds * 1000)
      const step = <T>(work: () => T | PromiseLike<T>): Promise<T> =>
        unlessAborted(program(name, async () => work())(), both)
      const made = await step<unknown>(() => run(checked, { signal: both }) as unknown)
      if (!isStream(made)) return await checkedOutput(name, made, output)
      pieces = made[Symbol.asyncIterator]()
      let text = ''
      for (;;) {
        const { done, value } = await step(() => pieces!.next())
        if (done) {
          pieces = undefined
          return await checkedOutput(name, value === undefined ? text : value, output)
        }
        text += value
        yield String(value)
      }
    } finally {
      clearTimeout(timer)
      stop.abort(new Error(`${name}: the call is over`))
      // Not awaited: a program that waits for something ends when it comes to its next step, however late.
      pieces?.return?.()?.then(undefined, () => undefined)
      queued--
      leave()
    }
  }
  return {
    name,
    description,
    inputSchema,
    outputSchema,
    stream,
    async call(given, callOptions) {
      const pieces = stream(given, callOptions)
      for (;;) {
        const { done, value } = await pieces.next()
        if (done) return value
      }
    },
  }
}

/** The JSON Schema of what goes in, or of what comes out of the check of an output. */
function writtenSchema(name: string, role: 'input' | 'output', schema: Schema<unknown>): Record<string, unknown> {
  const standard = schema?.['~standard']
  if (standard === undefined)
    throw new UsageError(
      `service ${name}: expected a Standard Schema as ${role}, such as one of zod, got something else`,
    )
  try {
    if (role === 'input' || standard.jsonSchema?.output === undefined) return jsonSchemaOf(schema)
    const { $schema: _, ...made } = standard.jsonSchema.output({ target: 'draft-2020-12' })
    return made
  } catch (cause) {
    const why = (cause as Error).message.replace(/^as: /, '')
    throw new UsageError(
      `service ${name}: expected an ${role} that JSON Schema can express, got one that it cannot: ${why}`,
      {
        cause,
      },
    )
  }
}

async function checkedInput<Input>(
  given: unknown,
  schema: Schema<Input>,
  { properties, ...written }: Readonly<Record<string, unknown>>,
): Promise<Input> {
  const wrong = (field: string, message: string): ServiceFault =>
    new ServiceFault(400, 'invalid_input', `${field === '' ? 'input' : field}: ${message}`, {
      ...(field !== '' && { field }),
    })
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw wrong('', `expected an object, got ${given === undefined ? 'nothing' : briefly(given)}`)
  checkPlain(given, wrong)
  // Checks pass over what they do not know; here a field that nobody reads is told.
  const isOpen = ['additionalProperties', 'patternProperties', 'allOf', 'anyOf', 'oneOf', '$ref'].some(
    (word) => word in written && written[word] !== false,
  )
  if (!isOpen) {
    const known = Object.keys(properties ?? {})
    const strange = Object.keys(given).find((key) => !known.includes(key))
    if (strange !== undefined)
      throw wrong(
        strange.slice(0, 80),
        `unknown field.${didYouMean(strange, known, '') || ` There are: ${known.join(', ') || 'none'}`}`,
      )
  }
  const result = await schema['~standard'].validate(given)
  if (result.issues === undefined) return result.value
  const [first, ...others] = result.issues.slice(0, 5).map((issue) => [fieldOf(issue), issue.message] as const)
  const more = others.map(([field, message]) => `; ${field === '' ? 'input' : field}: ${message}`).join('')
  throw wrong(first?.[0] ?? '', `${first?.[1] ?? 'not valid'}${more}`)
}

async function checkedOutput(name: string, made: unknown, schema: Schema<unknown> | undefined): Promise<unknown> {
  const wrong = (why: string, cause?: unknown): ServiceFault =>
    new ServiceFault(500, 'invalid_output', `${name}: expected an output of its schema, got ${why}`, { cause })
  let value = made
  if (schema !== undefined) {
    const result = await schema['~standard'].validate(made)
    if (result.issues !== undefined) {
      const [first] = result.issues
      throw wrong(first === undefined ? 'another' : `${fieldOf(first) || 'output'}: ${first.message}`)
    }
    value = result.value
  }
  // The same for all who call: a date is a text, and what JSON cannot write is a fault here and not in one of the four places.
  try {
    return JSON.parse(JSON.stringify(value) ?? 'null') as unknown
  } catch (cause) {
    throw wrong(`what JSON cannot write: ${(cause as Error).message.split('\n')[0]}`, cause)
  }
}

/** `items.0.name`; '' for the whole. */
function fieldOf({ path = [] }: SchemaIssue): string {
  return path.map((key) => String(typeof key === 'object' ? key.key : key)).join('.')
}

const briefly = (value: unknown): string =>
  Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`

/** Before any check walks through it: too deep, or a key that would set the prototype of what it is copied into. */
function checkPlain(given: object, wrong: (field: string, message: string) => ServiceFault): void {
  const left: [object, number][] = [[given, 1]]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [one, depth] = next
    if (depth > DEEPEST) throw wrong('', `expected at most ${DEEPEST} lists and objects inside each other, got more`)
    if (Object.hasOwn(one, '__proto__')) throw wrong('', "expected no key named '__proto__'")
    for (const inner of Object.values(one))
      if (typeof inner === 'object' && inner !== null) left.push([inner, depth + 1])
  }
}

const isStream = (made: unknown): made is AsyncIterable<string, unknown> =>
  typeof made === 'object' && made !== null && Symbol.asyncIterator in made

/** What the work gives, or the signal's reason as soon as there is one. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
