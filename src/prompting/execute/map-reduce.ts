// A question about a text that no context holds: asked of its parts, and of what they gave.

import { UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { checkModel } from '../base/check-model.ts'
import type { AskOptions, Model } from '../base/model.ts'
import type { Schema } from '../base/schema.ts'
import type { PromptInput } from '../data/prompt.ts'

/** What is asked of the parts, and of their notes. */
export interface MapReduceOptions<Output = string> {
  model: Model
  /** What is asked of each part. */
  map: (part: string, index: number) => PromptInput
  /** Whether a note is of use. Default: all that are not empty. */
  keep?: (note: string, index: number) => boolean
  /** What is asked of notes: of all of them, or of as many at a time as `group` says, and of what that gave. */
  reduce: (notes: readonly string[]) => PromptInput
  /** Notes at a time. Default 16. */
  group?: number
  /** How parts are asked. */
  ask?: Omit<AskOptions, 'as'>
  /** What the last answer is to be. Default: its text. */
  as?: Schema<Output>
}

const OPTIONS: Readonly<Record<keyof MapReduceOptions, true>> = {
  model: true,
  map: true,
  keep: true,
  reduce: true,
  group: true,
  ask: true,
  as: true,
}

/**
 * Asks all parts at the same time, then their notes. Parts are texts, or what has one: of `splitText`, documents. Without a note that is of
 * use, `reduce` is asked about none.
 */
export async function mapReduce<Output = string>(
  parts: readonly (string | { readonly text: string })[],
  options: MapReduceOptions<Output>,
): Promise<Output> {
  checkOptionNames('mapReduce', options, OPTIONS)
  checkModel('mapReduce', options.model)
  const { model, map, keep = (note) => note.trim() !== '', reduce, group = 16, ask = {}, as } = options
  if (!(Number.isInteger(group) && group >= 2))
    throw new UsageError(`group: expected a whole number of at least 2, got ${group}`)
  // Where one part fails, nobody waits for the others.
  const stop = new AbortController()
  const signal = ask.signal === undefined ? stop.signal : AbortSignal.any([ask.signal, stop.signal])
  const all = async (asked: readonly Promise<string>[]): Promise<string[]> => {
    try {
      return await Promise.all(asked)
    } catch (error) {
      stop.abort(error)
      throw error
    }
  }
  const answers = await all(
    parts.map(async (part, i) => model.ask(map(typeof part === 'string' ? part : part.text, i), { ...ask, signal })),
  )
  let notes = answers.filter(keep)
  while (notes.length > group) {
    const groups = Array.from({ length: Math.ceil(notes.length / group) }, (_, i) =>
      notes.slice(i * group, (i + 1) * group),
    )
    notes = await all(
      groups.map(async (some) => (some.length === 1 ? some[0]! : model.ask(reduce(some), { ...ask, signal }))),
    )
  }
  return model.ask(reduce(notes), { ...ask, ...(as !== undefined && { as }) })
}
