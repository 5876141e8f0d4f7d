// `anneal chat --model DIR`: talk to a model in the terminal. Keeps the conversation, streams the answers; reads a pipe too.

import { createInterface } from 'node:readline'
import { InputError, UsageError } from '../errors.ts'
import type { GenerateOptions, Lm } from '../lm/lm.ts'
import type { ChatMessage } from '../text/chat-template.ts'
import { type Command, defineCommand } from './command.ts'
import { generateOptions, MODEL_OPTIONS, SAMPLING_OPTIONS } from './lm-options.ts'
import { openLm } from './open-lm.ts'
import type { Output } from './output.ts'
import { writeReply } from './write-reply.ts'

/** A model whose makers say nothing of sampling gets these: greedy answers repeat themselves. */
const DEFAULTS = { temperature: 0.8, topP: 0.95 }
const MAX_NEW_TOKENS = 1024

const HELP = `/reset  forget the conversation
/help   show this
/quit   leave (also Ctrl-D)
Ctrl-C  stop the answer; at the prompt, leave`

export const command: Command = defineCommand({
  summary: 'talk to a model',
  options: {
    model: MODEL_OPTIONS.model,
    adapter: MODEL_OPTIONS.adapter,
    system: { kind: 'text', summary: 'instruction that the conversation starts with' },
    ...SAMPLING_OPTIONS,
    device: MODEL_OPTIONS.device,
    dtype: MODEL_OPTIONS.dtype,
    threads: MODEL_OPTIONS.threads,
  },
  examples: ['chat --model runs/tiny', "chat --model runs/tiny --system 'Answer in one sentence.' --temperature 0.3"],
  run: async ({ options, output }) => {
    const engine = await openLm(options)
    const isOpen = engine.generationConfig.doSample === undefined && options.temperature === undefined
    const request = {
      ...(isOpen && DEFAULTS),
      maxNewTokens: engine.generationConfig.maxNewTokens ?? MAX_NEW_TOKENS,
      ...generateOptions(options),
    }
    await chat({ lm: engine, system: options.system, options: request, input: process.stdin, output })
  },
})

/** What a chat runs with. */
export interface ChatSession {
  lm: Lm
  system?: string | undefined
  options: GenerateOptions
  input: NodeJS.ReadableStream & { isTTY?: boolean }
  output: Output
  /** Where a terminal shows the prompt and what is typed; default: the process's standard error. */
  echo?: NodeJS.WritableStream
}

/** Reads lines until the input ends or `/quit`, and answers each on standard output; everything else goes to standard error. */
export async function chat({ lm, system, options, input, output, echo = process.stderr }: ChatSession): Promise<void> {
  if (!lm.canChat && system !== undefined) {
    throw new UsageError(
      '--system: expected a model with a chat template, got one without. Put the text into your prompt',
    )
  }
  const isTerminal = input.isTTY === true && output.stderr.isTTY === true
  const lines = createInterface({
    input,
    ...(isTerminal && { output: echo }),
    terminal: isTerminal,
    prompt: '> ',
  })
  let answering: AbortController | undefined
  lines.on('SIGINT', () => (answering === undefined ? lines.close() : answering.abort()))
  const conversation = new Conversation(lm, system, options.maxNewTokens ?? 0)
  if (!lm.canChat) {
    output.note('This model has no chat template: it continues each line as a text of its own, it does not answer.')
  }
  if (isTerminal) {
    output.note('/help shows the commands.')
    lines.prompt()
  }
  let turn = 0
  for await (const line of lines) {
    const said = line.trim()
    if (said === '/quit') break
    if (said === '/help') output.note(HELP)
    else if (said === '/reset') {
      conversation.reset()
      output.note('The conversation starts anew.')
    } else if (/^\/[a-z]+$/.test(said)) output.note(`unknown command ${said}; /help shows the commands`)
    else if (said !== '') {
      answering = new AbortController()
      const seed = options.seed === undefined ? {} : { seed: options.seed + turn++ }
      await answer(conversation, lm.canChat ? said : line, { ...options, ...seed, signal: answering.signal }, output)
      answering = undefined
    }
    if (isTerminal) lines.prompt()
  }
  lines.close()
}

async function answer(
  conversation: Conversation,
  said: string,
  options: GenerateOptions,
  output: Output,
): Promise<void> {
  try {
    const forgotten = conversation.add(said)
    if (forgotten > 0) output.note(`The context is full: the first ${forgotten} messages are forgotten.`)
    const { text } = await writeReply(conversation.lm.generate({ ...conversation.prompt(said), ...options }), output)
    conversation.reply(text)
  } catch (error) {
    // A message that is too long or that the template refuses costs this turn only.
    conversation.dropLast()
    if (!(error instanceof InputError)) throw error
    output.note(`error: ${error.message}`)
  }
}

/** The messages so far, cut from the front where they outgrow the context. */
class Conversation {
  readonly lm: Lm
  readonly #start: readonly ChatMessage[]
  /** Room for the answer, at most a quarter of the context. */
  readonly #reserve: number
  #messages: ChatMessage[]

  constructor(lm: Lm, system: string | undefined, maxNewTokens: number) {
    this.lm = lm
    this.#start = system === undefined ? [] : [{ role: 'system', content: system }]
    this.#reserve = Math.min(maxNewTokens, Math.floor(lm.contextLength / 4))
    this.#messages = [...this.#start]
  }

  reset(): void {
    this.#messages = [...this.#start]
  }

  /** Adds what the user said; returns how many old messages had to go. */
  add(content: string): number {
    this.#messages.push({ role: 'user', content })
    if (!this.lm.canChat) return 0
    let forgotten = 0
    const first = this.#start.length
    const room = this.lm.contextLength - this.#reserve
    while (this.#messages.length > first + 1 && this.lm.encode({ messages: this.#messages }).length > room) {
      // A question goes with its answer: templates want users and assistants to alternate.
      forgotten += this.#messages.splice(first, 2).length
    }
    return forgotten
  }

  /** What to continue; a model that cannot chat gets the line alone. */
  prompt(said: string): { prompt: string } | { messages: readonly ChatMessage[] } {
    return this.lm.canChat ? { messages: [...this.#messages] } : { prompt: said }
  }

  reply(content: string): void {
    this.#messages.push({ role: 'assistant', content })
  }

  /** Takes back a question that got no answer. */
  dropLast(): void {
    if (this.#messages.at(-1)?.role === 'user') this.#messages.pop()
  }
}
