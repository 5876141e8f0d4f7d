// An answer on its way through rules: its text and thoughts sentence by sentence, its calls of tools when they are whole, each token's id
// with the text that it made. What did not pass can be taken back, and another draw goes on behind what did.

import type { ChatDelta, ChatUsage } from '../../chat/answer.ts'
import type { Model } from '../base/model.ts'
import type { ModelCall, ModelPiece } from '../base/model-call.ts'
import { CheckedText } from './checked-text.ts'
import { type Asking, type Broken, passed, type Rule } from './rule.ts'

/** What a piece made, and how long text and thoughts were by then. */
interface Made extends Tokens {
  readonly text: number
  readonly thoughts: number
  readonly isMute: boolean
}

/** One answer, in as many draws as it takes. */
export class Draw {
  readonly #rules: readonly Rule[]
  readonly #execution: readonly Rule[]
  readonly #asking: Asking
  readonly #isHeld: boolean
  #text: CheckedText
  #thoughts: CheckedText
  #waiting: Made[] = []
  #calls: ChatDelta[] = []
  #hasCalls = false
  #hasThoughts = false
  #held: ModelPiece[] = []
  #last: ModelPiece | undefined
  /** Tokens of this draw, those of them that have not left, and all that have. */
  #drawn = 0
  #made = 0
  #kept = 0
  /** The text that has been given out. */
  given = ''
  usage: ChatUsage = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0 }

  /** With `isHeld`, nothing is given out before all has passed. */
  constructor(rules: readonly Rule[], execution: readonly Rule[], asking: Asking, isHeld: boolean) {
    this.#rules = rules
    this.#execution = execution
    this.#asking = asking
    this.#isHeld = isHeld
    this.#text = new CheckedText(rules, asking)
    this.#thoughts = new CheckedText(rules, asking)
  }

  /** Whether another draw can go on behind what is out: no call is, and thoughts only with text behind them. */
  get canGoOn(): boolean {
    return !this.#hasCalls && (this.given !== '' || !this.#hasThoughts)
  }

  /** Tokens of the answer so far, and of the last draw those that are none of it. */
  get tokens(): { kept: number; thrown: number } {
    return { kept: this.#kept, thrown: this.#made }
  }

  /** Forgets what has not passed. */
  rollBack(): void {
    this.#waiting = []
    this.#calls = []
    this.#made = 0
    this.#last = undefined
    this.#thoughts = new CheckedText(this.#rules, this.#asking)
    if (this.#isHeld) this.#text = new CheckedText(this.#rules, this.#asking)
    else this.#text.rollBack()
  }

  /** Gives out what passes; the last piece is had by `end`. Where a rule refuses, the model is stopped. */
  async *run(model: Model, call: ModelCall): AsyncGenerator<ModelPiece, Broken | undefined, undefined> {
    this.#drawn = 0
    const stop = new AbortController()
    const signal = call.signal === undefined ? stop.signal : AbortSignal.any([call.signal, stop.signal])
    const pieces = model.answer({ ...call, signal })[Symbol.asyncIterator]()
    try {
      for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
        const piece = next.value
        this.#take(piece)
        const isOver = piece.finishReason !== undefined
        const result = await this.#release(isOver)
        if ('broken' in result) {
          stop.abort()
          if (isOver) this.#spend(piece.usage)
          else await this.#spendRest(pieces)
          return this.#broken(result.broken)
        }
        if (isOver) {
          this.#spend(piece.usage)
          if (this.#isHeld) for (const held of this.#held) yield held
          this.#last = { ...piece, ...result }
          return undefined
        }
        const { notices, promptLogprobs } = piece
        const isTold = notices !== undefined || promptLogprobs !== undefined
        const now: ModelPiece = {
          ...result,
          ...(notices !== undefined && { notices }),
          ...(promptLogprobs !== undefined && { promptLogprobs }),
        }
        if (this.#isHeld) this.#held.push(now)
        else if (isTold || now.deltas.length > 0 || now.tokenIds.length > 0) yield now
      }
    } finally {
      await pieces.return?.()
    }
    throw new Error('an answer ended without a finish reason')
  }

  /** The last piece, with what all draws cost. */
  get end(): ModelPiece {
    return { ...this.#last!, usage: this.usage }
  }

  #broken(broken: Broken): Broken {
    if (this.#isHeld) {
      this.#held = []
      this.given = ''
      this.#made += this.#kept
      this.#kept = 0
      this.#hasCalls = this.#hasThoughts = false
    }
    return broken
  }

  #take(piece: ModelPiece): void {
    for (const delta of piece.deltas) {
      if (delta.type === 'text') this.#text.push(delta.text)
      else if (delta.type === 'reasoning') this.#thoughts.push(delta.text)
      else this.#calls.push(delta)
    }
    this.#made += piece.tokenIds.length
    this.#drawn += piece.tokenIds.length
    // A token whose text waits for the next one's leaves with that.
    const before = this.#waiting.at(-1)?.isMute ? this.#waiting.pop() : undefined
    this.#waiting.push({
      ...joined(before === undefined ? [piece] : [before, piece]),
      text: this.#text.length,
      thoughts: this.#thoughts.length,
      isMute: piece.deltas.length === 0,
    })
  }

  /** What may leave now. */
  async #release(isOver: boolean): Promise<ModelPiece | { broken: Broken }> {
    const deltas: ChatDelta[] = []
    // Thoughts end where the text begins, and the text where calls do.
    const hasText = this.#text.length > this.#text.passed || this.#calls.length > 0
    const thoughts = await this.#thoughts.release(isOver || hasText)
    if ('broken' in thoughts) return thoughts
    if (thoughts.text !== '') deltas.push({ type: 'reasoning', text: thoughts.text })
    const text = await this.#text.release(isOver || this.#calls.length > 0)
    if ('broken' in text) return text
    if (text.text !== '') deltas.push({ type: 'text', text: text.text })
    const areCallsDue = this.#calls.length > 0 && (isOver || this.#execution.length === 0)
    const calls = areCallsDue ? await this.#checkedCalls() : []
    if ('broken' in calls) return calls
    deltas.push(...calls)
    this.given += text.text
    this.#hasThoughts ||= thoughts.text !== ''
    this.#hasCalls ||= calls.length > 0
    return { deltas, ...this.#idsOf(isOver) }
  }

  /** The ids of what has left. */
  #idsOf(isOver: boolean): Tokens {
    const isOut = ({ text, thoughts, isMute }: Made): boolean =>
      isOver || (!isMute && text <= this.#text.passed && thoughts <= this.#thoughts.passed && this.#calls.length === 0)
    const at = this.#waiting.findIndex((made) => !isOut(made))
    const out = this.#waiting.splice(0, at === -1 ? this.#waiting.length : at)
    const made = joined(out)
    this.#kept += made.tokenIds.length
    this.#made -= made.tokenIds.length
    return made
  }

  /** Calls with what rules write in the place of them. */
  async #checkedCalls(): Promise<ChatDelta[] | { broken: Broken }> {
    const calls = this.#calls
    this.#calls = []
    if (this.#execution.length === 0) return calls
    const made: ChatDelta[] = []
    for (const head of calls) {
      if (head.type !== 'tool-call') continue
      const given = calls.flatMap((delta) =>
        delta.type === 'tool-arguments' && delta.index === head.index ? [delta.text] : [],
      )
      const text = callText(head.name, given.join(''))
      const result = await passed(text, this.#execution, this.#asking)
      if ('broken' in result) return result
      const call = result.text === text ? { name: head.name, arguments: given.join('') } : writtenCall(result.text)
      if (call === undefined)
        return {
          broken: { rule: 'rewrite', why: `expected JSON of name and arguments, got ${result.text}`, isFault: true },
        }
      made.push({ ...head, name: call.name }, { type: 'tool-arguments', index: head.index, text: call.arguments })
    }
    return made
  }

  #spend(usage: ChatUsage | undefined, tokens = usage?.completionTokens ?? 0): void {
    const { promptTokens = 0, cachedTokens, reasoningTokens = 0 } = usage ?? {}
    const spent = this.usage
    this.usage = {
      promptTokens: spent.promptTokens + promptTokens,
      completionTokens: spent.completionTokens + tokens,
      reasoningTokens: spent.reasoningTokens + reasoningTokens,
      ...((cachedTokens ?? spent.cachedTokens) !== undefined && {
        cachedTokens: (spent.cachedTokens ?? 0) + (cachedTokens ?? 0),
      }),
    }
  }

  /** A model that was told to stop says what it cost, or nothing. */
  async #spendRest(pieces: AsyncIterator<ModelPiece>): Promise<void> {
    for (let i = 0; i < 2; i++) {
      const next = await pieces.next().catch(() => undefined)
      if (next === undefined || next.done) break
      this.#made += next.value.tokenIds.length
      this.#drawn += next.value.tokenIds.length
      if (next.value.usage !== undefined) return this.#spend(next.value.usage)
    }
    this.#spend(undefined, this.#drawn)
  }
}

type Tokens = Pick<ModelPiece, 'tokenIds' | 'logprobs' | 'tokens'>

function joined(all: readonly Tokens[]): Tokens {
  const logprobs = all.flatMap((one) => one.logprobs ?? [])
  const tokens = all.flatMap((one) => one.tokens ?? [])
  return {
    tokenIds: all.flatMap(({ tokenIds }) => tokenIds),
    ...(logprobs.length > 0 && { logprobs }),
    ...(tokens.length > 0 && { tokens }),
  }
}

/** A call as rules see it. Arguments that are no JSON stand as a text. */
function callText(name: string, given: string): string {
  try {
    return JSON.stringify({ name, arguments: JSON.parse(given || '{}') as unknown })
  } catch {
    return JSON.stringify({ name, arguments: given })
  }
}

function writtenCall(text: string): { name: string; arguments: string } | undefined {
  try {
    const { name, arguments: given } = JSON.parse(text) as { name?: unknown; arguments?: unknown }
    if (typeof name === 'string')
      return { name, arguments: typeof given === 'string' ? given : JSON.stringify(given ?? {}) }
  } catch {
    return undefined
  }
  return undefined
}
