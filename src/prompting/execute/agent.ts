// A model with tools: it calls, they answer, until it says what it has found or the budget is spent. What goes wrong in a tool is told to
// the model, not thrown; what goes on for ever is ended.

import type { ToolCall } from '../../chat/answer.ts'
import type { Tool } from '../../chat/request.ts'
import { AnnealError, messageOf, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { checkModel } from '../base/check-model.ts'
import { answered, type Model } from '../base/model.ts'
import { type ModelSettings, SETTINGS } from '../base/model-call.ts'
import { described, jsonSchemaOf, type Schema } from '../base/schema.ts'
import { checkSeconds } from '../base/seconds.ts'
import { withText } from '../base/with-text.ts'
import { WORDINGS } from '../base/wordings.ts'
import { messagesOf, type PromptInput, type PromptText } from '../data/prompt.ts'
import type { Memory, MemoryState, Round } from './remember.ts'

/** A function that a model may call; `tool` makes one. */
export interface AgentTool {
  /** Letters, digits, `_` and `-`. */
  readonly name: string
  readonly description: string
  /** Of an object. */
  readonly input: Schema<unknown>
  /** Its value is told to the model, as JSON unless it is a text. */
  readonly run: (input: never, context: { signal: AbortSignal }) => unknown
  /** Seconds that it may take. Default 60. */
  readonly timeoutSeconds?: number
  /** Characters of its value that the model is told; of a longer one the beginning, and how long it was. Default 20,000. */
  readonly mostCharacters?: number
}

/** A tool, with the type of its input read off its schema. */
export function tool<Input>(
  definition: Omit<AgentTool, 'input' | 'run'> & {
    input: Schema<Input>
    run: (input: Input, context: { signal: AbortSignal }) => unknown
  },
): AgentTool {
  return definition
}

/** What an agent may spend on one question. */
export interface Budget {
  /** Answers of the model; in the last one it may call nothing. */
  steps: number
  /** Tokens of all answers. */
  tokens?: number
  seconds?: number
}

/** Who an agent is, what it can do and what it may spend. */
export interface AgentOptions extends Omit<ModelSettings, 'signal'> {
  /** Instruction before the question. */
  profile?: string | PromptText
  tools: readonly AgentTool[]
  budget: Budget
  /** What it is told of earlier questions, answers and calls. With one, an agent is one conversation, a question at a time. Default: nothing. */
  memory?: Memory
  /** Writes a plan first: one of `budget.steps`. Default false. */
  plan?: boolean
}

/** What happens on the way. */
export type AgentEvent =
  | { type: 'plan'; text: string }
  | { type: 'text'; text: string }
  | { type: 'call'; id: string; name: string; input: unknown }
  | { type: 'result'; id: string; name: string; output: string; isError: boolean }
  | { type: 'end'; text: string; steps: number; tokens: number; messages: readonly ChatMessage[] }

/** The budget was spent, or the same calls came again and again. */
export class AgentError extends AnnealError {
  /** What had been said until then. */
  readonly messages: readonly ChatMessage[]
  constructor(message: string, messages: readonly ChatMessage[]) {
    super(message)
    this.messages = messages
  }
}

/** An agent. */
export interface Agent {
  /** What happens while it looks for an answer. AgentError where it finds none. */
  run(question: PromptInput, options?: { signal?: AbortSignal }): AsyncIterable<AgentEvent>
  /** The answer alone. */
  ask(question: PromptInput, options?: { signal?: AbortSignal }): Promise<string>
}

const AGENT: Readonly<Record<keyof AgentOptions, true>> = {
  profile: true,
  tools: true,
  budget: true,
  memory: true,
  plan: true,
  ...SETTINGS,
}
const BUDGET: Readonly<Record<keyof Budget, true>> = { steps: true, tokens: true, seconds: true }

/** Times that the very same calls may come one after another. */
const MOST_ALIKE = 3

/**
 * Makes an agent.
 *
 * @example
 * const helper = agent(model, { tools: [search], budget: { steps: 6 } })
 * const answer = await helper.ask('How many days off after three years?')
 */
export function agent(model: Model, options: AgentOptions): Agent {
  checkModel('agent', model)
  checkOptionNames('agent', options, AGENT)
  checkOptionNames('budget', options.budget ?? {}, BUDGET)
  const { profile, tools, budget, memory, plan = false, ...settings } = options
  const { steps, tokens = Number.POSITIVE_INFINITY, seconds } = budget ?? {}
  if (!(Number.isInteger(steps) && steps >= 1))
    throw new UsageError(`budget: expected a number of steps from 1, got ${steps}. An agent has to end`)
  if (plan && steps < 2) throw new UsageError(`budget: expected at least 2 steps where a plan is one, got ${steps}`)
  if (!(tokens > 0)) throw new UsageError(`budget.tokens: expected a number above 0, got ${tokens}`)
  if (seconds !== undefined) checkSeconds('budget.seconds', seconds)
  checkTools(tools)
  const rounds: Round[] = []
  let state: MemoryState = { from: 0 }
  let isBusy = false
  if (!Array.isArray(tools)) throw new UsageError('tools: expected a list, got another value. `tools: []` is for none')
  const known = new Map(tools.map((one) => [one.name, one]))
  const told = tools.map(
    ({ name, description, input }): Tool => ({
      type: 'function',
      function: { name, description, parameters: jsonSchemaOf(input) },
    }),
  )
  async function* run(
    asked: PromptInput,
    { signal }: { signal?: AbortSignal } = {},
  ): AsyncGenerator<AgentEvent, void, undefined> {
    if (memory === undefined) {
      yield* limited(messagesOf(asked, profile), signal)
      return
    }
    if (isBusy) throw new UsageError('agent: expected one question at a time where it remembers, got another one')
    isBusy = true
    try {
      const question = messagesOf(asked)
      const before: ChatMessage[] = profile === undefined ? [] : [{ role: 'system', content: String(profile) }]
      const made = await memory.recollect({ model, before, rounds, state, question, signal })
      const messages = [...before, ...made.messages]
      const sent = messages.length
      for await (const event of limited(messages, signal)) {
        if (event.type === 'end') {
          // Without what the memory has put before it: that is told anew each time.
          rounds.push({ messages: [...question, ...messages.slice(sent)] })
          state = made.state
        }
        yield event
      }
    } finally {
      isBusy = false
    }
  }
  async function* limited(
    messages: ChatMessage[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<AgentEvent, void, undefined> {
    const limit = new AbortController()
    const timer =
      seconds === undefined
        ? undefined
        : setTimeout(
            () => limit.abort(new AgentError(`agent: expected an answer within ${seconds} s, got none`, messages)),
            seconds * 1000,
          )
    try {
      yield* walk(messages, AbortSignal.any([limit.signal, ...(signal === undefined ? [] : [signal])]))
    } finally {
      clearTimeout(timer)
    }
  }
  async function* walk(messages: ChatMessage[], any: AbortSignal): AsyncGenerator<AgentEvent, void, undefined> {
    let spent = 0
    let last = ''
    let alike = 0
    if (plan) {
      spent += yield* planned(messages, any)
    }
    for (let step = plan ? 2 : 1; step <= steps; step++) {
      any.throwIfAborted()
      const isLast = step === steps || spent >= tokens
      const mayCall = told.length > 0 && !isLast
      const call = {
        ...settings,
        messages: [...messages],
        signal: any,
        ...(told.length > 0 && { tools: told, toolChoice: mayCall ? ('auto' as const) : ('none' as const) }),
      }
      const { answer } = await answered(model, call)
      if (answer.finishReason === 'aborted') any.throwIfAborted()
      spent += answer.usage.completionTokens
      if (answer.text !== '') yield { type: 'text', text: answer.text }
      const { toolCalls } = answer
      if (toolCalls.length === 0) {
        messages.push({ role: 'assistant', content: answer.text })
        yield { type: 'end', text: answer.text, steps: step, tokens: spent, messages }
        return
      }
      messages.push({ role: 'assistant', content: answer.text, tool_calls: toolCalls.map(written) })
      const same = JSON.stringify(toolCalls.map(({ name, arguments: given }) => [name, given]))
      alike = same === last ? alike + 1 : 1
      last = same
      if (alike > MOST_ALIKE)
        throw new AgentError(
          `agent: expected progress, got the same calls ${alike} times (${toolCalls[0]!.name})`,
          messages,
        )
      for (const one of toolCalls) {
        const input = parsedInput(one)
        yield { type: 'call', id: one.id, name: one.name, input: input.value }
        const { output, isError } = await ran(one, input, known, any)
        messages.push({ role: 'tool', tool_call_id: one.id, name: one.name, content: output })
        yield { type: 'result', id: one.id, name: one.name, output, isError }
      }
    }
    throw new AgentError(`agent: expected an answer within ${steps} steps, got calls of tools only`, messages)
  }
  /** Asks for a plan and adds it; gives the tokens that it took. */
  async function* planned(messages: ChatMessage[], signal: AbortSignal): AsyncGenerator<AgentEvent, number, undefined> {
    messages.splice(0, messages.length, ...withText(messages, WORDINGS.plan))
    const more = told.length > 0 ? { tools: told, toolChoice: 'none' as const } : {}
    const { answer } = await answered(model, { ...settings, messages: [...messages], signal, ...more })
    if (answer.finishReason === 'aborted') signal.throwIfAborted()
    messages.push({ role: 'assistant', content: answer.text }, { role: 'user', content: WORDINGS.afterPlan })
    yield { type: 'plan', text: answer.text }
    return answer.usage.completionTokens
  }
  return {
    run,
    async ask(question, options) {
      for await (const event of run(question, options)) if (event.type === 'end') return event.text
      throw new AgentError('agent: expected an answer, got an end', [])
    },
  }
}

const written = ({ id, name, arguments: given }: ToolCall): unknown => ({
  id,
  type: 'function',
  function: { name, arguments: given },
})

function parsedInput({ arguments: given }: ToolCall): { value: unknown; fault?: string } {
  try {
    return { value: JSON.parse(given === '' ? '{}' : given) as unknown }
  } catch (error) {
    return { value: given, fault: `no JSON: ${(error as Error).message}` }
  }
}

/** Names that every service takes, each once: of two tools of a name a model could not say which it means. */
function checkTools(tools: readonly AgentTool[]): void {
  if (!Array.isArray(tools)) throw new UsageError(`tools: expected a list, got ${typeof tools}`)
  const names = new Set<string>()
  for (const { name, timeoutSeconds } of tools as readonly AgentTool[]) {
    if (!/^[\w-]{1,64}$/.test(name))
      throw new UsageError(`tools: expected names of at most 64 letters, digits, _ and -, got ${JSON.stringify(name)}`)
    if (names.has(name)) throw new UsageError(`tools: expected each name once, got ${name} twice. Rename one of them`)
    names.add(name)
    if (timeoutSeconds !== undefined) checkSeconds(`timeoutSeconds of ${name}`, timeoutSeconds)
  }
}

/** What the tool says, or what went wrong, as the model is told. */
async function ran(
  { name }: ToolCall,
  { value, fault }: { value: unknown; fault?: string },
  known: ReadonlyMap<string, AgentTool>,
  signal: AbortSignal,
): Promise<{ output: string; isError: boolean }> {
  const wrong = (message: string): { output: string; isError: boolean } => ({
    output: `error: ${shortened(message, known.get(name)?.mostCharacters)}`,
    isError: true,
  })
  const found = known.get(name)
  if (found === undefined) return wrong(`there is no tool ${name}; there are ${[...known.keys()].join(', ')}`)
  if (fault !== undefined) return wrong(fault)
  const { timeoutSeconds = 60 } = found
  const limit = AbortSignal.timeout(timeoutSeconds * 1000)
  const both = AbortSignal.any([signal, limit])
  try {
    both.throwIfAborted()
    const checked = await found.input['~standard'].validate(value)
    if (checked.issues !== undefined) return wrong(checked.issues.slice(0, 10).map(described).join('; '))
    const output = await Promise.race([
      Promise.resolve(found.run(checked.value as never, { signal: both })),
      new Promise<never>((_, reject) =>
        both.addEventListener('abort', () => reject(both.reason as Error), { once: true }),
      ),
    ])
    const text = typeof output === 'string' ? output : (JSON.stringify(output) ?? '')
    return { output: shortened(text, found.mostCharacters), isError: false }
  } catch (error) {
    signal.throwIfAborted()
    return wrong(limit.aborted ? `${name} took longer than ${timeoutSeconds} s` : messageOf(error))
  }
}

function shortened(text: string, most = 20_000): string {
  if (text.length <= most) return text
  const end = /[\uD800-\uDBFF]/.test(text[most - 1] ?? '') ? most - 1 : most
  return `${text.slice(0, end)}\n[the first ${end} of ${text.length} characters]`
}
