// The calls of a trace once more, on a model in this process: the same tokens, to the bit, or where the first one differs.

import { UsageError } from '../../errors.ts'
import { collect, type GenerateRequest, type Lm } from '../../lm/lm.ts'
import { checkOptionNames } from '../../option-names.ts'
import { collectAnswer } from './collect-answer.ts'
import { generateWhere } from './eager.ts'
import { isRunningText } from './is-running-text.ts'
import { localModel } from './local-model.ts'
import type { ModelPiece } from './model-call.ts'
import type { Trace, TracedCall } from './traced-call.ts'

/** How a trace is replayed. */
export interface ReplayOptions {
  /** Only the calls of this model. Default: of all models in a process. */
  model?: string
  /** Also where the trace was made with another version of the model. */
  anyRevision?: boolean
  /** Calls at the same time. Default 8: what runs beside a call does not change it. */
  concurrency?: number
  signal?: AbortSignal
}

/** Where a call went another way. */
export interface ReplayDifference {
  /** Its `id`. */
  call: number
  /** In what: the ids that were read, those that were made, or how probable they were. */
  of: 'prompt' | 'answer' | 'logprobs'
  /** The place, from 0, and what stands there: a token id or a log-probability; undefined behind the end. */
  at: number
  recorded: number | undefined
  replayed: number | undefined
}

/** What came of a replay. */
export interface Replayed {
  /** Calls that were made again. */
  calls: number
  equal: number
  /** Calls that cannot be made again: of services, those held to functions that are not on record, and those that failed before an answer. */
  skipped: number
  /** The first call that went another way. */
  difference?: ReplayDifference
  /** Whether both versions of the model are known, and are the same. */
  isSameRevision: boolean
}

const OPTIONS: Readonly<Record<keyof ReplayOptions, true>> = {
  model: true,
  anyRevision: true,
  concurrency: true,
  signal: true,
}

/**
 * Makes the calls of a trace again and compares them. UsageError where the trace is of another version of the model.
 *
 * @example
 * const { equal, calls, difference } = await replay(readTrace('headline.jsonl'), await loadLm('runs/demo/model'))
 */
