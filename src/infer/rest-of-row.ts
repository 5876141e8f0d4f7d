// What is left of a row of logits where several draws were refused: each further draw would look at the whole row, and a place where
// nothing is allowed would take the square of the vocabulary. Here the row is put in order once.

/**
 * The ids whose logit is not −∞, each once, in the order in which they are drawn if all are refused. `random(id)`: numbers in [0, 1).
 * Without top-k, top-p and min-p that is the order of logits with Gumbel's noise (Kool et al. 2019, arXiv:1903.06059), whose first member
 * that is allowed is a draw from the distribution of what is allowed; with them, it is what they leave, so ordered, and then what they
 * leave of the rest.
 */
export function* restOfRow(
  logits: Float32Array,
  { temperature, topK, topP, minP }: { temperature: number; topK: number; topP: number; minP: number },
  random: (id: number) => number,
): Generator<number, void, undefined> {
  const order = Uint32Array.from(logits.keys()).filter((id) => logits[id] !== Number.NEGATIVE_INFINITY)
  const keys = new Float64Array(logits.length)
  const byNoise = (ids: Uint32Array): Uint32Array => {
    for (const id of ids) keys[id] = logits[id]! / temperature + gumbel(random(id))
    return ids.sort((a, b) => keys[b]! - keys[a]!)
  }
  if (temperature > 0 && topK === 0 && topP === 1 && minP === 0) {
    yield* byNoise(order)
    return
  }
  order.sort((a, b) => logits[b]! - logits[a]! || a - b)
  if (temperature === 0) {
    yield* order
    return
  }
  const top = logits[order[0]!]!
  const weights = Float64Array.from(order, (id) => Math.exp((logits[id]! - top) / temperature))
  let left = weights.reduce((sum, weight) => sum + weight, 0)
  for (let head = 0; head < order.length; ) {
    const most = topK > 0 ? Math.min(head + topK, order.length) : order.length
    // Top-p is a share of what top-k leaves.
    const mass = topK > 0 ? weights.subarray(head, most).reduce((sum, weight) => sum + weight, 0) : left
    let [end, inside] = [head, 0]
    do inside += weights[end++]!
    while (end < most && weights[end]! >= minP * weights[head]! && inside < topP * mass)
    yield* byNoise(order.subarray(head, end))
    left -= inside
    head = end
  }
}

/** Gumbel's noise of a number in [0, 1). */
const gumbel = (uniform: number): number => -Math.log(-Math.log(uniform || Number.MIN_VALUE))
