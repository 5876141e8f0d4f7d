// How many tokens a text has for a model: exactly where the model tells, else an estimate that says so.

import { UsageError } from '../../errors.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import type { Measure } from '../data/measure.ts'
import type { Backend } from './model.ts'

/** Counts the tokens of texts for one model. */
export interface TokenMeasure extends Measure {
  /** True for models that do not count themselves: those behind HTTP. */
  readonly isEstimate: boolean
  /**
   * Tokens that are left for a text: the model's context, less the answer's `maxTokens`, and less the messages and the chat template around it.
   * UsageError where the model does not tell its context.
   */
  room(maxTokens: number, around?: readonly ChatMessage[]): number
}

/**
 * The measure of a model, for `splitText` and `pack`. Of a model in this process it is exact for a text by itself; of another one an estimate by
 * kinds of characters: 0.9 to 1.25 times what the tokenizers of Qwen2, GPT-2 and Llama 2 make of English, Danish, Spanish and code, and up to
 * twice as much as Qwen2's makes of other scripts. Leave room.
 */
export function tokenMeasure(model: Pick<Backend, 'name' | 'countTokens' | 'contextLength' | 'read'>): TokenMeasure {
  const { name, countTokens, contextLength, read } = model
  const count = (text: string): number => countTokens?.(text) ?? estimatedTokens(text)
  const room = (maxTokens: number, around: readonly ChatMessage[] = []): number => {
    if (contextLength === undefined)
      throw new UsageError(
        `${name}: expected a model that tells its context, got one that does not. Give pack a size of your own`,
      )
    const messages = [...around, { role: 'user', content: '' }]
    const frame =
      read?.({ messages }).ids?.length ?? messages.reduce((sum, message) => sum + 8 + count(String(message.content)), 0)
    const left = contextLength - maxTokens - frame
    if (!(left > 0))
      throw new UsageError(
        `maxTokens: expected room for a prompt in a context of ${contextLength}, got ${maxTokens} with ${frame} around it`,
      )
    return left
  }
  return Object.assign((text: string) => count(text), { isEstimate: countTokens === undefined, room })
}

/** About how many tokens the tokenizers of today make of a text. */
export function estimatedTokens(text: string): number {
  let sum = 0
  for (const [run] of text.matchAll(RUNS)) sum += tokensOf(run)
  return Math.ceil(sum)
}

/** Words of plain letters; digits; spaces; other letters; the rest. */
const RUNS = /[A-Za-z]+|\d+|\s+|[\p{L}\p{M}]+|[^\p{L}\p{M}\s\d]/gu

function tokensOf(run: string): number {
  if (/^[A-Za-z]/.test(run)) return 1 + Math.max(0, run.length - 5) / 5
  if (/^\d/.test(run)) return run.length
  if (/^\s/.test(run)) return run === ' ' ? 0.05 : 1 + run.length / 12
  if (/^[\p{L}\p{M}]/u.test(run)) return /^[\p{Script=Latin}\p{M}]+$/u.test(run) ? 1.5 * run.length : scriptTokens(run)
  return run.codePointAt(0)! < 0x80 ? 0.9 : 2.5
}

/** Letters of three bytes are words or syllables, those of two are letters. */
function scriptTokens(run: string): number {
  const bytes = Buffer.byteLength(run)
  return bytes > 2.5 * run.length ? 1.25 * run.length : 0.5 * run.length
}
