// `anneal chat --model DIR`: talk to a model in the terminal. Keeps the conversation, streams the answers; reads a pipe too.

import { createInterface } from 'node:readline'
import { describeError, exitCodeOf, InputError, UsageError } from '../errors.ts'
import type { GenerationConfig } from '../infer/generation-config.ts'
import { Conversation } from '../lm/conversation.ts'
import type { GenerateOptions, Lm } from '../lm/lm.ts'
import { amount, counted } from '../report/amounts.ts'
import { runChatCommand } from './chat-commands.ts'
import { type Command, defineCommand } from './command.ts'
import { describeSampling, samplingNotices } from './describe-sampling.ts'
import { generateOptions, MODEL_OPTIONS, SAMPLING_OPTIONS } from './lm-options.ts'
import { openWriter } from './open-lm.ts'
import type { Output } from './output.ts'
import { whyEnded, writeReply } from './write-reply.ts'

/** A model whose makers say nothing of sampling gets these: greedy answers repeat themselves. */
const DEFAULTS = { temperature: 0.8, topP: 0.95 }
const MAX_NEW_TOKENS = 1024

export const command: Command = defineCommand({
  summary: 'talk to a model',
  options: {
    model: MODEL_OPTIONS.model,
    adapter: MODEL_OPTIONS.adapter,
    system: { kind: 'text', summary: 'instruction that the conversation starts with' },
    ...SAMPLING_OPTIONS,
    'max-new-tokens': withDefault(SAMPLING_OPTIONS['max-new-tokens'], MAX_NEW_TOKENS),
    temperature: withDefault(SAMPLING_OPTIONS.temperature, DEFAULTS.temperature),
    'top-p': withDefault(SAMPLING_OPTIONS['top-p'], DEFAULTS.topP),
    device: MODEL_OPTIONS.device,
    dtype: MODEL_OPTIONS.dtype,
    threads: MODEL_OPTIONS.threads,
  },
  examples: ['chat --model runs/tiny', "chat --model runs/tiny --system 'Answer in one sentence.' --temperature 0.3"],
  run: async ({ options, output }) => {
    const engine = await openWriter(options, output)
    const request = chatOptions(engine.generationConfig, generateOptions(options))
    const { generationSettings } = await import('../infer/generation-settings.ts')
    const settings = generationSettings(request, engine.generationConfig)
    for (const notice of samplingNotices(options, settings)) output.note(`notice: ${notice}`)
    const how = describeSampling(settings)
    const title = `${options.model}: context of ${engine.contextLength.toLocaleString('en')} tokens; ${how} an answer`
    return chat({ lm: engine, title, system: options.system, options: request, input: process.stdin, output })
  },
})

/** How an answer is made: what was asked for, else what the model's makers say, else as a chat does it. */
export function chatOptions(config: GenerationConfig, asked: GenerateOptions): GenerateOptions {
  const { temperature = DEFAULTS.temperature, topP = DEFAULTS.topP, maxNewTokens = MAX_NEW_TOKENS } = config
  return { maxNewTokens, ...(config.doSample === undefined && { temperature, topP }), ...asked }
}

/** The option with what a chat has where the model's makers say nothing. */
function withDefault<O extends { summary: string }>(option: O, value: number): O {
  return { ...option, summary: option.summary.replace(/else \S+\)$/, `else ${value})`) }
}

/** What a chat runs with. */
export interface ChatSession {
  lm: Lm
  /** What a terminal shows first: the model's name, and how it is asked. */
  title?: string
  system?: string | undefined
  options: GenerateOptions
  input: NodeJS.ReadableStream & { isTTY?: boolean }
  output: Output
  /** Where a terminal shows the prompt and what is typed; default: the process's standard error. */
  echo?: NodeJS.WritableStream
}

/**
 * Reads lines until the input ends or `/exit`, and answers each on standard output; everything else goes to standard error.
 * Returns the exit code: that of the first question without an answer, where nobody sits before it to see the error.
 */
export async function chat(session: ChatSession): Promise<number> {
  const { lm, title, system, options, input, output, echo = process.stderr } = session
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
    prompt: output.paint('bar', '> '),
  })
  let answering: AbortController | undefined
  lines.on('SIGINT', () => (answering === undefined ? lines.close() : answering.abort()))
  const conversation = new Conversation(lm, system, options.maxNewTokens ?? 0)
  if (!lm.canChat) {
    output.note('This model has no chat template: it continues each line as a text of its own, it does not answer.')
  }
  if (isTerminal) {
    if (title !== undefined) output.note(title, 'title')
    output.note('/help shows the commands.', 'quiet')
    lines.prompt()
  }
  let code = 0
  let turn = 0
  for await (const line of lines) {
    const next = runChatCommand(line.trim(), conversation, output) ?? (line.trim() === '' ? 'line' : 'said')
    if (next === 'end') break
    if (next === 'said') {
      const forgotten = conversation.say(lm.canChat ? line.trim() : line)
      if (forgotten > 0)
        output.note(
          `The context is full: the first ${forgotten === 1 ? 'message is' : `${forgotten} messages are`} forgotten.`,
        )
    }
    if (next !== 'line') {
      answering = new AbortController()
      const seed = options.seed === undefined ? {} : { seed: options.seed + turn++ }
      const failure = await answer(conversation, { ...options, ...seed, signal: answering.signal }, output, isTerminal)
      answering = undefined
      if (failure !== undefined && code === 0 && !isTerminal) code = exitCodeOf(failure)
    }
    if (isTerminal) lines.prompt()
  }
  if (isTerminal && (lines as { closed?: boolean }).closed) output.stderr.write('\n') // the shell's prompt begins a line
  lines.close()
  return code
}

/** Answers the question that is open; returns the error that left it without an answer. */
async function answer(
  conversation: Conversation,
  options: GenerateOptions,
  output: Output,
  isTerminal: boolean,
): Promise<InputError | undefined> {
  try {
    const reply = await writeReply(conversation.lm.generate({ ...conversation.prompt(), ...options }), output)
    conversation.reply(reply.text)
    const why = reply.finishReason === 'length' ? `; ${whyEnded(reply, conversation.lm.contextLength)}` : ''
    if (isTerminal && reply.tokensPerSecond !== undefined) {
      const speed = `${amount(reply.tokensPerSecond, '', false)} tokens/s`
      output.note(`${counted(reply.tokenIds.length, 'token')}, ${speed}${why}`, 'quiet')
    }
    return undefined
  } catch (error) {
    // A message that is too long or that the template refuses costs this turn only.
    conversation.unsay()
    if (!(error instanceof InputError)) throw error
    output.note(describeError(error))
    return error
  }
}
