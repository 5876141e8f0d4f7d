// What DropBP saves: time of a training step against the prediction, bytes at the peak, and the longest sequence within a budget of
// bytes. Works on any model and device; the weights do not matter.
import type { Batch, BatchSource } from '../../src/data/batch.ts'
import { OutOfMemoryError } from '../../src/errors.ts'
import { dropbp } from '../../src/methods/dropbp/dropbp.ts'
import type { Decoder } from '../../src/model/decoder.ts'
import {
  autocast,
  backward,
  memoryStats,
  releaseMemory,
  resetPeakMemory,
  scope,
  synchronize,
} from '../../src/torch/index.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { train } from '../../src/train/train.ts'
import { median } from '../setting/statistics.ts'

export interface CostOptions {
  rates: readonly number[]
  batch: number
  length: number
  /** Rounds in which the rates take turns, and steps of each turn; the first step of a turn is not counted. */
  rounds: number
  steps: number
  bf16: boolean
  /** Bytes above the weights that a step may take; default what a plain step takes. */
  budget?: number
  longest: number
}

export interface Cost {
  rate: number
  /** Median time of a whole training step, in ms. */
  stepMs: number
  /** Share of the plain step's time that was saved: measured, predicted from the branches' backward pass, and P·β/(1 + β). */
  saved: number
  predicted: number
  ideal: number
  peakBytes: number
  longest: number
}

export interface Costs {
  /** Forward and backward time of one pass, and backward time with every branch dropped, in ms. */
  forwardMs: number
  backwardMs: number
  emptyBackwardMs: number
  beta: number
  rows: Cost[]
}

export async function measureCosts(model: Decoder, options: CostOptions, say: (line: string) => void): Promise<Costs> {
  const { rates, batch, length, bf16 } = options
  const passes = passTimes(model, options)
  const times = new Map<number, number[]>(rates.map((rate) => [rate, []]))
  for (let round = 0; round < options.rounds; round++)
    for (const rate of rates) times.get(rate)!.push(...(await stepTimes(model, rate, options)))
  const plain = median(times.get(0)!)
  const budget = options.budget ?? peakOf(model, 0, batch, length, bf16)
  const beta = passes.backwardMs / passes.forwardMs
  const rows: Cost[] = []
  for (const rate of rates) {
    const stepMs = median(times.get(rate)!)
    rows.push({
      rate,
      stepMs,
      saved: 1 - stepMs / plain,
      predicted: (rate * (passes.backwardMs - passes.emptyBackwardMs)) / plain,
      ideal: (rate * beta) / (1 + beta),
      peakBytes: peakOf(model, rate, batch, length, bf16),
      longest: longestWithin(budget, model, rate, options),
    })
    say(
      `  rate ${rate}: ${stepMs.toFixed(1)} ms, peak ${(rows.at(-1)!.peakBytes / 2 ** 20).toFixed(1)} MiB, longest ${rows.at(-1)!.longest}`,
    )
  }
  return { ...passes, beta, rows }
}

/** Any tokens will do. */
export function noise(rows: number, length: number, vocabulary: number): Batch {
  const inputIds = Int32Array.from(
    { length: rows * length },
    (_, i) => (Math.imul(i + 1, 2654435761) >>> 8) % vocabulary,
  )
  return { rows, length, inputIds, labels: inputIds }
}

const uniform = (rate: number, length: number): ReturnType<typeof dropbp> =>
  dropbp({ rate, allocation: 'uniform', scaling: 0.5, sequenceLength: length })

async function stepTimes(model: Decoder, rate: number, { batch, length, steps, bf16 }: CostOptions): Promise<number[]> {
  const data = noise(batch, length, model.config.vocabSize)
  const source: BatchSource = { batchesPerEpoch: 1, at: () => data }
  const times: number[] = []
  const rules = rate === 0 ? [] : [uniform(rate, length)(model)]
  for await (const event of train(model, source, languageModeling(), {
    steps: steps + 1,
    learningRate: 1e-6,
    rules,
    bf16,
  }))
    if (event.type === 'step-done') times.push(event.seconds * 1000)
  return times.slice(1)
}

/** One forward and backward pass apart, plain and with every branch dropped. */
function passTimes(model: Decoder, { batch, length, rounds, steps, bf16 }: CostOptions): Omit<Costs, 'beta' | 'rows'> {
  const data = noise(batch, length, model.config.vocabSize)
  const rule = uniform(0, length)(model)
  const times = { forward: [] as number[], backward: [] as number[], empty: [] as number[] }
  for (let i = 0; i <= rounds * steps; i++) {
    for (const dropped of [0, 1]) {
      const mask = { dropped: new Uint8Array(rule.branches.length).fill(dropped), gains: null }
      rule.gates.run(mask, () =>
        scope(() =>
          autocast(bf16 ? 'bf16' : null, () => {
            synchronize()
            const begun = performance.now()
            const { loss } = languageModeling().forward(model, data)
            synchronize()
            const middle = performance.now()
            backward(loss)
            synchronize()
            const ended = performance.now()
            if (i === 0) return
            if (dropped === 0) times.forward.push(middle - begun)
            times[dropped === 0 ? 'backward' : 'empty'].push(ended - middle)
          }),
        ),
      )
      for (const [, parameter] of model.parameters()) parameter.grad = null
    }
  }
  rule.remove!()
  return { forwardMs: median(times.forward), backwardMs: median(times.backward), emptyBackwardMs: median(times.empty) }
}

/** Most bytes above what lives already, over forward and backward of a few masks; Infinity when memory runs out. */
function peakOf(model: Decoder, rate: number, batch: number, length: number, bf16: boolean): number {
  const rule = uniform(rate, length)(model)
  const data = noise(batch, length, model.config.vocabSize)
  const isCuda = model.device.startsWith('cuda')
  const live = (): number => (isCuda ? memoryStats().cudaLiveBytes : memoryStats().liveBytes)
  let peak = 0
  try {
    for (let i = 0; i < (rate === 0 ? 1 : 4); i++) {
      const before = live()
      resetPeakMemory()
      rule.gates.run(rule.maskAt(i, 0), () =>
        scope(() => autocast(bf16 ? 'bf16' : null, () => backward(languageModeling().forward(model, data).loss))),
      )
      const { cudaPeakBytes, peakBytes } = memoryStats()
      peak = Math.max(peak, (isCuda ? cudaPeakBytes : peakBytes) - before)
      for (const [, parameter] of model.parameters()) parameter.grad = null
    }
    return peak
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error
    return Number.POSITIVE_INFINITY
  } finally {
    for (const [, parameter] of model.parameters()) parameter.grad = null
    rule.remove!()
    releaseMemory()
  }
}

/** The longest sequence at batch 1, in steps of 1/16 of `length`, whose peak stays within the budget. */
function longestWithin(budget: number, model: Decoder, rate: number, { length, longest, bf16 }: CostOptions): number {
  const unit = Math.max(8, length / 16)
  const fits = (units: number): boolean =>
    units * unit <= longest && peakOf(model, rate, 1, units * unit, bf16) <= budget
  let low = 0
  let high = 16
  while (fits(high)) {
    low = high
    high *= 2
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (fits(middle)) low = middle
    else high = middle
  }
  return low * unit
}
