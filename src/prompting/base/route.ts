// Which of several models is asked: by a rule of the program's own, by a score of the question, or by how sure the cheaper one was.

import { UnsupportedError, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { checkModel } from './check-model.ts'
import { collectAnswer } from './collect-answer.ts'
import { costOf } from './cost.ts'
import { type Model, modelOf } from './model.ts'
import type { ModelAnswer, ModelCall, ModelPiece } from './model-call.ts'
import { note } from './trace.ts'

/** What a router's rule may know besides the call. */
export interface RouteState {
  /** What the user said last, as text. */
  readonly text: string
  /** What the calls through this router have cost so far, by the models' prices. */
  readonly spent: number
}

/** How a model is chosen: `by` alone, or `above`, with `score` or without. */
export interface RouteOptions {
  /** The place of the model that is asked, from 0. */
  by?: (call: ModelCall, state: RouteState) => number | Promise<number>
  /**
   * The first model's answer is taken where its score is at least this, else the next model is asked, and so on; the last one's is always
   * taken. {@link routeThreshold} finds one.
   */
  above?: number
  /**
   * The score of a call, such as a classifier's probability that it is easy: the first model is asked where it is at least `above`, else
   * the last. Default: models are asked one after another, and the score is the mean log-probability of the answer's tokens; an answer is
   * then given out once it is whole.
   */
  score?: (call: ModelCall, state: RouteState) => number | Promise<number>
}

const OPTIONS: Readonly<Record<keyof RouteOptions, true>> = { by: true, above: true, score: true }

/**
 * One model of several, the cheapest first, for each call. What is decided stands in the trace.
 *
 * @example
 * const model = route([small, large], { above: -0.4 })
 */
export function route(models: readonly Model[], options: RouteOptions): Model {
  checkOptionNames('route', options, OPTIONS)
  const { by, above, score } = options
  const [first] = models
  if (first === undefined) throw new UsageError('route: expected at least one model, got none')
  for (const model of models) checkModel('route', model)
  if ((by === undefined) === (above === undefined))
    throw new UsageError(`route: expected either \`by\` or \`above\`, got ${by === undefined ? 'neither' : 'both'}`)
  if (above !== undefined && !(typeof above === 'number' && !Number.isNaN(above)))
    throw new UsageError(`above: expected a number, got ${String(above)}`)
  const { read: _, ...rest } = first
  let spent = 0
  const paid = async function* (model: Model, pieces: AsyncIterable<ModelPiece>): AsyncGenerator<ModelPiece> {
    for await (const piece of pieces) {
      if (piece.usage !== undefined && model.cost !== undefined) spent += costOf(piece.usage, model.cost)
      yield piece
    }
  }
  const answer = async function* (call: ModelCall): AsyncGenerator<ModelPiece, void, undefined> {
    if (above !== undefined && score === undefined) {
      yield* cascade(models, call, above, paid)
      return
    }
    const state = { text: questionOf(call), spent }
    const value = await score?.(call, state)
    const at = value === undefined ? await by!(call, state) : value >= above! ? 0 : models.length - 1
    const chosen = models[at]
    if (chosen === undefined) throw new UsageError(`by: expected a place from 0 to ${models.length - 1}, got ${at}`)
    note('route', { chosen: chosen.name, ...(value !== undefined && { score: value, above }) })
    yield* paid(chosen, chosen.answer(call))
  }
  return modelOf({ ...rest, ...commonOf(models), answer })
}

/** The text of the user's last message. */
function questionOf({ messages }: ModelCall): string {
  const content = messages.findLast(({ role }) => role === 'user')?.content
  if (!Array.isArray(content)) return String(content ?? '')
  return content.map((part: { text?: unknown }) => String(part.text ?? '')).join('\n')
}

/** What can be said of a call before it is known who gets it: structures go to any of them, so all are held by what the weakest keeps. */
function commonOf(models: readonly Model[]): Pick<Model, 'name' | 'holds' | 'keeps' | 'continues'> {
  return {
    name: models.map(({ name }) => name).join(' or '),
    holds: (['none', 'json_schema'] as const).find((hold) => models.some(({ holds }) => holds === hold)) ?? 'masks',
    keeps: (call) => models.every((model) => model.keeps?.(call) ?? false),
    continues: models.every(({ continues }) => continues === true),
  }
}

async function* cascade(
  models: readonly Model[],
  call: ModelCall,
  above: number,
  paid: (model: Model, pieces: AsyncIterable<ModelPiece>) => AsyncIterable<ModelPiece>,
): AsyncGenerator<ModelPiece, void, undefined> {
  for (const model of models.slice(0, -1)) {
    const pieces: ModelPiece[] = []
    for await (const piece of paid(model, model.answer({ ...call, logprobs: true }))) pieces.push(piece)
    const confidence = meanLogprob(await collectAnswer(pieces), model.name)
    const isTaken = confidence >= above
    note('route', { asked: model.name, score: confidence, above, isTaken })
    if (!isTaken) continue
    yield* pieces
    return
  }
  const last = models.at(-1)!
  note('route', { chosen: last.name })
  yield* paid(last, last.answer(call))
}

/** How sure a model was of its answer: the mean log-probability of its tokens. UnsupportedError where it does not tell. */
function meanLogprob({ tokens = [] }: ModelAnswer, name: string): number {
  if (tokens.length === 0)
    throw new UnsupportedError(`${name}: expected a model that tells log-probabilities, got an answer without`)
  return tokens.reduce((sum, { logprob }) => sum + logprob, 0) / tokens.length
}

/** Asks the next model where one fails, whatever the reason but an abort; what has been given out stays given out, and then it fails. */
export function fallback(models: readonly Model[]): Model {
  const [first] = models
  if (first === undefined) throw new UsageError('fallback: expected at least one model, got none')
  const { read: _, ...rest } = first
  for (const model of models) checkModel('fallback', model)
  return modelOf({
    ...rest,
    ...commonOf(models),
    async *answer(call) {
      for (const [i, model] of models.entries()) {
        let hasBegun = false
        try {
          for await (const piece of model.answer(call)) {
            hasBegun = true
            yield piece
          }
          return
        } catch (error) {
          call.signal?.throwIfAborted()
          if (hasBegun || i === models.length - 1) throw error
          note('fallback', { failed: model.name, next: models[i + 1]!.name })
        }
      }
    },
  })
}
