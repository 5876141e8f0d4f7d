// A model that is not asked the same twice: what it has answered is kept and given again, for the very same call, and, where that is wanted,
// for a question that means the same by a threshold with a bound on how often it is wrong.

import { messageOf, UnsupportedError, UsageError } from '../../errors.ts'
import { hashOf } from '../../files/hash.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { StoredAnswer } from './answer-log.ts'
import { NOTHING, piecesOf } from './answer-pieces.ts'
import { AnswerStore } from './answer-store.ts'
import type { Calibration } from './calibrate.ts'
import { type Asked, askedIn, isDraw, writtenCall } from './call-key.ts'
import { checkModel } from './check-model.ts'
import type { Embed } from './embed.ts'
import { Flight } from './flight.ts'
import { type Model, modelOf } from './model.ts'
import type { ModelAnswer, ModelCall, ModelPiece } from './model-call.ts'
import { ALL_FACTS, QUESTION_FACTS, type QuestionFact } from './question-facts.ts'
import { type SimilarQuestion, SimilarQuestions } from './similar-questions.ts'

/** What is kept, where, and for how long. */
export interface CacheOptions {
  /** A folder for the answers, so that other processes and later ones have them too. Default: memory alone. */
  store?: string
  /** Bytes of answers in memory; those used last stay. Default 64 MiB. */
  maxBytes?: number
  /** Bytes of the file in `store`; then nothing is added to it. Default 1 GiB. */
  maxFileBytes?: number
  /** Seconds that an answer may be given again. Default: for ever. */
  ttlSeconds?: number
  /**
   * Gives drawn answers again too. Without it, only calls are kept that would get the same answer: with temperature 0, or with a seed of
   * the program's own. What the model's default temperature is, is not known, so a call that says neither is a draw.
   */
  reuseDraws?: boolean
  /** What decides answers besides the call and the model's name and setup: rules of a guard, a service's address, a date. */
  version?: string
  /**
   * Gives questions vectors, so that a question that means the same gets the same answer. Only for calls of one message of the user, with
   * the very same instruction and settings before it, without tools. A hit becomes no question itself, so that nothing drifts.
   */
  embed?: Embed
  /** From which cosine on questions mean the same, or what `calibrate` gives. Needed with `embed`. */
  threshold?: number | Calibration
  /** What has to be the same in two questions besides. Default: that of the calibration, or all. */
  exact?: readonly QuestionFact[]
  /** Questions with vectors at most. Default 10,000. */
  maxQuestions?: number
  /** Hears of lines that are left out and answers that cannot be written, and questions without vectors; the program goes on. Default: a warning of the process. */
  onFault?: (fault: string) => void
}

/** How often what happened. */
export interface CacheCounts {
  /** Calls that got the answer of the same call, or of one that was on its way. */
  exact: number
  /** Those that got the answer of a like question. */
  semantic: number
  /** Those that were made, and kept if they went well. */
  misses: number
  /** Draws, and what cannot be written as JSON: made, and not kept. */
  uncached: number
}

/** A model with a cache. */
export interface CachedModel extends Model {
  readonly cache: Readonly<CacheCounts>
}

const OPTIONS: Readonly<Record<keyof CacheOptions, true>> = {
  store: true,
  maxBytes: true,
  maxFileBytes: true,
  ttlSeconds: true,
  reuseDraws: true,
  version: true,
  embed: true,
  threshold: true,
  exact: true,
  maxQuestions: true,
  onFault: true,
}

/**
 * A model that keeps its answers. Calls that are the same and come at the same time are made once. Failures are not kept, nor answers
 * that were cut off by a signal, nor texts that are no JSON where JSON was asked for. What comes from the cache says so
 * (`answer.cached` in a trace) and costs no tokens.
 *
 * @example
 * const cheap = cached(model, { store: 'cache' })
 * const kind = await cheap.ask(prompt`Which kind is ${quote(mail)}?`, { temperature: 0 })
 */
