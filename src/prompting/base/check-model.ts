// Whether what is given for a model is one: programs that run without a type checker hear at once of a promise that nobody waited for, a
// path, or a model of `loadLm` where one that can be asked is meant, and the other way round.

import { UsageError } from '../../errors.ts'
import type { Lm } from '../../lm/lm.ts'
import type { Model } from './model.ts'

const has = (value: unknown, name: string): boolean =>
  typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[name] === 'function'

/** UsageError where `value` cannot be asked. `what` says who was given it. */
export function checkModel(what: string, value: Model): void {
  if (has(value, 'ask') && has(value, 'answer')) return
  const advice = has(value, 'generate') ? ' Put localModel(…) around it' : ' localModel and connect make one'
  throw new UsageError(`${what}: expected a model that can be asked, got ${named(value)}.${advice}`)
}

/** UsageError where `value` is not what `loadLm` gives. */
export function checkLm(what: string, value: Lm): void {
  if (has(value, 'generate') && has(value, 'encode')) return
  throw new UsageError(
    `${what}: expected a model of this process, got ${named(value)}. \`await loadLm(…)\` of anneal/run gives one`,
  )
}

function named(value: unknown): string {
  if (value instanceof Promise) return 'a promise (await it)'
  if (has(value, 'generate')) return 'one of loadLm'
  if (has(value, 'ask')) return 'one that is asked, as connect, localModel and wrappers give'
  if (typeof value === 'string') return `the text ${JSON.stringify(value.slice(0, 60))}`
  return value === undefined ? 'nothing' : Array.isArray(value) ? 'a list' : value === null ? 'null' : `${typeof value}`
}
