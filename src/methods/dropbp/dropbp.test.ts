import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import type { Batch, BatchSource } from '../../data/batch.ts'
import { CheckpointError, UsageError } from '../../errors.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder } from '../../model/decoder.ts'
import { isGradEnabled, memoryStats } from '../../torch/index.ts'
import type { StepMetrics, TrainEvent } from '../../train/events.ts'
import { languageModeling } from '../../train/objective.ts'
import type { Rule } from '../../train/rule.ts'
import { restoreRunState, saveRunState } from '../../train/run-state.ts'
import { type TrainOptions, train } from '../../train/train.ts'
import { type DropBpOptions, type DropBpRule, dropbp } from './dropbp.ts'
import { measureSensitivities } from './sensitivity.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-dropbp-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const config = readModelConfig(
  {
    model_type: 'llama',
    vocab_size: 48,
    hidden_size: 32,
    intermediate_size: 80,
    num_hidden_layers: 6,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 64,
    attention_dropout: 0.1,
  },
  'config.json',
)
const fresh = (): Decoder => {
  const model = Decoder.fresh(config, { seed: 1 })
  model.trainable()
  return model
}

const source: BatchSource = {
  batchesPerEpoch: 100,
  at: (index): Batch => {
    const inputIds = Int32Array.from({ length: 32 }, (_, i) => (7 * index + 24 * (i >> 4) + 5 * i) % 48)
    return { rows: 2, length: 16, inputIds, labels: inputIds }
  },
}

type Options = Partial<TrainOptions<Batch>>

async function run(model: Decoder, options: Options = {}): Promise<StepMetrics[]> {
  const events: TrainEvent[] = []
  const settings = { steps: 6, learningRate: 0.01, seed: 3, gradientAccumulation: 2, ...options }
  for await (const event of train(model, source, languageModeling(), settings)) {
    if (event.type === 'checkpoint-failed') throw event.error
    events.push(event)
  }
  return events.flatMap((event) => (event.type === 'step-done' ? [event.metrics] : []))
}

const weights = (model: Decoder): Map<string, number[]> =>
  new Map(Array.from(model.parameters(), ([path, parameter]) => [path, parameter.toArray()]))

/** Weights after a run of a fresh model under `options`, and its step metrics without the times. */
async function outcome(
  options: DropBpOptions | null,
  more: Options = {},
): Promise<{ weights: Map<string, number[]>; metrics: Omit<StepMetrics, 'tokens_per_second'>[] }> {
  const model = fresh()
  const rules: Rule[] = [...(options === null ? [] : [dropbp(options)(model)]), ...(more.rules ?? [])]
  const steps = await run(model, { ...more, rules })
  const result = { weights: weights(model), metrics: steps.map(({ tokens_per_second, ...metrics }) => metrics) }
  model.free()
  return result
}

