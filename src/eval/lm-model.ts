// An `Lm` as evaluation asks it, by lm-evaluation-harness's rules: where a text is cut into context and continuation, what stands before
// an empty context, which windows a long text is read in, and what is left out where a context is too long.

import { UnsupportedError } from '../errors.ts'
import type { GenerateRequest, Lm, TokenLogProb } from '../lm/lm.ts'
import { SPACE } from '../text/jinja/white-space.ts'
import type { AnswerOptions, EvalModel } from './model.ts'
import type { EvalRequest } from './requests.ts'

/** Requests that go to the scheduler at once: they share what they begin with, and what they have answered is kept when work stops. */
const AT_ONCE = 128
/** Contexts whose first continuations are read before the others, so that these find them in the cache. */
const CONTEXTS_AT_ONCE = 16

/** Tokens that are shared at least, or not at all. */
const BLOCK = 16

const TRAILING_SPACE = new RegExp(`${SPACE}+$`)

/** A context and what is to be judged behind it, as ids that the model sees. */
interface Pair {
  index: number
  /** Context and continuation; at most one more than the window. */
  ids: number[]
  /** Where the continuation begins. */
  from: number
  truncated: number
  isJoined: boolean
}

/** Makes a model of an `Lm`. `identity` tells it from others of the same name. */
export function lmModel(
  lm: Lm,
  { identity = lm.info?.name ?? '', facts = {} }: { identity?: string; facts?: Readonly<Record<string, unknown>> } = {},
): EvalModel {
  const asker = new LmAsker(lm)
  return {
    name: lm.info?.name ?? 'model',
    identity,
    facts,
    contextLength: lm.contextLength,
    renderChat: lm.canChat && lm.renderChat !== undefined ? (messages) => renderTurns(lm, messages) : undefined,
    encode: (text) => (text === '' ? [] : lm.encode({ prompt: text, addSpecialTokens: false })),
    answer: (requests, options) => asker.answer(requests, options),
  }
}

class LmAsker {
  readonly #lm: Lm

  constructor(lm: Lm) {
    this.#lm = lm
  }

