// What happens to weights after training: eight bits each, and a temperature under which probabilities mean what they say.

import { softmax } from './language-model.ts'

/** [rows, size] values as integers in −127 … 127, one scale for each column. Larger ones than all but 1 in 10,000 are cut: they are few, and would cost the others their steps. */
export function quantized(values: Float32Array, size: number): { values: Int8Array; scales: Float32Array } {
  const scales = new Float32Array(size)
  for (let c = 0; c < size; c++) {
    const column = Float32Array.from({ length: values.length / size }, (_, row) =>
      Math.abs(values[row * size + c]!),
    ).sort()
    scales[c] = Math.max(column[Math.ceil((column.length - 1) * 0.9999)]!, 1e-12) / 127
  }
  const integers = new Int8Array(values.length)
  for (const [i, value] of values.entries())
    integers[i] = Math.max(-127, Math.min(127, Math.round(value / scales[i % size]!)))
  return { values: integers, scales }
}

/**
 * The temperature in 0.001 … 1,000 of least cross-entropy: golden section on its logarithm (Guo et al. 2017, "On Calibration of Modern Neural
 * Networks"). Of N texts the truths count 1 − 1/(N + 2), as Platt (1999) has it: else texts that are all right would make everything certain.
 */
export function fitTemperature(logits: readonly (readonly number[])[], truths: readonly number[]): number {
  if (logits.length === 0) return 1
  const doubt = 1 / (logits.length + 2)
  const loss = (log: number): number =>
    logits.reduce((sum, row, i) => {
      const costs = row.map((_, label) => crossEntropy(row, label, Math.exp(log)))
      const own = costs[truths[i]!]!
      const others = costs.reduce((total, cost) => total + cost, -own) / Math.max(1, row.length - 1)
      return sum + (1 - doubt) * own + doubt * others
    }, 0)
  const ratio = (Math.sqrt(5) - 1) / 2
  let [low, high] = [Math.log(1e-3), Math.log(1e3)]
  for (let i = 0; i < 40; i++) {
    const [left, right] = [high - ratio * (high - low), low + ratio * (high - low)]
    if (loss(left) < loss(right)) high = right
    else low = left
  }
  return Math.exp((low + high) / 2)
}

/** −log softmax(row / temperature)[truth], which no small probability cuts off: only so it has one valley in the temperature. */
function crossEntropy(row: readonly number[], truth: number, temperature: number): number {
  const most = Math.max(...row)
  const sum = row.reduce((total, x) => total + Math.exp((x - most) / temperature), 0)
  return Math.log(sum) - (row[truth]! - most) / temperature
}

/** Expected calibration error over ten bins: mean |share right − mean probability|. */
export function calibrationError(
  logits: readonly (readonly number[])[],
  truths: readonly number[],
  temperature: number,
): number {
  const bins = Array.from({ length: 10 }, () => ({ count: 0, sure: 0, right: 0 }))
  for (const [i, row] of logits.entries()) {
    const probabilities = softmax(row.map((x) => x / temperature))
    const most = Math.max(...probabilities)
    const bin = bins[Math.min(9, Math.floor(most * 10))]!
    bin.count++
    bin.sure += most
    if (probabilities.indexOf(most) === truths[i]) bin.right++
  }
  return bins.reduce((sum, { sure, right }) => sum + Math.abs(right - sure), 0) / Math.max(1, logits.length)
}
