// Sensitivities S and FLOPs F of the branches → their drop rates b, for a given share P of all FLOPs.
//   `waterFilling` and `greedyRates`: minimise Σ S·b²/2   under   Σ F·b = P·Σ F,   0 ≤ b ≤ 0.9, what the official walk in steps of
//   0.1 is after, whose order ignores F;   `knapsackRates`: minimise Σ S·b under the same.

/** No branch is dropped more often than this. */
export const MAX_RATE = 0.9

/**
 * b = min(λ·F/S, 0.9) with the λ that spends the budget, found exactly: branches reach 0.9 in the order of S/F, and between two such
 * points the dropped FLOPs are linear in λ. A branch of sensitivity 0 fills up before all others.
 */
export function waterFilling(sensitivities: Float64Array, flops: Float64Array, target: number): Float64Array {
  const largest = sensitivities.reduce((a, b) => Math.max(a, b), 0)
  // A floor far below any measured value keeps F/S finite where S is 0.
  const cost = sensitivities.map((value) => Math.max(value, largest * 1e-30) || 1)
  const order = Array.from(flops.keys()).sort((a, b) => cost[a]! / flops[a]! - cost[b]! / flops[b]!)
  const rates = new Float64Array(flops.length)
  let budget = target * sum(flops)
  let slope = order.reduce((total, i) => total + flops[i]! ** 2 / cost[i]!, 0) // d(dropped FLOPs)/dλ of the branches not yet full
  for (const [position, i] of order.entries()) {
    const lambda = budget / slope
    if ((lambda * flops[i]!) / cost[i]! <= MAX_RATE) {
      for (const rest of order.slice(position)) rates[rest] = (lambda * flops[rest]!) / cost[rest]!
      break
    }
    rates[i] = MAX_RATE
    budget -= MAX_RATE * flops[i]!
    slope = order.slice(position + 1).reduce((total, rest) => total + flops[rest]! ** 2 / cost[rest]!, 0)
  }
  return rates
}

/** Raises the branch with the least S·(b + 0.1) by 0.1 until at least the share `target` of all FLOPs is dropped; ties to the later branch. */
export function greedyRates(sensitivities: Float64Array, flops: Float64Array, target: number): Float64Array {
  const tenths = new Int32Array(flops.length)
  const budget = target * sum(flops) * (1 - 1e-12)
  for (let dropped = 0; dropped < budget; ) {
    let least = -1
    for (const [i, sensitivity] of sensitivities.entries()) {
      if (tenths[i]! >= 9) continue
      if (least < 0 || sensitivity * (tenths[i]! + 1) <= sensitivities[least]! * (tenths[least]! + 1)) least = i
    }
    if (least < 0) break
    tenths[least]!++
    dropped += flops[least]! / 10
  }
  return Float64Array.from(tenths, (count) => count / 10)
}

/**
 * Minimises Σ S·b instead, the expected squared error of a gradient whose parts fail independently: branches fill up to 0.9 in the
 * order of S/F until the budget is spent, and the last one takes the rest.
 */
export function knapsackRates(sensitivities: Float64Array, flops: Float64Array, target: number): Float64Array {
  const order = Array.from(flops.keys()).sort((a, b) => sensitivities[a]! / flops[a]! - sensitivities[b]! / flops[b]!)
  const rates = new Float64Array(flops.length)
  let budget = target * sum(flops)
  for (const i of order) {
    rates[i] = Math.min(MAX_RATE, Math.max(0, budget / flops[i]!)) // rounding may leave less than nothing
    budget -= rates[i]! * flops[i]!
  }
  return rates
}

/** Every branch alike: the rate of a run before its sensitivities are known. */
export function uniformRates(count: number, target: number): Float64Array {
  return new Float64Array(count).fill(target)
}

function sum(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0)
}
