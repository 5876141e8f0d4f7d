// Every call of a synthesis that was answered, in one file that is record and cache at once: what was asked for which row, what came, and
// what it cost. A call that is in it is never made again.

import { DiskFullError, InputError, UsageError } from '../errors.ts'
import { withDiskFullError } from '../files/atomic-write.ts'
import { AnswerLog, type StoredAnswer } from '../prompting/base/answer-log.ts'
import type { ModelAnswer, ModelCall } from '../prompting/base/model-call.ts'

/** What a synthesis may spend, all that was spent before a stop included. */
export interface SynthesisBudget {
  /** In the currency of the prices. */
  maxCost?: number
  /** Of prompts and answers together. */
  maxTokens?: number
  maxCalls?: number
}

/** What calls came to. */
export interface Spent {
  calls: number
  promptTokens: number
  completionTokens: number
  cost: number
  /** Answers that ended at their limit of tokens, as they would not have by themselves. */
  cut: number
}

/** What is on record of a call besides its answer. */
export interface CallRecord {
  /** Of the seed, from 0; null for what is made once before all rows. */
  readonly row: number | null
  /** Which try of the recipe it belongs to, from 1. */
  readonly attempt: number
  /** Why the try before was refused. */
  readonly reason?: string
  readonly model: string
  readonly call: Omit<ModelCall, 'signal' | 'drawnSeed' | 'where'>
  /** Milliseconds until it was answered; not told of what came by a batch. */
  readonly ms?: number
  readonly cost?: number
}

/** A call as it stands in the ledger. */
export interface LedgerCall extends CallRecord {
  readonly key: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly answer: ModelAnswer
}

/** The file's name in the folder of a synthesis. */
export const CALLS = 'calls.jsonl'

/** No file of calls is longer: 64 GiB. */
const MOST_BYTES = 2 ** 36

/** The calls of one folder. */
export class Ledger {
  readonly #log: AnswerLog
  readonly #seen = new Set<string>()
  readonly #budget: SynthesisBudget
  /** Milliseconds since 1970, of the first call and the last; infinite before there is one. */
  began: number = Number.POSITIVE_INFINITY
  ended: number = Number.NEGATIVE_INFINITY
  readonly spent: Spent = { calls: 0, promptTokens: 0, completionTokens: 0, cost: 0, cut: 0 }

  /** `onFault` hears of lines that a kill has left behind. */
  constructor(directory: string, budget: SynthesisBudget, onFault: (fault: string) => void) {
    for (const [name, most] of Object.entries(budget))
      if (most !== undefined && !(typeof most === 'number' && most >= 0))
        throw new UsageError(`${name}: expected a number of at least 0, got ${most}`)
    this.#budget = budget
    this.#log = new AnswerLog(directory, {
      name: CALLS,
      maxBytes: MOST_BYTES,
      onFault,
      onEntry: (entry) => this.#count(entry),
    })
  }

  get(key: string): ModelAnswer | undefined {
    return this.#log.get(key)?.answer
  }

  /** Keeps a call. DiskFullError where there is no room. */
  add(key: string, answer: ModelAnswer, about: CallRecord): void {
    withDiskFullError(this.#log.file, 0, () => this.#log.add({ key, at: Date.now(), answer, about: { ...about } }))
    this.#log.catchUp()
    if (!this.#seen.has(key)) throw new DiskFullError(`${this.#log.file}: expected room for a call, got none`)
  }

  /** Which part of the budget is spent, as people are told; undefined while there is some left. */
  get isSpent(): string | undefined {
    const { maxCost, maxTokens, maxCalls } = this.#budget
    const { cost, calls, promptTokens, completionTokens } = this.spent
    if (maxCalls !== undefined && calls >= maxCalls) return `${count(calls)} of ${count(maxCalls)} calls`
    const tokens = promptTokens + completionTokens
    if (maxTokens !== undefined && tokens >= maxTokens) return `${count(tokens)} of ${count(maxTokens)} tokens`
    if (maxCost !== undefined && cost >= maxCost) return `cost ${cost.toFixed(4)} of ${maxCost}`
    return undefined
  }

  #count({ key, at, answer, about }: StoredAnswer): void {
    if (this.#seen.has(key)) return
    this.began = Math.min(this.began, at)
    this.ended = Math.max(this.ended, at)
    this.#seen.add(key)
    this.spent.calls++
    if (answer.finishReason === 'length') this.spent.cut++
    this.spent.promptTokens += answer.usage.promptTokens
    this.spent.completionTokens += answer.usage.completionTokens
    this.spent.cost += typeof about?.cost === 'number' ? about.cost : 0
  }
}

const count = (value: number): string => value.toLocaleString('en')

/** Reads the calls of a folder, in the order in which they were answered. InputError where it has none. */
export function readCalls(directory: string): LedgerCall[] {
  const calls = new Map<string, LedgerCall>()
  const onEntry = ({ key, at, answer, about }: StoredAnswer): void => {
    calls.set(key, { ...(about as unknown as CallRecord), key, at, answer })
  }
  const log = new AnswerLog(directory, { name: CALLS, maxBytes: 0, onEntry, onFault: () => undefined })
  if (calls.size === 0) throw new InputError(`${log.file}: expected calls of a synthesis, got none`)
  return [...calls.values()]
}
