// Log-probabilities of tokens from logits. There is one way to them, for one row or many, so that a number is the same bits whether its
// token was read or made.
// Shapes: N places, V vocabulary, K ids.

import type { LogProb, TokenLogProb } from '../lm/lm.ts'
import { ops, scope, Tensor } from '../torch/index.ts'
import { notFinite } from './sample.ts'

/** What to tell of each place besides the token that stands there. */
export interface LogProbOptions {
  topLogprobs?: number
  logprobTokenIds?: readonly number[]
}

/** The log-probability of `ids[n]` by row n of logits [N, V]; NonFiniteError where a row has no softmax. */
export function logProbs(logits: Tensor, ids: readonly number[]): Float64Array {
  return scope(() => {
    const sums = sumsOf(logits)
    const own = logitsOf(logits, ids, 1)
    return sums.map((sum, n) => own[n]! - sum)
  })
}

/** The same with the most probable tokens of each place, and those that are named. */
export function tokenLogProbs(
  logits: Tensor,
  ids: readonly number[],
  { topLogprobs = 0, logprobTokenIds: named }: LogProbOptions = {},
): TokenLogProb[] {
  return scope(() => {
    const sums = sumsOf(logits)
    const own = logitsOf(logits, ids, 1)
    const tops = topLogprobs === 0 ? [] : ops.topk(logits, topLogprobs, 1) // [N, K] twice
    const [values, indices] = tops.map((tensor) => tensor.data())
    const names = named ?? []
    const others =
      names.length === 0
        ? []
        : logitsOf(
            logits,
            ids.flatMap(() => names),
            names.length,
          )
    return ids.map((id, n) => {
      const sum = sums[n]!
      const top: LogProb[] = []
      for (let i = n * topLogprobs; i < (n + 1) * topLogprobs; i++)
        top.push({ id: Number(indices![i]), logprob: Number(values![i]) - sum })
      top.sort((a, b) => b.logprob - a.logprob || a.id - b.id)
      const place: TokenLogProb = { id, logprob: own[n]! - sum, top }
      if (named !== undefined)
        place.named = names.map((name, i) => ({ id: name, logprob: others[n * names.length + i]! - sum }))
      return place
    })
  })
}

/** log Σ exp of each row. */
function sumsOf(logits: Tensor): Float64Array {
  const sums = ops.logSumExpRows(logits).data() as Float64Array
  for (const sum of sums) if (!Number.isFinite(sum)) throw notFinite(sum)
  return sums
}

/** The logits of ids [N · K]. */
function logitsOf(logits: Tensor, ids: readonly number[], each: number): ArrayLike<number> {
  const index = Tensor.from(BigInt64Array.from(ids, BigInt), [ids.length / each, each]).to(logits.device)
  return ops.gather(logits, 1, index).data() as Float32Array
}