  async answer(requests: readonly EvalRequest[], options: AnswerOptions): Promise<void> {
    const indices = Array.from(requests.keys())
    const of = (kind: EvalRequest['kind']): number[] => indices.filter((index) => requests[index]!.kind === kind)
    const pairs: Pair[] = []
    for (const index of of('loglikelihood')) {
      const request = requests[index] as EvalRequest & { kind: 'loglikelihood' }
      const pair = this.#pairOf(index, request.context, request.continuation)
      if (typeof pair === 'string') options.take(index, { failed: pair })
      else if (pair.from === pair.ids.length) options.take(index, likelihood(pair, 0, true))
      else pairs.push(pair)
    }
    await this.#judge(pairs, options)
    await this.#judgeWhole(
      of('loglikelihood_rolling').map((index) => [index, (requests[index] as { text: string }).text] as const),
      options,
    )
    await this.#goOn(
      of('generate_until').map(
        (index) => [index, requests[index] as EvalRequest & { kind: 'generate_until' }] as const,
      ),
      options,
    )
  }

  /** Context and continuation as ids, or why there are none. */
  #pairOf(index: number, context: string, continuation: string): Pair | string {
    const space = TRAILING_SPACE.exec(context)?.[0] ?? ''
    const before = context.slice(0, context.length - space.length)
    const after = space + continuation
    let head: number[]
    let tail: number[]
    let isJoined = false
    if (before === '') {
      tail = this.#encode(after, false)
      const prefix = this.#prefix()
      head = [prefix]
      if (tail[0] === prefix) tail = tail.slice(1)
    } else {
      const whole = this.#encode(before + after)
      head = this.#encode(before)
      if (head.length === 0) head = [this.#prefix()]
      isJoined = head.some((id, at) => whole[at] !== id)
      tail = whole.slice(head.length)
    }
    const { contextLength: window } = this.#lm
    if (tail.length > window) return `continuation of ${tail.length} tokens, the model sees ${window}`
    const truncated = Math.max(0, head.length + tail.length - (window + 1))
    const ids = [...head.slice(truncated), ...tail]
    return { index, ids, from: ids.length - tail.length, truncated, isJoined }
  }

  async #judge(pairs: readonly Pair[], options: AnswerOptions): Promise<void> {
    const { scoreTokens } = this.#lm
    if (pairs.length > 0 && scoreTokens === undefined)
      throw new UnsupportedError(
        'model: expected one that tells the most probable tokens, got one that cannot. Give another model',
      )
    // Continuations of one token behind the same context are answered by one place.
    const byContext = new Map<string, Pair[]>()
    for (const pair of pairs) {
      const isOne = pair.from === pair.ids.length - 1
      const key = isOne ? pair.ids.slice(0, -1).join() : `${pair.ids.join()}|${pair.from}`
      byContext.set(key, [...(byContext.get(key) ?? []), pair])
    }
    const groups = [...byContext.values()]
    const isOne = ([pair]: Pair[]): boolean => pair!.from === pair!.ids.length - 1
    await inParts(groups.filter(isOne), async (part) => {
      const named = [...new Set(part.flatMap((group) => group.map(({ ids }) => ids.at(-1)!)))]
      const rows = await this.#places(part, { logprobTokenIds: named }, options)
      for (const [i, group] of part.entries()) {
        const place = rows[i]!.at(-1)!
        const logprobs = new Map(place.named!.map(({ id, logprob }) => [id, logprob]))
        for (const pair of group) {
          const id = pair.ids.at(-1)!
          options.take(pair.index, likelihood(pair, logprobs.get(id)!, place.top[0]!.id === id))
        }
      }
    })
    await inParts(sharedFirst(groups.filter((group) => !isOne(group))), async (part) => {
      const rows = await this.#places(part, {}, options)
      for (const [i, group] of part.entries()) {
        const places = rows[i]!.slice(group[0]!.from) as TokenLogProb[]
        const sum = places.reduce((total, { logprob }) => total + logprob, 0)
        const isGreedy = places.every(({ id, top }) => top[0]!.id === id)
        for (const pair of group) options.take(pair.index, likelihood(pair, sum, isGreedy))
      }
    })
  }

  #places(
    groups: readonly (readonly Pair[])[],
    named: { logprobTokenIds?: readonly number[] },
    { signal }: AnswerOptions,
  ): Promise<(readonly (TokenLogProb | null)[])[]> {
    return this.#lm.scoreTokens!(
      groups.map(([pair]) => pair!.ids),
      { from: groups.map(([pair]) => pair!.from), topLogprobs: 1, ...named, ...(signal !== undefined && { signal }) },
    )
  }

  async #judgeWhole(texts: readonly (readonly [number, string])[], { take, signal }: AnswerOptions): Promise<void> {
    for (let begin = 0; begin < texts.length; begin += CONTEXTS_AT_ONCE) {
      const part = texts.slice(begin, begin + CONTEXTS_AT_ONCE)
      const windows = part.map(([, text]) => rollingWindows(this.#encode(text), this.#prefix(), this.#lm.contextLength))
      const all = windows.flat()
      const rows = await this.#lm.score(
        all.map(({ ids }) => ids),
        { from: all.map(({ from }) => from), ...(signal !== undefined && { signal }) },
      )
      let at = 0
      for (const [i, [index]] of part.entries()) {
        let sum = 0
        for (const { from } of windows[i]!) for (const value of rows[at++]!.slice(from)) sum += value!
        take(index, { sum })
      }
    }
  }

  async #goOn(
    asked: readonly (readonly [number, EvalRequest & { kind: 'generate_until' }])[],
    { take, seed, signal }: AnswerOptions,
  ): Promise<void> {
    const { contextLength: window } = this.#lm
    for (let begin = 0; begin < asked.length; begin += AT_ONCE) {
      const part: { index: number; truncated: number; request: GenerateRequest }[] = []
      for (const [index, { context, generation, repeat }] of asked.slice(begin, begin + AT_ONCE)) {
        const most = newTokensOf(generation)
        const all = this.#encode(context)
        const whole = all.length === 0 ? [this.#prefix()] : all
        const room = window - most
        if (room < 1) {
          take(index, { failed: `max_gen_toks ${most}, the model sees ${window} tokens` })
          continue
        }
        const truncated = Math.max(0, whole.length - room)
        const ids = whole.slice(truncated)
        const request = { ids, maxNewTokens: most, stop: stopsOf(generation), ...samplingOf(generation, seed + repeat) }
        part.push({ index, truncated, request: signal === undefined ? request : { ...request, signal } })
      }
      const made = await this.#lm.generateAll(part.map(({ request }) => request))
      signal?.throwIfAborted()
      for (const [i, { index, truncated, request }] of part.entries()) {
        const text = beforeStops(this.#lm.decode(made[i]!.tokenIds), request.stop ?? [])
        take(index, { text, ...(truncated > 0 && { truncated }) })
      }
    }
  }

  /** Control tokens that a text spells are tokens, as in Transformers; one that begins with the start token gets no second one. */
  #encode(text: string, addSpecialTokens = true): number[] {
    const ids = text === '' ? [] : this.#lm.encode({ prompt: text, addSpecialTokens: false, allowSpecial: true })
    if (!addSpecialTokens || (ids.length > 0 && ids[0] === this.#lm.prefixTokenId)) return ids
    return this.#lm.encode({ prompt: text, allowSpecial: true })
  }

  #prefix(): number {
    const id = this.#lm.prefixTokenId
    if (id !== undefined) return id
    throw new UnsupportedError(
      'model: expected a start or end token to stand before a text without a context, got a tokenizer without either. Name one in tokenizer_config.json',
    )
  }
}

const likelihood = ({ ids, from, truncated, isJoined }: Pair, sum: number, isGreedy: boolean) => ({
  sum,
  isGreedy,
  tokens: ids.length - from,
  ...(truncated > 0 && { truncated }),
  ...(isJoined && { isJoined: true as const }),
})

/** Asks for parts of `AT_ONCE`, one after the other. */
async function inParts<T>(items: readonly T[], ask: (part: readonly T[]) => Promise<void>): Promise<void> {
  for (let begin = 0; begin < items.length; begin += AT_ONCE) await ask(items.slice(begin, begin + AT_ONCE))
}

/** Of every few beginnings that the cache may share the first text of each, then the others: none waits for what is being read beside it. */
function sharedFirst(groups: readonly Pair[][]): Pair[][] {
  const byContext = new Map<string, Pair[][]>()
  for (const group of groups) {
    const { ids, from } = group[0]!
    const key = ids.slice(0, Math.max(BLOCK, Math.floor(from / BLOCK) * BLOCK)).join()
    const known = byContext.get(key)
    if (known === undefined) byContext.set(key, [group])
    else known.push(group)
  }
  const contexts = [...byContext.values()]
  const ordered: Pair[][] = []
  for (let begin = 0; begin < contexts.length; begin += CONTEXTS_AT_ONCE) {
    const part = contexts.slice(begin, begin + CONTEXTS_AT_ONCE)
    ordered.push(...part.map((list) => list[0]!), ...part.flatMap((list) => list.slice(1)))
  }
  return ordered
}

/**
 * The windows in which a long text is judged: each token once, with at least one before it. The first begins with `prefix`; each later one
 * sees as much as fits. `from`: the first token of a window that is judged.
 */
export function rollingWindows(
  ids: readonly number[],
  prefix: number,
  window: number,
): { ids: number[]; from: number }[] {
  const windows: { ids: number[]; from: number }[] = []
  const first = Math.min(window, ids.length)
  if (first > 0) windows.push({ ids: [prefix, ...ids.slice(0, first)], from: 1 })
  for (let done = first; done < ids.length; ) {
    const end = done + Math.min(ids.length - done, window)
    const seen = ids.slice(Math.max(0, end - window - 1), end)
    windows.push({ ids: seen, from: seen.length - (end - done) })
    done = end
  }
  return windows
}

type Generation = (EvalRequest & { kind: 'generate_until' })['generation']

/** Tokens that an answer may have: lm-eval's name, or another's; default 256. */
export function newTokensOf(generation: Generation): number {
  const { max_gen_toks: most, max_new_tokens: hf, max_tokens: openai, max_completion_tokens: newer } = generation
  return Number(most ?? hf ?? openai ?? newer ?? 256)
}

/** The texts that end an answer. */
export function stopsOf({ until }: Generation): string[] {
  return (typeof until === 'string' ? [until] : [...(until ?? [])]).filter((stop) => stop !== '')
}

/** What comes before the first of the texts that end an answer. */
export function beforeStops(text: string, stops: readonly string[]): string {
  return stops.reduce((rest, stop) => rest.split(stop)[0]!, text)
}

/** Greedy unless the task samples: `do_sample`, or a temperature above 0. */
export function samplingOf(
  generation: Generation,
  seed: number,
): Pick<GenerateRequest, 'temperature' | 'topP' | 'topK' | 'seed'> {
  const { do_sample: samples, temperature, top_p: topP, top_k: topK } = generation
  if (samples === false || (samples === undefined && !Number(temperature))) return { temperature: 0 }
  return {
    temperature: temperature === undefined ? 1 : Number(temperature),
    seed,
    ...(topP !== undefined && { topP: Number(topP) }),
    ...(topK !== undefined && { topK: Number(topK) }),
  }
}

/** A chat as text. Where its last message is the assistant's, the text ends with it, so that it goes on. */
function renderTurns(lm: Lm, messages: readonly { role: string; content?: unknown }[]): string {
  const last = messages.at(-1)
  if (last?.role !== 'assistant') return lm.renderChat!(messages, { addGenerationPrompt: true })
  const text = lm.renderChat!(messages)
  const content = String(last.content).trimEnd()
  const at = text.lastIndexOf(content)
  if (at === -1)
    throw new UnsupportedError(
      'gen_prefix: expected a chat template that writes it as it stands, got one that changes it',
    )
  return text.slice(0, at + content.length)
}
