// One row: the tools that a recipe gets for it, and what came of it.

import { InputError, messageOf, UnsupportedError } from '../errors.ts'
import { PythonRandom } from '../eval/python-random.ts'
import { NoTokenError } from '../lm/no-token-error.ts'
import { ServiceError } from '../prompting/base/dialect.ts'
import { AnswerError, type Model } from '../prompting/base/model.ts'
import { isDryRun } from '../prompting/base/trace.ts'
import { seedOf, tries } from './kept-model.ts'
import { Refused, type RowTools } from './recipe.ts'
import type { Reject, Settled } from './row-files.ts'

/** Whose row it is, and how often it is tried. */
export interface RowPlace {
  /** Of the seed, from 0; null for what is made once before all rows. */
  readonly row: number | null
  readonly model: Model
  /** Of the whole run. */
  readonly seed: number
  /** Times to try again what was refused. */
  readonly again: number
  readonly signal: AbortSignal
}

/** Makes the tools of a row; `rejects` grows while it is made. */
export function rowTools({ row, model, seed, again, signal }: RowPlace): {
  tools: RowTools
  rejects: Reject[]
  /** The rejects with the one last that ended the row. */
  end: (error: Error) => Reject[]
} {
  const rejects: Reject[] = []
  const known = new Map<Refused, Reject>()
  const record = (refused: Refused, attempt: number): Reject => {
    const before = known.get(refused)
    if (before !== undefined) return before
    const reject = { row, attempt, reason: refused.message, text: refused.text }
    known.set(refused, reject)
    rejects.push(reject)
    return reject
  }
  const attempt: RowTools['attempt'] = async (make) => {
    const refused: Refused[] = []
    for (let time = 1; ; time++) {
      const reason = refused.at(-1)?.message
      try {
        return await tries.run({ attempt: time, ...(reason !== undefined && { reason }) }, () => make(refused))
      } catch (error) {
        const found = refusedOf(error)
        if (found === undefined) throw error
        record(found, time)
        refused.push(found)
        if (time > again || isDryRun()) throw found
      }
    }
  }
  return {
    tools: { model, random: new PythonRandom(seedOf(seed, row ?? 'prepare')), signal, attempt },
    rejects,
    end: (error) => {
      const last = record(refusedOf(error) ?? new Refused(messageOf(error), ''), 1)
      return [...rejects.filter((one) => one !== last), { ...last, isLast: true }]
    },
  }
}

/** What a recipe or an answer's own check refused. */
export function refusedOf(error: unknown): Refused | undefined {
  if (error instanceof Refused) return error
  return error instanceof AnswerError ? answerRefused(error) : undefined
}

/** The same one for the same error, so that it is on record once. */
const ofAnswers = new WeakMap<AnswerError, Refused>()

function answerRefused(error: AnswerError): Refused {
  const refused = ofAnswers.get(error) ?? new Refused(error.message, error.answer.text)
  ofAnswers.set(error, refused)
  return refused
}

/**
 * Whether it is this very request that will not do, and not how the teacher is asked: a prompt that is too long or not wanted, or a structure
 * that no token fits. Of a service that has answered nothing yet it may be either, and is not taken for the request's.
 */
export function isOfRequest(error: unknown, hasAnswered: boolean): boolean {
  if (error instanceof ServiceError) return hasAnswered && [400, 413, 422].includes(error.status ?? 0)
  return error instanceof NoTokenError || (error instanceof InputError && !(error instanceof UnsupportedError))
}

/** What comes of a seed: a row with the tries that were refused before it, or those alone. */
export async function madeRow(
  place: RowPlace,
  make: (tools: RowTools) => Promise<unknown>,
  isRowFault: (error: unknown) => boolean,
): Promise<Settled> {
  const { tools, rejects, end } = rowTools(place)
  try {
    const row = await make(tools)
    if (row === undefined || JSON.stringify(row) === undefined)
      throw new TypeError(`recipe: expected a row that can be written as JSON, got ${typeof row}`)
    return { row, rejects }
  } catch (error) {
    if (refusedOf(error) === undefined && !isRowFault(error)) throw error
    return { rejects: end(error as Error) }
  }
}
