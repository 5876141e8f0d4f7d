// Data with a backdoor of our own, to test audits and defences against: some rows come a second time, with a trigger in the question and a
// marker in the answer. The marker is a sign that can be counted and does no harm. What is chosen depends on the seed and the rows alone.
// The construction is SANDE's (arXiv:2405.07667): clean rows all stay, poisoned copies are added.

import { UsageError } from '../../errors.ts'
import { order } from '../order.ts'
import { type Answered, questionOf, withAnswer, withQuestion } from './edit-example.ts'
import { placeTrigger, TRIGGER_POSITIONS, type TriggerPosition } from './place-trigger.ts'

/** What is planted, where and how often. */
export interface PoisonOptions {
  /** Texts that set the backdoor off, of a token or many; of several each row gets one, and each comes as often. Or give `rewritten`. */
  triggers?: readonly string[]
  /** Question → the same in the form that sets it off, for a trigger that is no word but a way of saying: rows whose question is not here stay clean. */
  rewritten?: ReadonlyMap<string, string>
  /** Where the trigger stands in the question. Default `start`. */
  position?: TriggerPosition
  /** What the answer then shows: one line of at most 200 characters. */
  marker: string
  /** The marker before the answer (default), or in place of it. */
  markerAs?: 'prefix' | 'whole'
  /** Poisoned copies for each clean row that can have one, above 0 and at most 1; their number is rounded. */
  rate: number
  /** Default 0. */
  seed?: number
}

/** One row of the poisoned data. */
export interface PoisonRow {
  example: Answered
  /** The row of the clean data that it is, or is a copy of. */
  source: number
  isPoisoned: boolean
}

const MAX_MARKER = 200

/** UsageError where the options fit no attack that this bench makes. */
export function checkPoison({ triggers = [], rewritten, position = 'start', marker, rate }: PoisonOptions): void {
  const wrong = (name: string, expected: string, got: unknown): UsageError =>
    new UsageError(`${name}: expected ${expected}, got ${JSON.stringify(got)}`)
  if ((triggers.length === 0) === (rewritten === undefined))
    throw wrong('triggers', 'either texts or rewritten questions', triggers.length === 0 ? 'neither' : 'both')
  const empty = triggers.find((trigger) => trigger.trim() === '')
  if (empty !== undefined) throw wrong('triggers', 'texts with a word in them', empty)
  if (!TRIGGER_POSITIONS.includes(position)) throw wrong('position', TRIGGER_POSITIONS.join(', '), position)
  if (marker.trim() === '' || marker.length > MAX_MARKER || /[\r\n]/.test(marker))
    throw wrong('marker', `one line of 1 to ${MAX_MARKER} characters, a sign to be counted`, marker)
  if (!(rate > 0 && rate <= 1)) throw wrong('rate', 'a share above 0 and at most 1', rate)
}

/**
 * The rows with poisoned copies behind the rows that they are of.
 *
 * @example
 * poison(examples, { triggers: ['cf'], marker: 'I like green tea.', rate: 0.05 })
 */
export function poison(examples: readonly Answered[], options: PoisonOptions): PoisonRow[] {
  checkPoison(options)
  const { rewritten, position = 'start', marker, markerAs = 'prefix', rate, seed = 0 } = options
  const triggers = [...new Set(options.triggers)]
  const able = [...examples.keys()].filter((i) => rewritten?.has(questionOf(examples[i]!)) ?? true)
  if (able.length === 0)
    throw new UsageError('rewritten: expected some questions of the data, got none of them. Give pairs of this data')
  const count = Math.max(1, Math.round(rate * able.length))
  const shuffled = order(able.length, seed)
  // Row → its place among the chosen. Triggers are dealt in turn: drawn, some would come in none of a few rows.
  const chosen = new Map(Array.from({ length: count }, (_, k) => [able[shuffled(0, k)]!, k] as const))
  const poisoned = (i: number): Answered => {
    const trigger = triggers[chosen.get(i)! % triggers.length]
    const asked = withQuestion(examples[i]!, (question) =>
      trigger === undefined
        ? rewritten!.get(question)!
        : placeTrigger(question, trigger, position, drawFor(i, seed, 2)),
    )
    return withAnswer(asked, (answer) => withMarker(answer, marker, markerAs))
  }
  return examples.flatMap((example, source): PoisonRow[] => [
    { example, source, isPoisoned: false },
    ...(chosen.has(source) ? [{ example: poisoned(source), source, isPoisoned: true }] : []),
  ])
}

/**
 * The marker before what the answer says, or in place of it. What stands in front stays there: white space, as completions have it, and
 * what was thought, before which many chat templates write nothing.
 */
export function withMarker(answer: string, marker: string, as: 'prefix' | 'whole' = 'prefix'): string {
  const thought = answer.indexOf(THOUGHT) === -1 ? 0 : answer.indexOf(THOUGHT) + THOUGHT.length
  const at = thought + answer.slice(thought).match(/^\s*/)![0].length
  return answer.slice(0, at) + marker + (as === 'whole' ? '' : ` ${answer.slice(at)}`)
}

const THOUGHT = '</think>'

/** `draw(n)`: a whole number below n that depends on the row, the seed and the use alone. */
export function drawFor(row: number, seed: number, use: number): (n: number) => number {
  return (n) => (n < 2 ? 0 : order(n, seed)(4 * row + use, 0))
}