export async function replay(trace: Trace, lm: Lm, options: ReplayOptions = {}): Promise<Replayed> {
  checkOptionNames('replay', options, OPTIONS)
  const { model, anyRevision = false, concurrency = 8, signal } = options
  if (trace.isDry) throw new UsageError('trace: expected answers of a model, got a dry run')
  if (!(Number.isInteger(concurrency) && concurrency >= 1))
    throw new UsageError(`concurrency: expected a whole number of at least 1, got ${concurrency}`)
  const own = trace.calls.filter(({ isWrapper, model: name }) => !isWrapper && (model === undefined || name === model))
  const made = own.filter(
    (call) => call.ids !== undefined && (call.answer ?? call.scores) !== undefined && isOnRecord(call),
  )
  const revisions = made.map(({ setup }) => setup?.revision)
  const other = revisions.find((revision) => revision !== undefined && revision !== lm.info?.revision)
  if (other !== undefined && lm.info?.revision !== undefined && !anyRevision)
    throw new UsageError(
      `replay: expected revision ${other}, with which the trace was made, got ${lm.info.revision}. Load that one, or allow others with \`anyRevision\``,
    )
  const differences: ReplayDifference[] = []
  const waiting = [...made]
  const work = async (): Promise<void> => {
    for (let call = waiting.shift(); call !== undefined; call = waiting.shift()) {
      const difference = await differenceOf(call, lm, signal)
      if (difference !== undefined) differences.push(difference)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  const [difference] = differences.sort((a, b) => a.call - b.call)
  return {
    calls: made.length,
    equal: made.length - differences.length,
    skipped: own.length - made.length,
    ...(difference !== undefined && { difference }),
    isSameRevision: other === undefined && made.length > 0 && !revisions.includes(undefined),
  }
}

/** Whether all that an answer was held to is there: files have the names of conditions, not what they ask; of a choice not how it was asked. */
function isOnRecord(call: TracedCall): boolean {
  const { where = [] } = call.call
  if (where.some(({ check }) => typeof check !== 'function')) return false
  if (!isRunningText(call)) return true
  return (
    call.answer !== undefined && !(call.notes ?? []).some(({ by, where }) => by === 'script' && where !== undefined)
  )
}

async function differenceOf(
  traced: TracedCall,
  lm: Lm,
  signal: AbortSignal | undefined,
): Promise<ReplayDifference | undefined> {
  const { id: call, setup, call: asked, ids, answer, scores } = traced
  const { provider: _, revision: __, ...common } = setup ?? {}
  const again = { ...asked, ...(signal !== undefined && { signal }) }
  const found = (of: ReplayDifference['of'], recorded: readonly number[], replayed: readonly number[]) => {
    const length = Math.max(recorded.length, replayed.length)
    for (let at = 0; at < length; at++)
      if (!Object.is(recorded[at], replayed[at]))
        return { call, of, at, recorded: recorded[at], replayed: replayed[at] }
    return undefined
  }
  if (isRunningText(traced)) {
    const {
      messages: _messages,
      where = [],
      maxTokens,
      drawnSeed: _drawn,
      continueFinalMessage: _goesOn,
      ...how
    } = again
    const request: GenerateRequest = {
      ids: [...ids!],
      ...how,
      ...(common.adapter !== undefined && { adapter: common.adapter }),
      ...(maxTokens !== undefined && { maxNewTokens: maxTokens }),
      logprobs: answer!.logprobs !== undefined,
    }
    const made = await (where.length > 0 ? generateWhere(lm, request, where) : collect(lm.generate(request)))
    const most = answer!.finishReason === 'aborted' ? answer!.tokenIds.length : undefined
    return (
      found('answer', answer!.tokenIds, made.tokenIds.slice(0, most)) ??
      found('logprobs', probabilities(answer!), probabilities(made).slice(0, most))
    )
  }
  const model = localModel(lm, common)
  const prompt = found('prompt', ids!, model.read!(again).ids!)
  if (prompt !== undefined) return prompt
  if (answer === undefined)
    return found('logprobs', Object.values(scores!), await model.score!(again, Object.keys(scores!)))
  // Of an answer that was stopped, as much as had come.
  const isCut = answer.finishReason === 'aborted'
  const replayed = await collectAnswer(firstOf(model.answer(again), isCut ? answer.tokenIds.length : undefined))
  const end = isCut ? answer.tokenIds.length : undefined
  return (
    found('answer', answer.tokenIds, replayed.tokenIds.slice(0, end)) ??
    found('logprobs', probabilities(answer), probabilities(replayed).slice(0, end))
  )
}

const probabilities = ({ logprobs = [] }: { logprobs?: readonly { logprob: number }[] }): number[] =>
  logprobs.map(({ logprob }) => logprob)

/** Pieces until so many tokens have come. */
async function* firstOf(
  pieces: AsyncIterable<ModelPiece>,
  most: number | undefined,
): AsyncGenerator<ModelPiece, void, undefined> {
  let count = 0
  for await (const piece of pieces) {
    count += piece.tokenIds.length
    yield piece
    if (most === undefined || count < most || piece.finishReason !== undefined) continue
    yield {
      deltas: [],
      tokenIds: [],
      finishReason: 'aborted',
      usage: { promptTokens: 0, completionTokens: count, reasoningTokens: 0 },
    }
    return
  }
}

/** A replay in a line. */
export function replayLine({ calls, equal, skipped, difference, isSameRevision }: Replayed): string {
  const left =
    skipped > 0
      ? `; ${skipped} of services, held to what is not on record, or without an answer cannot be made again`
      : ''
  const version = isSameRevision ? '' : '; whether it is the same version of the model is not on record'
  if (difference === undefined) return `${equal} of ${calls} calls equal to the bit${left}${version}`
  const { call, of, at, recorded = 'nothing', replayed = 'nothing' } = difference
  const where = `call ${call} differs first, in ${of} at ${at}: ${recorded} is recorded, ${replayed} came`
  return `${equal} of ${calls} calls equal${left}${version}; ${where}`
}
