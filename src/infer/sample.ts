// One token from one row of logits: what Transformers' generate() does, in its order: repetition penalty, suppressed tokens, temperature,
// top-k, top-p, min-p, draw; and what vLLM does besides, in its order: mask and bias before the penalties, the OpenAI API's two behind the
// first. Works in place on the row, and sorts nothing unless many choices are refused.
// Departs: tokens that are exactly as probable as the last one kept by top-p are kept too, where Transformers decides by id.

import { NonFiniteError, UsageError } from '../errors.ts'
import type { TokenMask } from '../lm/lm.ts'
import { NoTokenError } from '../lm/no-token-error.ts'
import { cutoffByMass, cutoffByRank } from './cutoff.ts'
import { uniform } from './philox.ts'
import { restOfRow } from './rest-of-row.ts'

/** See `GenerateOptions`; neutral values are 1, 0, 1, 0, 1, 0 and 0, and temperature 0 takes the largest logit. */
export interface SamplingOptions {
  temperature: number
  topK: number
  topP: number
  minP: number
  repetitionPenalty: number
  presencePenalty?: number
  frequencyPenalty?: number
  seed: number
  /** Ids that are never chosen. */
  suppressTokens?: readonly number[]
  logitBias?: ReadonlyMap<number, number>
  mask?: TokenMask
  /** See `GenerateOptions`. */
  accept?: (id: number, tokenIds: readonly number[]) => boolean
  /** Tokens before which none of `endTokenIds` is chosen. */
  minTokens?: number
}

/** e⁻³⁰ of the top: a million such tokens together are below the resolution of a float32 sum, so their exp is not worth it. */
const NEGLIGIBLE = 30

/** Draws at one place that look at the whole row each; behind them it is put in order. */
const FEW = 8

/** Room for the numbers that a cut reorders; used within one call of `pick`, so all sequences share it. */
let scratch = new Float32Array(0)

/** Chooses the tokens of one sequence. */
export class Sampler {
  readonly #options: SamplingOptions
  readonly #endTokenIds: readonly number[]
  /** Distinct ids of prompt and continuation, in order; kept only while a penalty needs them. */
  readonly #seen = new Set<number>()
  /** Distinct ids of the continuation and how often each came; kept only while a penalty needs them. */
  readonly #made = new Counts()
  /** What a mask and `accept` are asked about. */
  readonly #ids: number[] = []
  readonly #bias: readonly (readonly [id: number, bias: number])[]
  #step = 0
  #refused = 0

  /** `endTokenIds`: those that `minTokens` holds back. */
  constructor(options: SamplingOptions, promptIds: readonly number[], endTokenIds: readonly number[] = []) {
    this.#options = options
    this.#endTokenIds = endTokenIds
    this.#bias = [...(options.logitBias ?? [])]
    if (options.repetitionPenalty !== 1) for (const id of promptIds) this.#seen.add(id)
  }

  /** True where the next choice is the largest logit (it may become so: read it at each step), so that the engine need not hand the row over. */
  get isArgmax(): boolean {
    const {
      temperature,
      repetitionPenalty,
      presencePenalty = 0,
      frequencyPenalty = 0,
      suppressTokens = [],
    } = this.#options
    const isPlain = temperature === 0 && repetitionPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0
    const { mask, accept } = this.#options
    const isFree = suppressTokens.length === 0 && mask === undefined && accept === undefined && this.#bias.length === 0
    return isPlain && isFree && !this.#holdsBack
  }

