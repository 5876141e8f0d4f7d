// An `Lm` without a model, for tests of what talks to one: its tokens are Unicode characters, its answers yours.

import { UsageError } from '../errors.ts'
import { collect, type FinishReason, type GenerateRequest, type GenerationPiece, type Lm, type Prompt } from './lm.ts'
import { StopStrings } from './stop-strings.ts'

/** What a made-up model answers, and the limits that it has. */
export interface FakeLmOptions {
  /** What it says to a prompt; default: the prompt's own text. */
  reply?: (prompt: Prompt) => string
  /** The log-probability of token `index` of `ids`, for index ≥ 1; default −1. */
  logProb?: (ids: readonly number[], index: number) => number
  /** Default 4096. */
  contextLength?: number
  /** Default true. */
  canChat?: boolean
}

/** Makes a language model that gives out one character per token and honours limits, stop strings and signals. */
export function fakeLm({ reply, logProb = () => -1, contextLength = 4096, canChat = true }: FakeLmOptions = {}): Lm {
  const encode = (prompt: Prompt): number[] => ('ids' in prompt ? [...prompt.ids] : toIds(textOf(prompt)))
  const answer = reply ?? ((prompt) => ('ids' in prompt ? fromIds(prompt.ids) : textOf(prompt)))

  async function* generate(request: GenerateRequest): AsyncGenerator<GenerationPiece, void, undefined> {
    const promptTokens = encode(request).length
    if (promptTokens >= contextLength) throw new UsageError(`prompt: expected fewer than ${contextLength} tokens`)
    const { maxNewTokens = 256 } = request
    const limit = Math.min(maxNewTokens, contextLength - promptTokens)
    const limitedBy = limit < maxNewTokens ? 'context' : 'max_new_tokens'
    const stops = new StopStrings(request.stop ?? [])
    const characters = [...answer(request)]
    for (let count = 1; ; count++) {
      // After its last character it makes an end token, id 0.
      const character = characters[count - 1] ?? ''
      const { text, isStopped } = stops.push(character)
      const finishReason: FinishReason | undefined =
        isStopped || character === ''
          ? 'stop'
          : request.signal?.aborted
            ? 'aborted'
            : count === limit
              ? 'length'
              : undefined
      const piece = { text, tokenIds: [character.codePointAt(0) ?? 0] }
      if (finishReason !== undefined) {
        const usage = { promptTokens, completionTokens: count }
        const isLimit = finishReason === 'length'
        yield { ...piece, text: text + stops.flush(), finishReason, ...(isLimit && { limit: limitedBy }), usage }
        return
      }
      yield piece
      await Promise.resolve()
    }
  }

  return {
    contextLength,
    vocabSize: 0x110000,
    canChat,
    encode,
    decode: fromIds,
    generate,
    generateAll: (requests) => Promise.all(requests.map((request) => collect(generate(request)))),
    score: async (sequences) => sequences.map((ids) => ids.map((_, i) => (i === 0 ? null : logProb(ids, i)))),
  }
}

function textOf(prompt: Exclude<Prompt, { ids: readonly number[] }>): string {
  if ('prompt' in prompt) return prompt.prompt
  return prompt.messages.map(({ role, content }) => `${role}: ${String(content)}\n`).join('')
}

const toIds = (text: string): number[] => Array.from(text, (character) => character.codePointAt(0)!)

const fromIds = (ids: readonly number[]): string => String.fromCodePoint(...ids)
