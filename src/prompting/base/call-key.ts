// What decides the answer to a call, as a text: the same text, the same answer.

import { hashOf } from '../../files/hash.ts'
import type { ModelCall } from './model-call.ts'

/** The question of a call, and all the rest. */
export interface Asked {
  scope: string
  question: string
}

/** What may be asked in other words: one message of the user, behind instructions. */
export function askedIn({ messages, ...rest }: ModelCall, identity: string): Asked | undefined {
  const question = messages.at(-1)
  if (typeof question?.content !== 'string' || question.role !== 'user' || rest.tools !== undefined) return undefined
  const before = messages.slice(0, -1)
  if (before.some(({ role }) => role !== 'system')) return undefined
  const text = writtenCall({ ...rest, messages: [...before, { ...question, content: '' }] })
  return text === undefined ? undefined : { scope: hashOf(identity, text), question: question.content }
}

/** Whether another call could get another answer. */
export function isDraw({ temperature, seed, drawnSeed }: ModelCall): boolean {
  return temperature !== 0 && (seed === undefined || seed === drawnSeed)
}

/** All that decides the answer, as a text; undefined where something in it is no JSON. */
export function writtenCall({ signal: _, drawnSeed, seed, ...rest }: ModelCall): string | undefined {
  // The seed of a greedy answer decides nothing, and one that was drawn stands for any.
  const isAny = rest.temperature === 0 || seed === drawnSeed
  const { messages, maxTokens, temperature, topP, stop, tools, toolChoice, structure, ...more } = rest
  const all = [messages, maxTokens, temperature, topP, stop, tools, toolChoice, structure, isAny ? null : seed, more]
  try {
    return JSON.stringify(all, (_, value: unknown) => {
      if (isPlain(value)) return value
      throw new TypeError('no JSON')
    })
  } catch {
    return undefined
  }
}

function isPlain(value: unknown): boolean {
  if (typeof value !== 'object') return typeof value !== 'function' && typeof value !== 'symbol'
  if (value === null || Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
