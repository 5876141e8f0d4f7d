// What a model is told of a conversation that has grown long: its last rounds, a summary of those before, and earlier ones that are like the
// question. A round is a question with all that came of it, and stays whole, so that no result of a tool stands without its call.

import { UsageError } from '../../errors.ts'
import { dotProduct } from '../../lm/embedder.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { type Embed, unitVectors } from '../base/embed.ts'
import { answered, type Model } from '../base/model.ts'
import { program } from '../base/trace.ts'
import { WORDINGS } from '../base/wordings.ts'
import { quote } from '../data/prompt.ts'

/** How much is remembered, and how. */
export interface MemoryOptions {
  /** Rounds that are told word for word, at most. Default 8, or any number where `tokens` is given. */
  turns?: number
  /** Tokens of the instruction, the rounds and the question together, at most; one question alone may be longer. */
  tokens?: number
  /**
   * What goes, goes so many rounds at a time (by `tokens`: until half of them are free), so that the beginning of what the model reads stays
   * the same in between and need not be read again. Default: half of `turns`.
   */
  step?: number
  /** A summary takes the place of the rounds that go. Default: they are left out, and that is told. */
  summary?: SummaryOptions
  /** Earlier rounds that are like the question are quoted before it. Needs vectors. */
  recall?: Embed | RecallOptions
}

/** How what goes is summarised. */
export interface SummaryOptions {
  /** Rounds that are summarised together: `step`. */
  every?: number
  /** Tokens of the summary. Default 200. */
  tokens?: number
  /** Who writes it. Default: the conversation's model. */
  model?: Model
}

/** Which earlier rounds are quoted. */
export interface RecallOptions {
  embed: Embed
  /** Rounds at most, without their neighbours. Default 3. */
  top?: number
  /** Rounds before and after each. Default 1. */
  neighbours?: number
  /** Cosine from which on a round is like the question. Default 0.1. */
  threshold?: number
  /** Tokens of what is quoted, at most. Default 500. */
  tokens?: number
}

/** A question of the user, calls of tools and their results, and the answer. */
export interface Round {
  readonly messages: readonly ChatMessage[]
}

/** Where a memory stands after a round. Plain JSON. */
export interface MemoryState {
  /** Rounds that are no longer told word for word. */
  readonly from: number
  /** What stands for them. */
  readonly summary?: string
}

/** What of the conversation the model was told. */
export interface Remembered {
  /** Rounds word for word: from this one on, counted from 0. */
  readonly from: number
  /** Rounds before it that the summary stands for. */
  readonly summarised: number
  /** Rounds before it that were quoted. */
  readonly recalled: readonly number[]
  /** Rounds before it of which nothing was told. */
  readonly left: number
  /** Tokens of all that was sent, and whether that is a guess of four bytes each, for a model that does not tell. */
  readonly tokens: number
  readonly isEstimate: boolean
}

/** A way to remember. It keeps nothing of a conversation itself, so one may serve many. */
export interface Memory {
  /** What to send for a question after these rounds, and where the memory stands then. */
  recollect(given: {
    model: Model
    before: readonly ChatMessage[]
    rounds: readonly Round[]
    state: MemoryState
    question: readonly ChatMessage[]
    signal?: AbortSignal | undefined
  }): Promise<{ messages: ChatMessage[]; state: MemoryState; told: Remembered }>
}

const OPTIONS: Readonly<Record<keyof MemoryOptions, true>> = {
  turns: true,
  tokens: true,
  step: true,
  summary: true,
  recall: true,
}

/**
 * A memory of a window, with a summary of what lies before it, with recall of what is like the question, or all of them.
 *
 * @example
 * const memory = remember({ turns: 8, summary: { tokens: 200 }, recall: embedder })
 * const chat = conversation(model, { memory })
 */
export function remember(options: MemoryOptions = {}): Memory {
  checkOptionNames('remember', options, OPTIONS)
  const { tokens = Number.POSITIVE_INFINITY, summary } = options
  const { turns = options.tokens === undefined ? 8 : Number.POSITIVE_INFINITY } = options
  const { step = summary?.every ?? (Number.isFinite(turns) ? Math.ceil(turns / 2) : 1) } = options
  for (const [name, value, least] of [
    ['turns', turns, 1],
    ['tokens', tokens, 1],
    ['step', step, 1],
  ] as const)
    if (!(value >= least && (Number.isInteger(value) || value === Number.POSITIVE_INFINITY)))
      throw new UsageError(`${name}: expected a whole number of at least ${least}, got ${value}`)
  if (step > turns) throw new UsageError(`step: expected at most \`turns\` (${turns}), got ${step}`)
  const recall = options.recall === undefined ? undefined : recaller(options.recall)
  return {
    async recollect({ model, before, rounds, state, question, signal }) {
      const windowOf = ({ from, summary: text }: MemoryState): ChatMessage[] => {
        const told = [...rounds.slice(from).flatMap(({ messages }) => messages), ...question]
        return text === undefined ? told : withBefore(told, 0, summaryText(text))
      }
      const sizeOf = (now: MemoryState): number => measured(model, [...before, ...windowOf(now)]).tokens
      let now = state
      let to = now.from
      while (rounds.length - to > turns) to += step
      if (tokens !== Number.POSITIVE_INFINITY && sizeOf({ ...now, from: to }) > tokens)
        while (to < rounds.length && sizeOf({ ...now, from: to }) > tokens / 2) to++
      if (to > now.from) {
        if (summary === undefined) now = { from: to }
        else {
          const text = await summarised(summary, model, now.summary, rounds.slice(now.from, to), signal)
          // Without a summary nothing goes: the rounds stay until there is one.
          if (text !== '') now = { from: to, summary: text }
        }
      }
      const found = await recall?.({ model, rounds, end: now.from, question, signal })
      const recalled = found?.rounds ?? []
      const window = windowOf(now)
      const last = window.findLastIndex(({ role }) => role === 'user')
      const messages = found === undefined ? window : withBefore(window, last, found.text)
      const isSummarised = now.summary !== undefined
      const { tokens: size, isEstimate } = measured(model, [...before, ...messages])
      return {
        messages,
        state: now,
        told: {
          from: now.from,
          summarised: isSummarised ? now.from : 0,
          recalled,
          left: isSummarised ? 0 : now.from - recalled.length,
          tokens: size,
          isEstimate,
        },
      }
    },
  }
}