  /**
   * The next token's id from its logits [V], which are overwritten. Throws NonFiniteError where there is no number to choose by, UsageError
   * where the request leaves no token.
   */
  pick(logits: Float32Array): number {
    const isCut = this.#cut(logits)
    for (const [id, bias] of this.#bias) logits[id]! += bias
    this.#penalise(logits)
    const { accept, temperature, seed } = this.#options
    for (let draw = 0; draw < FEW; draw++) {
      const best = largest(logits)
      if (logits[best] === Number.NEGATIVE_INFINITY) {
        if (!isCut && draw === 0) throw notFinite(Number.NEGATIVE_INFINITY)
        throw this.#nothingLeft(draw > 0)
      }
      // A draw makes weights of the logits, and another one needs them again.
      const row = accept === undefined || temperature === 0 ? logits : logits.slice()
      const id = temperature === 0 ? best : this.#draw(row, logits[best]!, draw)
      if (accept === undefined || accept(id, this.#ids)) return id
      this.#refused++
      logits[id] = Number.NEGATIVE_INFINITY
    }
    for (const id of restOfRow(logits, this.#options, (id) => uniform(seed, this.#step, FEW + id))) {
      if (accept!(id, this.#ids)) return id
      this.#refused++
    }
    throw this.#nothingLeft(true)
  }

  /** What `accept` refused so far. */
  get refused(): number {
    return this.#refused
  }

  #nothingLeft(isRefused: boolean): NoTokenError {
    // What the makers of the model suppress can leave nothing as well.
    const what = isRefused ? 'accept' : this.#options.mask === undefined ? 'suppress_tokens' : 'mask'
    return new NoTokenError(
      `${what}: expected a token that may come next, got none after ${this.#step} tokens. Allow an end token where nothing may follow`,
    )
  }

  /** Takes the token that has come. Until then `pick` draws with the same random number. */
  accept(id: number): void {
    const { repetitionPenalty, presencePenalty = 0, frequencyPenalty = 0, mask, accept } = this.#options
    if (repetitionPenalty !== 1) this.#seen.add(id)
    if (presencePenalty !== 0 || frequencyPenalty !== 0) this.#made.add(id)
    if (mask !== undefined || accept !== undefined) this.#ids.push(id)
    this.#step++
  }

  /** The tokens that the mask says must come next; none where there is a choice. */
  forced(): readonly number[] {
    return this.#options.mask?.forced?.(this.#ids) ?? []
  }

  get #holdsBack(): boolean {
    return this.#step < (this.#options.minTokens ?? 0) && this.#endTokenIds.length > 0
  }

  /** Takes what may not come next out of the row; returns whether anything may be missing. */
  #cut(logits: Float32Array): boolean {
    const { mask, suppressTokens = [] } = this.#options
    const allowed = mask?.(this.#ids) ?? null
    if (allowed !== null) applyMask(logits, allowed)
    for (const id of suppressTokens) logits[id] = Number.NEGATIVE_INFINITY
    if (this.#holdsBack) for (const id of this.#endTokenIds) logits[id] = Number.NEGATIVE_INFINITY
    return allowed !== null || suppressTokens.length > 0 || this.#holdsBack
  }

  #penalise(logits: Float32Array): void {
    const { repetitionPenalty: penalty, presencePenalty = 0, frequencyPenalty = 0 } = this.#options
    for (const id of this.#seen) logits[id] = logits[id]! < 0 ? logits[id]! * penalty : logits[id]! / penalty
    const { ids, counts } = this.#made
    for (let i = 0; i < ids.length; i++) logits[ids[i]!]! -= presencePenalty + frequencyPenalty * counts[i]!
  }

  /** Logits → weights relative to the largest (1), cut by top-k, top-p and min-p, → an id. `draw`: how many there were at this place. */
  #draw(logits: Float32Array, top: number, draw: number): number {
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
    let rest = uniform(seed, this.#step, draw) * total
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

/** How often each of some ids came, in arrays that a loop over all of them allocates nothing for. */
class Counts {
  readonly ids: number[] = []
  readonly counts: number[] = []
  readonly #places = new Map<number, number>()

  add(id: number): void {
    const place = this.#places.get(id)
    if (place !== undefined) {
      this.counts[place]!++
      return
    }
    this.#places.set(id, this.ids.length)
    this.ids.push(id)
    this.counts.push(1)
  }
}

/** −∞ for the ids whose bit is 0. */
function applyMask(logits: Float32Array, allowed: Uint32Array): void {
  const words = Math.ceil(logits.length / 32)
  if (allowed.length !== words) {
    throw new UsageError(
      `mask: expected ${words} words of 32 bits for ${logits.length} tokens, got ${allowed.length}. Was it made for another vocabulary?`,
    )
  }
  for (let word = 0; word < words; word++) {
    const bits = allowed[word]!
    if (bits === 0xffffffff) continue
    const first = word * 32
    const end = Math.min(first + 32, logits.length)
    if (bits === 0) logits.fill(Number.NEGATIVE_INFINITY, first, end)
    else for (let i = first; i < end; i++) if (((bits >>> (i - first)) & 1) === 0) logits[i] = Number.NEGATIVE_INFINITY
  }
}

/** The index of the largest number, the first of equals, 0 where all are −∞; NonFiniteError if there is none. */
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
  if (top === Number.POSITIVE_INFINITY) throw notFinite(top)
  return index
}

/** The error for logits that no token can be chosen from, and for other numbers that make no sense. */
export function notFinite(value: number, what = 'logits'): NonFiniteError {
  return new NonFiniteError(
    `${what}: expected finite numbers, got ${value}. The weights are damaged or the dtype is too narrow; try dtype f32`,
  )
}
