// Which of several models is asked: by a rule of the program's own, with another one at hand where the first does not do.

import { UsageError } from '../../errors.ts'
import { type Model, modelOf } from './model.ts'
import type { ModelCall } from './model-call.ts'

/** How a model is chosen. */
export interface RouteOptions {
  /** The place of the model that is asked, from 0: by the text, a classifier, a probability. */
  by: (call: ModelCall) => number | Promise<number>
}

/**
 * One model of several, for each call.
 *
 * @example
 * const model = route([small, large], { by: ({ messages }) => (String(messages.at(-1)?.content).length > 400 ? 1 : 0) })
 */
export function route(models: readonly Model[], { by }: RouteOptions): Model {
  const [first] = models
  if (first === undefined) throw new UsageError('route: expected at least one model, got none')
  // Structures go to whichever model is chosen, so all are held by what the weakest keeps.
  const holds = (['none', 'json_schema', 'masks'] as const).find((hold) => models.some((model) => model.holds === hold))
  return modelOf({
    ...first,
    name: models.map(({ name }) => name).join(' or '),
    holds: holds!,
    async *answer(call) {
      const at = await by(call)
      const chosen = models[at]
      if (chosen === undefined) throw new UsageError(`by: expected a place from 0 to ${models.length - 1}, got ${at}`)
      yield* chosen.answer(call)
    },
  })
}

/** Asks the next model where one fails, whatever the reason but an abort; what has been given out stays given out, and then it fails. */
export function fallback(models: readonly Model[]): Model {
  const [first] = models
  if (first === undefined) throw new UsageError('fallback: expected at least one model, got none')
  return modelOf({
    ...first,
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
        }
      }
    },
  })
}
