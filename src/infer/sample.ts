// One token from one row of logits: what Transformers' generate() does, in its order: repetition penalty, suppressed tokens, temperature,
// top-k, top-p, min-p, draw. Works in place on the row and sorts nothing.
// Departs: tokens that are exactly as probable as the last one kept by top-p are kept too, where Transformers decides by id.

import { NonFiniteError } from '../errors.ts'
import { cutoffByMass, cutoffByRank } from './cutoff.ts'
import { uniform } from './philox.ts'

/** See `GenerateOptions`; neutral values are 1, 0, 1, 0 and 1, and temperature 0 takes the largest logit. */
export interface SamplingOptions {
  temperature: number
  topK: number
  topP: number
  minP: number
  repetitionPenalty: number
  seed: number
  /** Ids that are never chosen. */
  suppressTokens?: readonly number[]
}

/** e⁻³⁰ of the top: a million such tokens together are below the resolution of a float32 sum, so their exp is not worth it. */
const NEGLIGIBLE = 30

/** Room for the numbers that a cut reorders; used within one call of `pick`, so all sequences share it. */
let scratch = new Float32Array(0)

/** Chooses the tokens of one sequence. */
export class Sampler {
  readonly #options: SamplingOptions
  /** Distinct ids of prompt and continuation, in order; kept only while a penalty needs them. */
  readonly #seen = new Set<number>()
  #step = 0

  constructor(options: SamplingOptions, promptIds: readonly number[]) {
    this.#options = options
    if (options.repetitionPenalty !== 1) for (const id of promptIds) this.#seen.add(id)
  }

  /** True where the choice is the largest logit, so that the engine need not hand the row over. */
  get isArgmax(): boolean {
    const { temperature, repetitionPenalty, suppressTokens = [] } = this.#options
    return temperature === 0 && repetitionPenalty === 1 && suppressTokens.length === 0
  }

  /** The next token's id from its logits [V], which are overwritten. Throws NonFiniteError where there is no choice. */
  pick(logits: Float32Array): number {
    this.#penalise(logits)
    for (const id of this.#options.suppressTokens ?? []) logits[id] = Number.NEGATIVE_INFINITY
    const best = largest(logits)
    const id = this.#options.temperature === 0 ? best : this.#draw(logits, logits[best]!)
    if (this.#options.repetitionPenalty !== 1) this.#seen.add(id)
    this.#step++
    return id
  }

  #penalise(logits: Float32Array): void {
    const penalty = this.#options.repetitionPenalty
    for (const id of this.#seen) logits[id] = logits[id]! < 0 ? logits[id]! * penalty : logits[id]! / penalty
  }

  /** Logits → weights relative to the largest (1), cut by top-k, top-p and min-p, → an id. */
  #draw(logits: Float32Array, top: number): number {
    const { temperature, topK, topP, minP, seed } = this.#options
    if (scratch.length < logits.length) scratch = new Float32Array(logits.length)
    const floor = top - NEGLIGIBLE * temperature
    const least = topK > 0 && topK < logits.length ? Math.max(floor, kthLargest(logits, topK)) : floor
    const weights = logits
    let total = 0
    for (let i = 0; i < weights.length; i++) {
      const logit = logits[i]!
      const weight = logit >= least ? Math.exp((logit - top) / temperature) : 0
      weights[i] = weight
      total += weight
    }
    const nucleus = topP < 1 ? nucleusEdge(weights, topP, total) : 0
    const edge = Math.max(minP, nucleus, Number.MIN_VALUE)
    if (edge > Number.MIN_VALUE) {
      total = 0
      for (let i = 0; i < weights.length; i++) if (weights[i]! >= edge) total += weights[i]!
    }
    let rest = uniform(seed, this.#step) * total
    let chosen = 0
    for (let i = 0; i < weights.length; i++) {
      if (weights[i]! < edge) continue
      chosen = i
      rest -= weights[i]!
      if (rest < 0) break
    }
    return chosen
  }
}

function kthLargest(logits: Float32Array, k: number): number {
  scratch.set(logits)
  return cutoffByRank(scratch, logits.length, k)
}

/** The weight of the last token inside the nucleus of mass `topP · total`. */
function nucleusEdge(weights: Float32Array, topP: number, total: number): number {
  // Tokens this light hold at most 1 − topP together, so none of them is inside: usually all but some hundred.
  const light = ((1 - topP) * total) / weights.length
  let count = 0
  for (let i = 0; i < weights.length; i++) if (weights[i]! >= light) scratch[count++] = weights[i]!
  // With a topP of almost 0, rounding may leave none: then it is the top, whose weight is 1.
  return count === 0 ? 1 : cutoffByMass(scratch, count, topP * total)
}

/** The index of the largest number, the first of equals; NonFiniteError if it is none. */
function largest(values: Float32Array): number {
  let index = 0
  let top = Number.NEGATIVE_INFINITY
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value > top) {
      top = value
      index = i
    } else if (Number.isNaN(value)) throw notFinite(value)
  }
  if (!Number.isFinite(top)) throw notFinite(top)
  return index
}

/** The error for logits that no token can be chosen from. */
export function notFinite(value: number): NonFiniteError {
  return new NonFiniteError(
    `logits: expected finite numbers, got ${value}. The weights are damaged or the dtype is too narrow; try dtype f32`,
  )
}