/** How many tokens the model would read, by its own count where it tells. */
function measured(model: Model, messages: readonly ChatMessage[]): { tokens: number; isEstimate: boolean } {
  const ids = model.read?.({ messages }).ids
  if (ids !== undefined) return { tokens: ids.length, isEstimate: false }
  const bytes = messages.reduce((sum, message) => sum + Buffer.byteLength(JSON.stringify(message)), 0)
  return { tokens: Math.ceil(bytes / 4), isEstimate: true }
}

/** A text before what message `at` says. */
function withBefore(messages: readonly ChatMessage[], at: number, text: string): ChatMessage[] {
  return messages.map((message, i) => {
    if (i !== at) return message
    const { content } = message
    if (Array.isArray(content)) return { ...message, content: [{ type: 'text', text }, ...(content as unknown[])] }
    return { ...message, content: `${text}\n\n${String(content)}` }
  })
}

const summaryText = (text: string): string => `${WORDINGS.summary}\n${String(quote(text, { name: 'summary' }))}`

async function summarised(
  { tokens = 200, model }: SummaryOptions,
  own: Model,
  before: string | undefined,
  rounds: readonly Round[],
  signal: AbortSignal | undefined,
): Promise<string> {
  const parts = [
    WORDINGS.summarise.replace('{words}', String(Math.max(1, Math.floor(tokens * 0.7)))),
    ...(before === undefined ? [] : [String(quote(before, { name: 'summary' }))]),
    String(quote(rounds.map((round) => JSON.stringify(spoken(round))).join('\n'), { name: 'conversation' })),
  ]
  const call = {
    messages: [{ role: 'user', content: parts.join('\n\n') }],
    maxTokens: tokens,
    temperature: 0,
    ...(signal !== undefined && { signal }),
  }
  const { answer } = await program('summary', () => answered(model ?? own, call))()
  signal?.throwIfAborted()
  return answer.text.trim()
}

/** What the two said, in order; what tools said can be long and is left out. */
function spoken({ messages }: Round): { user: string; assistant: string } {
  const of = (wanted: string): string =>
    messages
      .filter(({ role, content }) => role === wanted && typeof content === 'string' && content !== '')
      .map(({ content }) => content as string)
      .join('\n')
  return { user: of('user'), assistant: of('assistant') }
}

interface RecallGiven {
  model: Model
  rounds: readonly Round[]
  /** Rounds from here on are told anyway. */
  end: number
  question: readonly ChatMessage[]
  signal: AbortSignal | undefined
}

/** Finds earlier rounds, and says them as what they are: quoted, on a line of JSON each, so that none can pass for another speaker. */
function recaller(
  options: Embed | RecallOptions,
): (given: RecallGiven) => Promise<{ rounds: readonly number[]; text: string } | undefined> {
  const isOptions =
    typeof options === 'object' &&
    (typeof options.embed === 'object' || ['top', 'neighbours', 'threshold', 'tokens'].some((name) => name in options))
  const {
    embed,
    top = 3,
    neighbours = 1,
    threshold = 0.1,
    tokens = 500,
  } = (isOptions ? options : { embed: options }) as RecallOptions
  // By the rounds themselves: what nobody holds any more is forgotten here too.
  const vectors = new WeakMap<Round, Float32Array>()
  return async ({ model, rounds, end, question, signal }) => {
    if (end === 0) return undefined
    const fresh = rounds.slice(0, end).filter((round) => !vectors.has(round))
    const texts = fresh.map((round) => Object.values(spoken(round)).join('\n'))
    const asked = spoken({ messages: question }).user
    const [wanted, ...made] = await unitVectors(embed, [asked, ...texts], signal)
    for (const [i, round] of fresh.entries()) vectors.set(round, made[i]!)
    const best = Array.from({ length: end }, (_, i) => ({ i, score: dotProduct(wanted!, vectors.get(rounds[i]!)!) }))
      .filter(({ score }) => score >= threshold)
      .sort((a, b) => b.score - a.score || b.i - a.i)
      .slice(0, top)
    const chosen = new Set<number>()
    const lines = (of: Iterable<number>): string =>
      [...of]
        .sort((a, b) => a - b)
        .map((i) => JSON.stringify({ round: i + 1, ...spoken(rounds[i]!) }))
        .join('\n')
    const fits = (of: Iterable<number>): boolean =>
      measured(model, [{ role: 'user', content: lines(of) }]).tokens <= tokens
    // The likest first, then what stands around them, as far as there is room.
    const around = best.flatMap(({ i }) =>
      Array.from({ length: 2 * neighbours + 1 }, (_, k) => i - neighbours + k).filter((at) => at >= 0 && at < end),
    )
    for (const at of [...best.map(({ i }) => i), ...around]) if (fits([...chosen, at])) chosen.add(at)
    if (chosen.size === 0) return undefined
    const text = `${WORDINGS.recalled}\n${String(quote(lines(chosen), { name: 'earlier' }))}`
    return { rounds: [...chosen].sort((a, b) => a - b), text }
  }
}
