// What pruning costs and saves at the shape of a real model: time and memory of scoring, parameters, and time of a forward pass and of
// decoding before and after. Weights are random, so it says nothing about quality.
import type { Batch } from '../../src/data/batch.ts'
import { CachedRows } from '../../src/infer/cached-rows.ts'
import { prune } from '../../src/methods/prune/prune.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import { memoryStats, noGrad, resetPeakMemory, scope, synchronize, type Tensor } from '../../src/torch/index.ts'
import { decoderInput } from '../../src/train/objective.ts'
import { randomModel } from '../setting/shapes.ts'
import { RATIOS } from './arms.ts'

export interface Cost {
  importance: 'none' | 'l2' | 'flap' | 'taylor-element' | 'taylor-mixed'
  ratio: number
  parameters: number
  scoringSeconds: number
  /** Peak of scoring above the weights. */
  scoringBytes: number
  forwardTokensPerSecond: number
  decodeTokensPerSecond: number
}

export interface CostOptions {
  device: string
  batch: number
  length: number
  calibrationBatches: number
}

export async function measureCosts(shape: string, options: CostOptions, say: (line: string) => void): Promise<Cost[]> {
  const rows: Cost[] = []
  const add = (row: Cost): void => {
    rows.push(row)
    say(
      `  ${row.importance} ${row.ratio}: ${(row.parameters / 1e6).toFixed(1)} M, scored in ${row.scoringSeconds.toFixed(1)} s with ` +
        `${(row.scoringBytes / 2 ** 30).toFixed(2)} GiB, ${row.forwardTokensPerSecond.toFixed(0)} and ${row.decodeTokensPerSecond.toFixed(1)} tokens/s`,
    )
  }
  add(await measure(shape, 'none', 0, options))
  for (const ratio of RATIOS)
    for (const importance of ['l2', 'flap', 'taylor-element', 'taylor-mixed'] as const)
      add(await measure(shape, importance, ratio, options))
  return rows
}

async function measure(
  shape: string,
  importance: Cost['importance'],
  ratio: number,
  { device, batch, length, calibrationBatches }: CostOptions,
): Promise<Cost> {
  const model = scope(() => randomModel(shape, device, device === 'cpu' ? 'f32' : 'bf16'))
  const windows = Array.from({ length: calibrationBatches }, (_, index): Batch => {
    const inputIds = Int32Array.from({ length: batch * length }, (__, i) => (7919 * i + 104729 * index) % 8192)
    return { rows: batch, length, inputIds, labels: inputIds }
  })
  const before = memoryStats().liveBytes
  resetPeakMemory()
  const begun = performance.now()
  if (importance !== 'none') await prune(model, windows, { ratio, importance })
  synchronize()
  const scoringSeconds = (performance.now() - begun) / 1000
  const scoringBytes = memoryStats().peakBytes - before
  const input = decoderInput(windows[0]!, device)
  const forwardTokensPerSecond = rate(batch * length, () => void model.hidden(input))
  const decodeTokensPerSecond = decodeRate(model)
  const parameters = [...model.parameters()].reduce((sum, [, { numel }]) => sum + numel, 0)
  model.free()
  return {
    importance,
    ratio,
    parameters,
    scoringSeconds,
    scoringBytes,
    forwardTokensPerSecond,
    decodeTokensPerSecond,
  }
}

/** One sequence, token by token, after a prompt of 16. */
function decodeRate(model: Decoder): number {
  const rows = new CachedRows(model)
  const read = (count: number): Tensor => rows.forward([Array.from({ length: count }, () => 0)])
  noGrad(() => scope(() => void read(16)))
  const tokens = 32
  const perSecond = rate(tokens, () => {
    for (let i = 0; i < tokens; i++) scope(() => void read(1))
  })
  rows.free()
  return perSecond
}

/** Units a second, the best of three after one that does not count. */
function rate(units: number, work: () => void): number {
  let best = 0
  for (let i = 0; i < 4; i++) {
    synchronize()
    const begun = performance.now()
    noGrad(() => scope(work))
    synchronize()
    if (i > 0) best = Math.max(best, units / ((performance.now() - begun) / 1000))
  }
  return best
}
