// The teacher as the rows of a synthesis see it: what is in the ledger comes from there, a draw has a seed that its row and its words decide,
// and nothing is asked once the budget is spent.

import { AsyncLocalStorage } from 'node:async_hooks'
import { AnnealError, UsageError } from '../errors.ts'
import { hashOf } from '../files/hash.ts'
import { piecesOf } from '../prompting/base/answer-pieces.ts'
import { writtenCall } from '../prompting/base/call-key.ts'
import { collectAnswer } from '../prompting/base/collect-answer.ts'
import { costOf } from '../prompting/base/cost.ts'
import { type Model, modelOf } from '../prompting/base/model.ts'
import type { ModelAnswer, ModelCall, ModelSettings } from '../prompting/base/model-call.ts'
import type { CallRecord, Ledger } from './ledger.ts'

/** How a teacher answers where a recipe does not say. */
export type Sampling = Pick<ModelSettings, 'maxTokens' | 'temperature' | 'topP' | 'stop'>

/** The budget is spent: nothing more is asked, and what was begun waits for another run. */
export class BudgetSpent extends AnnealError {}

/** A call that nobody has answered yet, to be asked by a file. */
export interface PendingCall {
  readonly key: string
  readonly about: CallRecord
}

/** The call was put into the file of a batch. */
export class InBatch extends AnnealError {}

/** What all rows of a run have in common. */
export interface KeptModelOptions {
  readonly model: Model
  readonly ledger: Ledger
  readonly seed: number
  readonly sampling: Sampling
  /** What decides answers besides model and call. */
  readonly version: string
  readonly signal: AbortSignal
  /** Takes calls instead of the model. */
  readonly pending?: Map<string, PendingCall> | undefined
  /** What came back of a file of calls, by their keys. */
  readonly results?: ReadonlyMap<string, ModelAnswer> | undefined
  /** Hears of each answer. */
  readonly onCall: (answer: ModelAnswer) => void
}

/** Which try of a recipe calls are made in. */
export const tries: AsyncLocalStorage<Pick<CallRecord, 'attempt' | 'reason'>> = new AsyncLocalStorage()

/** A whole number below 2^31 that these decide. */
export const seedOf = (...parts: readonly (string | number)[]): number =>
  Number.parseInt(hashOf(...parts.map(String)).slice(0, 8), 16) & 0x7fffffff

/** Makes the model of each row; `onHalt` hears why it asks nothing more, whatever the recipe makes of that. */
export function keptModels(
  options: KeptModelOptions,
): (row: number | null, onHalt: (why: BudgetSpent | InBatch) => void) => Model {
  const { model, ledger, seed, sampling, version, signal, pending, results, onCall } = options
  const identity = JSON.stringify([model.name, model.setup, version])
  const flights = new Map<string, Promise<ModelAnswer>>()

  const asked = async (key: string, call: ModelCall, about: CallRecord): Promise<ModelAnswer> => {
    const costs = (answer: ModelAnswer) => (model.cost === undefined ? {} : { cost: costOf(answer.usage, model.cost) })
    const came = results?.get(key)
    if (came !== undefined) {
      ledger.add(key, came, { ...about, ...costs(came) }) // paid for already
      onCall(came)
      return came
    }
    const spent = ledger.isSpent
    if (spent !== undefined) throw new BudgetSpent(spent)
    if (pending !== undefined) {
      pending.set(key, { key, about })
      throw new InBatch('asked by a file')
    }
    const began = performance.now()
    const answer = await collectAnswer(model.answer({ ...call, signal }))
    if (answer.finishReason === 'aborted') {
      signal.throwIfAborted()
      throw new AnnealError(`${model.name}: expected an answer, got one that was cut off`)
    }
    ledger.add(key, answer, { ...about, ms: Math.round(performance.now() - began), ...costs(answer) })
    onCall(answer)
    return answer
  }

  return (row, onHalt) => {
    /** How often the row has drawn with the same words. */
    const times = new Map<string, number>()
    return modelOf({
      ...model,
      async *answer(given) {
        signal.throwIfAborted()
        const { drawnSeed, signal: own, ...rest } = { ...sampling, ...given }
        if (rest.seed === drawnSeed) delete rest.seed // drawn by whoever asks: another one each time
        if (rest.temperature !== 0 && rest.seed === undefined) {
          const written = textOf(rest)
          const time = times.get(written) ?? 0
          times.set(written, time + 1)
          rest.seed = seedOf(seed, row ?? 'prepare', written, time)
        }
        const key = hashOf(identity, textOf(rest))
        const known = ledger.get(key)
        let answer = known
        if (answer === undefined) {
          const { where: _, ...call } = rest
          const about = { row, ...(tries.getStore() ?? { attempt: 1 }), model: model.name, call }
          const flight = flights.get(key) ?? asked(key, rest, about).finally(() => flights.delete(key))
          flights.set(key, flight)
          answer = await flight.catch((error: unknown) => {
            if (error instanceof BudgetSpent || error instanceof InBatch) onHalt(error)
            throw error
          })
          own?.throwIfAborted()
        }
        // What it cost when it was made: a recipe that counts tokens decides the same whenever it is asked.
        for (const { cached, ...piece } of piecesOf(answer, { kind: 'exact' }))
          yield { ...piece, ...(known !== undefined && { cached }), usage: answer.usage } as typeof piece
      },
    })
  }
}

/** All that decides an answer; constraints by their names and structures. */
function textOf({ where, ...call }: ModelCall): string {
  const constraints = (where ?? []).map(({ name, structure }) => ({ name, structure }))
  const written = writtenCall({ ...call, ...(constraints.length > 0 && { where: constraints as never }) })
  if (written === undefined)
    throw new UsageError('model: expected calls that can be written as JSON, got one with a value that cannot')
  return written
}