export function cached(model: Model, options: CacheOptions = {}): CachedModel {
  checkModel('cached', model)
  checkOptionNames('cached', options, OPTIONS)
  const { store: directory, maxBytes = 64 << 20, maxFileBytes = 1 << 30 } = options
  const { ttlSeconds = Number.POSITIVE_INFINITY, reuseDraws = false, version = '' } = options
  const { onFault = (fault: string) => process.emitWarning(fault, 'AnnealCacheWarning') } = options
  for (const [name, value] of Object.entries({ maxBytes, maxFileBytes, ttlSeconds }))
    if (!(typeof value === 'number' && value >= 0))
      throw new UsageError(`${name}: expected a number of at least 0, got ${value}`)
  const counts: CacheCounts = { exact: 0, semantic: 0, misses: 0, uncached: 0 }
  const flights = new Map<string, Flight>()
  const questions = similarQuestions(options)
  const store = new AnswerStore({
    ...(directory !== undefined && { directory }),
    maxBytes,
    maxFileBytes,
    ttlSeconds,
    onFault,
    onEntry: ({ key, scope, question }) => {
      if (scope !== undefined && question !== undefined) questions?.add(key, scope, question)
    },
  })
  const identity = JSON.stringify([model.name, model.setup, version])

  /** An answer to a like question. */
  const near = async (
    { scope, question }: Asked,
    signal: AbortSignal | undefined,
  ): Promise<{ like: SimilarQuestion; answer: StoredAnswer } | undefined> => {
    try {
      for (const like of (await questions?.find(scope, question, signal)) ?? []) {
        const answer = store.get(like.key)
        if (answer !== undefined) return { like, answer }
        questions?.remove(like.key) // too old, or no longer in memory
      }
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof UsageError || error instanceof UnsupportedError) throw error
      onFault(`embed: ${messageOf(error)}`)
    }
    return undefined
  }

  const begin = (key: string, call: ModelCall, asked: Asked | undefined): Flight => {
    const flight = new Flight(
      (signal) => model.answer({ ...call, signal }),
      (answer) => {
        if (flights.get(key) === flight) flights.delete(key)
        if (answer !== undefined && isWorth(answer, call))
          store.put({ key, at: Date.now(), answer, ...(answer.finishReason === 'stop' && asked) })
      },
    )
    flights.set(key, flight)
    return flight
  }

  const made = modelOf({
    ...model,
    async *answer(call) {
      const text = isDraw(call) && !reuseDraws ? undefined : writtenCall(call)
      if (text === undefined) {
        counts.uncached++
        yield* model.answer(call)
        return
      }
      call.signal?.throwIfAborted()
      const key = hashOf(identity, text)
      const asked = questions === undefined ? undefined : askedIn(call, identity)
      let like: Awaited<ReturnType<typeof near>>
      if (asked !== undefined && store.get(key) === undefined && !flights.has(key))
        like = await near(asked, call.signal)
      if (like !== undefined) {
        counts.semantic++
        const { question, similarity } = like.like
        yield* piecesOf(like.answer.answer, { kind: 'semantic', question, similarity })
        return
      }
      const known = store.get(key)
      if (known !== undefined) {
        counts.exact++
        yield* piecesOf(known.answer, { kind: 'exact' })
        return
      }
      const underWay = flights.get(key)
      if (underWay !== undefined && !underWay.isStopped) {
        counts.exact++
        yield* again(underWay.listen(call.signal))
        return
      }
      counts.misses++
      yield* begin(key, call, asked).listen(call.signal)
    },
  })
  return { ...made, cache: counts }
}

function similarQuestions(options: CacheOptions): SimilarQuestions | undefined {
  const { embed, threshold, exact, maxQuestions = 10_000 } = options
  if (embed === undefined) {
    for (const name of ['threshold', 'exact', 'maxQuestions'] as const)
      if (options[name] !== undefined)
        throw new UsageError(`${name}: expected it together with \`embed\`, got it alone`)
    return undefined
  }
  if (threshold === undefined)
    throw new UsageError(
      'threshold: expected one with `embed`, got none. Let `calibrate` find one on pairs of questions',
    )
  const facts = exact ?? (typeof threshold === 'number' ? QUESTION_FACTS : threshold.exact)
  const wrong = facts.find((fact) => !ALL_FACTS.includes(fact))
  if (wrong !== undefined) throw new UsageError(`exact: expected ${ALL_FACTS.join(', ')}, got ${wrong}`)
  const from = typeof threshold === 'number' ? threshold : threshold.threshold
  if (!(from > 0 && from <= 1)) throw new UsageError(`threshold: expected a cosine above 0 and up to 1, got ${from}`)
  if (typeof threshold !== 'number' && threshold.exact.some((fact) => !facts.includes(fact)))
    throw new UsageError('exact: expected what the threshold was calibrated with, got less. Calibrate with the same')
  if (!(Number.isInteger(maxQuestions) && maxQuestions >= 1))
    throw new UsageError(`maxQuestions: expected a whole number of at least 1, got ${maxQuestions}`)
  return new SimilarQuestions({ embed, threshold: from, exact: facts, maxQuestions })
}

/** Whether an answer is kept. */
function isWorth({ finishReason, text }: ModelAnswer, { structure }: ModelCall): boolean {
  if (finishReason === 'aborted') return false
  if (structure === undefined || !('json_schema' in structure) || finishReason === 'tool_calls') return true
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The pieces of a call that somebody else pays for. */
async function* again(pieces: AsyncIterable<ModelPiece>): AsyncGenerator<ModelPiece, void, undefined> {
  let last: ModelPiece | undefined
  let isFirst = true
  for await (const piece of pieces) {
    const cached = { kind: 'exact' as const, usage: NOTHING }
    last = piece.usage === undefined ? piece : { ...piece, usage: NOTHING }
    yield isFirst ? { ...last, cached } : last
    isFirst = false
  }
}