describe('dropbp', () => {
  it('is the identity at rate 0: bit-equal to the plain run', async () => {
    const plain = await outcome(null)
    for (const mode of ['exact', 'paper'] as const) {
      const neutral = await outcome({ rate: 0, mode })
      expect(neutral.weights).toEqual(plain.weights)
      expect(neutral.metrics).toEqual(plain.metrics.map((metrics) => ({ ...metrics, 'dropbp/flop_fraction': 0 })))
    }
  })

  it('drops the budget in every micro-batch and draws each one anew', async () => {
    const model = fresh()
    const rule = dropbp({ rate: 0.5, allocation: 'uniform' })(model)
    const seen: string[] = []
    let mask = ''
    for (const [i, { block, kind }] of rule.branches.entries()) {
      const layer = model.model.layers[block]!
      const { rules } = kind === 'attention' ? layer.attention : layer.feedForward
      rules.push((x, next) => {
        mask += isGradEnabled() ? '1' : '0'
        if (i === rule.branches.length - 1) seen.push(mask)
        if (i === rule.branches.length - 1) mask = ''
        return next(x)
      })
    }
    const metrics = await run(model, { rules: [rule] })
    expect(seen.length).toBe(12)
    expect(new Set(seen).size).toBeGreaterThan(9)
    expect(seen.every((kept) => kept.length === 12)).toBe(true)
    const total = rule.branches.reduce((sum, { flops }) => sum + flops, 0)
    const largest = Math.max(...rule.branches.map(({ flops }) => flops)) / total
    const fractions = seen.map(
      (kept) => rule.branches.reduce((sum, { flops }, i) => sum + (kept[i] === '0' ? flops : 0), 0) / total,
    )
    for (const fraction of fractions) expect(Math.abs(fraction - 0.5)).toBeLessThan(largest)
    expect(metrics.map((step) => step['dropbp/flop_fraction'])).toEqual(
      Array.from({ length: 6 }, (_, step) => expect.closeTo((fractions[2 * step]! + fractions[2 * step + 1]!) / 2, 12)),
    )
    expect(model.model.layers.every((layer) => layer.attention.rules.length === 1)).toBe(true) // its own are gone
    model.free()
  })

  it('still learns', async () => {
    const losses = async (options: DropBpOptions | null): Promise<number[]> =>
      (await outcome(options, { steps: 40 })).metrics.map((step) => step.loss as number)
    const [plain, dropped] = [await losses(null), await losses({ rate: 0.5 })]
    expect(dropped[0]).toBe(plain[0]) // the loss of a weight is exact, whatever was dropped
    expect(dropped.at(-1)).toBeLessThan(0.8 * dropped[0]!)
    expect(plain.at(-1)).not.toBe(dropped.at(-1))
  })

  it('does not crash when every branch of a model with frozen weights is dropped', async () => {
    const model = fresh()
    for (const [path, parameter] of model.parameters())
      parameter.requiresGrad = path.includes('layers.3.self_attn.q_proj')
    const before = weights(model)
    const rule = dropbp({ rate: 0.9, allocation: 'uniform' })(model)
    const metrics = await run(model, { rules: [rule], steps: 12, gradientAccumulation: 1 })
    const idle = metrics.filter((step) => step.grad_norm === 0)
    expect(idle.length).toBeGreaterThan(6)
    expect(idle.length).toBeLessThan(12)
    expect(weights(model)).not.toEqual(before)
    model.free()
  })

  it('goes on from a checkpoint bit for bit, before and after the sensitivities are measured', async () => {
    const options: DropBpOptions = { rate: 0.5, sensitivityAt: 0.4, refreshEvery: 3 } // measured before steps 3 and 6
    const whole = await outcome(options)
    expect(whole.metrics.filter((step) => 'dropbp/rate/model.layers.0.mlp' in step).map(({ step }) => step)).toEqual([
      3, 6,
    ])
    for (const stop of [1, 2, 4]) {
      const at = join(directory, `${stop}`)
      mkdirSync(at)
      const first = fresh()
      await run(first, {
        rules: [dropbp(options)(first)],
        save: {
          every: stop,
          write: async (state) => {
            if (state.step !== stop) return at
            saveDecoder(first, at)
            saveRunState(at, state)
            return at
          },
        },
      })
      first.free()
      const second = loadDecoder(at)
      second.trainable()
      const metrics = await run(second, {
        rules: [dropbp(options)(second)],
        resume: (state) => restoreRunState(at, state),
      })
      expect(weights(second), `${stop}`).toEqual(whole.weights)
      expect(metrics.map(({ loss }) => loss)).toEqual(whole.metrics.slice(stop).map(({ loss }) => loss))
      second.free()
    }
  })

  it('measures without a trace: the run around it is bit-equal', async () => {
    const plain = await outcome({ rate: 0.5, allocation: 'uniform' })
    const late = await outcome({ rate: 0.5, sensitivityAt: 1 })
    expect(late.weights).toEqual(plain.weights)
    const model = fresh()
    const rule = dropbp({ rate: 0.5, allocation: 'uniform' })(model)
    const prober: Rule = {
      name: 'prober',
      microStep: (state, batch, next) => {
        const parameters = Array.from(model.parameters(), ([, parameter]) => parameter)
        const { generator } = state
        const found = measureSensitivities({
          gates: rule.gates,
          branches: 12,
          parameters,
          generator,
          loss: batch.loss,
          kind: 'gradient-norm',
        })
        expect(found.every((value) => value > 0)).toBe(true)
        return next()
      },
    }
    await run(model, { rules: [prober, rule], steps: 6 })
    expect(weights(model)).toEqual(plain.weights)
    model.free()
  })

  it('gives branches that matter less higher rates, within the same budget', async () => {
    const model = fresh()
    const rule = dropbp({ rate: 0.5, sensitivityAt: 0 })(model)
    const [first, second] = await run(model, { rules: [rule], steps: 2 })
    expect(Object.keys(first!).filter((key) => key.startsWith('dropbp/')).length).toBe(25)
    expect(Object.keys(second!).filter((key) => key.startsWith('dropbp/'))).toEqual(['dropbp/flop_fraction'])
    const { sensitivities, rates, branches } = rule
    const total = branches.reduce((sum, { flops }) => sum + flops, 0)
    expect(branches.reduce((sum, { flops }, i) => sum + flops * rates[i]!, 0) / total).toBeCloseTo(0.5, 9)
    // Knapsack: one branch at most is in between, and S/F of what is dropped is below that of what is kept.
    const share = (i: number): number => sensitivities![i]! / branches[i]!.flops
    const all = branches.map((_, i) => i)
    expect(all.filter((i) => rates[i]! > 0 && rates[i]! < 0.9).length).toBeLessThanOrEqual(1)
    const [dropped, kept] = [all.filter((i) => rates[i]! > 0), all.filter((i) => rates[i]! < 0.9)]
    expect(Math.max(...dropped.map(share))).toBeLessThanOrEqual(Math.min(...kept.map(share)))
    expect(first!['dropbp/rate/model.layers.0.mlp']).toBe(rates[1])
    model.free()
  })

  it('keeps the official rule in paper mode', async () => {
    const model = fresh()
    const rule = dropbp({ rate: 0.5, mode: 'paper', sensitivityAt: 0 })(model)
    const metrics = await run(model, { rules: [rule], steps: 8 })
    for (const rate of rule.rates) expect(rate * 10).toBeCloseTo(Math.round(rate * 10), 9)
    expect(rule.maskAt(0, 0).gains).toBe(null)
    expect(metrics.length).toBe(8)
    for (let step = 0; step < 50; step++)
      expect(rule.maskAt(step, 0).dropped.reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(6)
    model.free()
  })

  it('scales kept branches by their probability to be kept', () => {
    const model = fresh()
    const gains = (options: DropBpOptions): number[] => {
      const rule: DropBpRule = dropbp(options)(model)
      const { gains } = rule.maskAt(0, 0)
      rule.remove!()
      return [...(gains ?? [])]
    }
    const closeTo = (value: number): number[] => new Array(12).fill(expect.closeTo(value, 12))
    expect(gains({ rate: 0.75, scaling: 1 })).toEqual(closeTo(4))
    expect(gains({ rate: 0.75 })).toEqual(closeTo(2))
    expect(gains({ rate: 0.75, scaling: 0 })).toEqual([])
    // Forced drops make the lower of equal branches rarer, and so louder.
    const forced = gains({ rate: 0.75, mode: 'paper', scaling: 1 })
    expect(forced[0]).toBeGreaterThan(forced[11]!)
    expect(forced[11]).toBeCloseTo(4, 9)
    model.free()
  })

  it('lets no tensor pile up', async () => {
    const model = fresh()
    const live: number[] = []
    const counter: Rule = {
      name: 'counter',
      step: (_, next) => {
        live.push(memoryStats().liveTensors)
        return next()
      },
    }
    await run(model, {
      rules: [counter, dropbp({ rate: 0.5, sensitivityAt: 0.5, sensitivity: 'gradient' })(model)],
      steps: 8,
    })
    expect(new Set(live.slice(1)).size).toBe(1)
    model.free()
  })
})

describe('options of dropbp', () => {
  it('refuses a rate above 0.9 and other values out of range in one line', () => {
    for (const options of [
      { rate: 0.95 },
      { rate: -0.1 },
      { rate: Number.NaN },
      { rate: 0.5, scaling: 1.5 },
      { rate: 0.5, sensitivityAt: 2 },
      { rate: 0.5, refreshEvery: 0 },
      { rate: 0.5, sequenceLength: 0.5 },
    ])
      expect(() => dropbp(options)).toThrow(UsageError)
    expect(() => dropbp({ rate: 0.95 })).toThrow(/^dropbp\.rate: expected a number from 0 to 0\.9, got 0\.95\. [^\n]+$/)
  })

  it('refuses the state of another model', () => {
    const model = fresh()
    const rule = dropbp({ rate: 0.5 })(model)
    for (const state of [null, 'x', { seed: 1 }, { seed: 1, measuredAt: 2, sensitivities: [1, 2] }])
      expect(() => rule.restore!(state)).toThrow(CheckpointError)
    expect(JSON.parse(JSON.stringify(rule.state!()))).toEqual({ seed: null, measuredAt: null, sensitivities: null })
    model.free()
  })
})
