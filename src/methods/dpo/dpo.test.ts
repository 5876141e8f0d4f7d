import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventsOf, ofType, TINY, tinyModel } from '../../../test/training/tiny-model.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import type { Dataset } from '../../data/sample.ts'
import { type Pair, type PairBatch, pairBatches, stackPairs } from '../../data/tuning/preferences.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder, initialise } from '../../model/decoder.ts'
import { backward, Generator, memoryStats, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { train } from '../../train/train.ts'
import {
  answerLogProbs,
  computeReference,
  type DpoOptions,
  dpo,
  precomputed,
  type Reference,
  referenceModel,
} from './dpo.ts'
import { PREFERENCE_LOSSES } from './losses.ts'
import { pairLoss } from './pair-loss.ts'

const fixture = (path: string): string => new URL(`../../../test/fixtures/${path}`, import.meta.url).pathname
const LN2 = Math.log(2)

/** Pairs of random tokens with prompts and answers of several lengths. */
function randomPairs(count: number, vocabulary: number): Dataset<Pair> {
  let state = 11
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const tokens = (length: number): number[] => Array.from({ length }, () => random(vocabulary))
  const pairs = Array.from({ length: count }, (): Pair => {
    const prompt = tokens(1 + random(5))
    const answer = (): Pair['chosen'] => {
      const said = tokens(1 + random(6))
      return {
        ids: Int32Array.of(...prompt, ...said),
        labels: Int32Array.of(...prompt.map(() => -100), ...said),
      }
    }
    return { chosen: answer(), rejected: answer() }
  })
  return { length: count, get: (index) => pairs[index]! }
}

const batchOf = (pairs: Dataset<Pair>, ...indices: number[]): PairBatch => stackPairs(pairs, Int32Array.from(indices))

/** Mean loss and metrics over the pairs of a batch. */
function mean(model: Decoder, batch: PairBatch, options: DpoOptions): Record<string, number> {
  const objective = dpo(options)
  return scope(() => {
    const { loss, metrics } = objective.forward(model, batch)
    const entries = Object.entries({ loss, ...metrics }).map(([name, sum]) => [
      name,
      sum.item() / objective.weight(batch),
    ])
    return Object.fromEntries(entries) as Record<string, number>
  })
}

let model: Decoder
let other: Decoder
const pairs = randomPairs(16, 300)
beforeEach(() => {
  model = tinyModel()
  other = tinyModel(TINY, 2)
})
afterEach(() => {
  model.free()
  other.free()
})

describe('dpo', () => {
  it('starts at ln 2 when the reference is the model itself, whatever it is', () => {
    const llama = loadDecoder(fixture('models/llama'))
    const same = randomPairs(6, llama.config.vocabSize)
    for (const labelSmoothing of [0, 0.1]) {
      const values = mean(llama, batchOf(same, 0, 1, 2, 3, 4, 5), { reference: answerLogProbs, labelSmoothing })
      expect(values.loss).toBeAllclose(LN2, { absolute: 1e-6, relative: 0 })
      expect(values).toMatchObject({
        'rewards/chosen': 0,
        'rewards/rejected': 0,
        'rewards/margins': 0,
        'rewards/accuracies': 0,
      })
    }
    llama.free()
  })

  it('has the loss and gradient norms of PyTorch', () => {
    // Two pairs on the fixture in f32, β = 0.3, the reference its copy with every parameter times 1.05 (torch 2.13, transformers 5.18).
    const llama = loadDecoder(fixture('models/llama'))
    const reference = loadDecoder(fixture('models/llama'))
    noGrad(() => {
      for (const [, parameter] of reference.parameters()) parameter.mul_(1.05)
    })
    const answer = (prompt: number[], said: number[]): Pair['chosen'] => ({
      ids: Int32Array.of(...prompt, ...said),
      labels: Int32Array.of(...prompt.map(() => -100), ...said),
    })
    const two: Pair[] = [
      { chosen: answer([1, 5, 9], [7, 8, 2]), rejected: answer([1, 5, 9], [11, 2]) },
      { chosen: answer([1, 4], [3, 2]), rejected: answer([1, 4], [6, 13, 14, 15, 2]) },
    ]
    const batch = batchOf({ length: 2, get: (index) => two[index]! }, 0, 1)
    llama.trainable()
    const loss = scope(() => {
      const mean = dpo({ beta: 0.3, reference: referenceModel(reference) })
        .forward(llama, batch)
        .loss.div(2)
      backward(mean)
      return mean.item()
    })
    const norms = Array.from(llama.parameters(), ([path, { grad }]) => [path, grad!.norm().item()] as const)
    expect(loss).toBeAllclose(0.6850348711013794, { absolute: 2e-6 })
    expect(Math.hypot(...norms.map(([, norm]) => norm))).toBeAllclose(3.8629448413848877, { relative: 1e-5 })
    expect(Object.fromEntries(norms)['lm_head.weight']).toBeAllclose(1.8311517238616943, { relative: 1e-5 })
    llama.free()
    reference.free()
  })

  it('starts at 1 for hinge and at 1/(2β)² for ipo', () => {
    const batch = batchOf(pairs, 0, 1, 2)
    expect(mean(model, batch, { loss: 'hinge', reference: answerLogProbs }).loss).toBeAllclose(1)
    expect(mean(model, batch, { loss: 'ipo', beta: 0.5, reference: answerLogProbs }).loss).toBeAllclose(1)
  })

  it('takes the log-probabilities of the answers alone', () => {
    const batch = batchOf(pairs, 3, 7)
    const ids = Tensor.from(batch.inputIds, [4, batch.length]).to('i64')
    const logs = model.forward({ inputIds: ids }).logSoftmax().toArray() // [4, T, 300]
    const expected = [0, 1, 2, 3].map((row) => {
      let sum = 0
      for (let at = 1; at < batch.length; at++) {
        const label = batch.labels[row * batch.length + at]!
        if (label !== -100) sum += logs[(row * batch.length + at - 1) * 300 + label]!
      }
      return sum
    })
    expect(answerLogProbs(model, batch)).toBeAllclose(expected, { absolute: 1e-4 })
    const values = mean(model, batch, { reference: referenceModel(other) })
    expect(values['logps/chosen']).toBeAllclose((expected[0]! + expected[1]!) / 2, { absolute: 1e-4 })
    expect(values['logps/rejected']).toBeAllclose((expected[2]! + expected[3]!) / 2, { absolute: 1e-4 })
  })

  it.each(PREFERENCE_LOSSES)('is the same for a pair alone and among longer ones (%s)', (loss) => {
    const options: DpoOptions = { loss, reference: referenceModel(other) }
    const alone = [0, 1, 2, 3].map((pair) => mean(model, batchOf(pairs, pair), options))
    const together = mean(model, batchOf(pairs, 0, 1, 2, 3), options)
    for (const [name, value] of Object.entries(together))
      expect(value, name).toBeAllclose(alone.reduce((sum, one) => sum + one[name]!, 0) / 4, { absolute: 1e-5 })
  })

  it('reports rewards of β times the gain over the reference', () => {
    const batch = batchOf(pairs, 0, 1, 2, 3, 4)
    const ours = answerLogProbs(model, batch).toArray()
    const theirs = answerLogProbs(other, batch).toArray()
    const reward = ours.map((value, i) => 0.3 * (value - theirs[i]!))
    const values = mean(model, batch, { beta: 0.3, reference: referenceModel(other) })
    const average = (list: number[]): number => list.reduce((a, b) => a + b, 0) / 5
    expect(values['rewards/chosen']).toBeAllclose(average(reward.slice(0, 5)), { absolute: 1e-5 })
    expect(values['rewards/rejected']).toBeAllclose(average(reward.slice(5)), { absolute: 1e-5 })
    expect(values['rewards/margins']).toBeAllclose(values['rewards/chosen']! - values['rewards/rejected']!, {
      absolute: 1e-5,
    })
    const right = [0, 1, 2, 3, 4].filter((pair) => reward[pair]! > reward[5 + pair]!).length
    expect(values['rewards/accuracies']).toBeAllclose(right / 5)
  })

  it.each(PREFERENCE_LOSSES)('has the gradient of finite differences (%s)', (loss) => {
    const config = readModelConfig(TINY, 'model')
    const wide = (seed: number): Decoder => {
      const make = initialise(config, new Generator(seed))
      return new Decoder(config, (parameter) => make(parameter).to('f64').keep())
    }
    const [trained, fixed] = [wide(3), wide(4)]
    const options: DpoOptions = { loss, beta: 0.4, reference: referenceModel(fixed) }
    const objective = dpo(options)
    const batch = batchOf(pairs, 1, 5, 9)
    const value = (): number => scope(() => noGrad(() => objective.forward(trained, batch).loss.item()))
    for (const frozenHead of [true, false]) {
      const parameters = [...trained.parameters()]
      for (const [path, parameter] of parameters) parameter.requiresGrad = !(frozenHead && path.includes('embed'))
      scope(() => backward(objective.forward(trained, batch).loss))
      for (const [path, parameter] of parameters) {
        const gradient = parameter.grad
        if (gradient === null) continue
        // The direction of the gradient itself: d loss = ‖g‖² per unit.
        const length = gradient.norm().item()
        const step = 1e-5 / length
        const move = (by: number): void => noGrad(() => void parameter.add_(gradient, by))
        move(step)
        const above = value()
        move(-2 * step)
        const below = value()
        move(step)
        expect((above - below) / (2 * step * length * length), path).toBeAllclose(1, { absolute: 1e-4 })
        parameter.grad = null
      }
    }
    trained.free()
    fixed.free()
  })

  it('adds the mean −log π of the chosen answers', () => {
    const batch = batchOf(pairs, 0, 4, 8)
    const logProbs = answerLogProbs(model, batch).toArray()
    const means = [0, 4, 8].map((pair, i) => {
      const { labels } = pairs.get(pair).chosen
      return logProbs[i]! / labels.filter((label) => label !== -100).length
    })
    const options: DpoOptions = { reference: referenceModel(other) }
    const difference = mean(model, batch, { ...options, sftWeight: 0.7 }).loss! - mean(model, batch, options).loss!
    expect(difference).toBeAllclose((-0.7 * (means[0]! + means[1]! + means[2]!)) / 3, { absolute: 1e-5 })
  })

  it('gives the reference no gradient, no dropout and no turn of the generator', () => {
    const generator = new Generator(5)
    model.generator = generator
    const before = generator.getState()
    let seen: unknown = 'not asked'
    const reference: Reference = (asked, batch) => {
      seen = asked.generator
      return answerLogProbs(other, batch)
    }
    dpo({ reference }).forward(model, batchOf(pairs, 0))
    expect(seen).toBeNull()
    expect(model.generator).toBe(generator)
    expect(generator.getState()).toEqual(before)
  })

  it('takes a reference that was computed before', async () => {
    const values = await computeReference(other, pairs, { batchSize: 3 })
    expect(values.length).toBe(32)
    const batch = batchOf(pairs, 12, 3, 5)
    const [live, stored] = [referenceModel(other), precomputed(values)].map((reference) =>
      mean(model, batch, { reference }),
    )
    expect(Object.values(stored!)).toBeAllclose(Object.values(live!), { absolute: 1e-5 })
    expect(() => precomputed(values.slice(0, 20))(model, batch)).toThrow(/expected values for pair 12, got 10 pairs/)
  })

  it.each(PREFERENCE_LOSSES)('widens the margin in 20 steps (%s)', async (loss) => {
    const reference = precomputed(await computeReference(model, pairs))
    const source = pairBatches(pairs, { batchSize: 8 })
    const objective = dpo({ loss, reference, beta: loss === 'simpo' ? 2 : 0.5 })
    const all = batchOf(pairs, ...Array.from({ length: 16 }, (_, i) => i))
    const options: DpoOptions = { loss, reference, beta: 0.5 }
    const before = mean(model, all, options)
    const { events, error } = await eventsOf(train(model, source, objective, { steps: 20, learningRate: 3e-3 }))
    expect(error).toBeUndefined()
    expect(ofType(events, 'step-done').length).toBe(20)
    const after = mean(model, all, options)
    expect(after['rewards/margins']).toBeGreaterThan(before['rewards/margins']! + 0.2)
    expect(after['rewards/accuracies']).toBeGreaterThan(0.9)
    expect(after.loss).toBeLessThan(before.loss!)
  })

  it('accumulates like one large batch', async () => {
    const reference = referenceModel(other)
    const losses = async (batchSize: number, gradientAccumulation: number): Promise<number[]> => {
      const copy = tinyModel()
      const source = pairBatches(pairs, { batchSize, shuffle: false })
      const { events } = await eventsOf(
        train(copy, source, dpo({ reference }), { steps: 3, learningRate: 1e-3, gradientAccumulation }),
      )
      copy.free()
      return ofType(events, 'step-done').map(({ metrics }) => metrics.loss)
    }
    expect(await losses(2, 4)).toBeAllclose(await losses(8, 1), { absolute: 1e-5 })
  })

  it('keeps no logits of the whole vocabulary for the backward pass', () => {
    const rows = 64
    const [width, vocabulary] = [16, 20_000]
    const weight = ops.normal_(ops.empty([vocabulary, width], 'f32'), 0, 1, new Generator(1))
    const hidden = ops.normal_(ops.empty([rows, width], 'f32'), 0, 1, new Generator(2))
    hidden.requiresGrad = true
    const labels = Tensor.from(Int32Array.from({ length: rows }, (_, i) => i)).to('i64')
    for (const isTrained of [false, true]) {
      weight.requiresGrad = isTrained
      const before = memoryStats().liveBytes
      const values = ops.linearLogProbs(hidden, weight, labels)
      // The logits would be 5 MB.
      expect(memoryStats().liveBytes - before).toBeLessThan(64 * 1024)
      values.free()
    }
  })

  it('refuses what makes no sense', () => {
    expect(() => dpo({})).toThrow(/^reference: expected one for sigmoid, got none\. Give one, or use simpo or orpo$/)
    expect(() => dpo({ loss: 'kto' as 'ipo' })).toThrow(/^loss: expected sigmoid, hinge, ipo, simpo, orpo, got kto/)
    for (const beta of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => dpo({ loss: 'orpo', beta })).toThrow(/^beta/)
    for (const sftWeight of [-1, Number.NaN]) expect(() => dpo({ loss: 'orpo', sftWeight })).toThrow(/^sftWeight/)
    for (const labelSmoothing of [-0.1, 0.5, Number.NaN])
      expect(() => dpo({ loss: 'simpo', labelSmoothing })).toThrow(/^labelSmoothing/)
    expect(() => dpo({ loss: 'orpo', labelSmoothing: 0.1 })).toThrow(/labelSmoothing: expected 0 for orpo/)
  })
})

describe('pairLoss', () => {
  const golden = JSON.parse(readFileSync(fixture('training/dpo-losses.json'), 'utf8')) as Record<string, number[]> & {
    beta: number
  }
  const f64 = (values: readonly number[]): Tensor => Tensor.from(Float64Array.from(values))
  const options = { loss: 'sigmoid', beta: golden.beta, labelSmoothing: 0, gamma: 0.5 } as const

  it('gives the golden losses and rewards', () => {
    const logProbs = {
      chosen: f64(golden.policy_chosen_logps!),
      rejected: f64(golden.policy_rejected_logps!),
      referenceChosen: f64(golden.reference_chosen_logps!),
      referenceRejected: f64(golden.reference_rejected_logps!),
    }
    const losses = (more: object): Tensor => pairLoss(logProbs, { ...options, ...more }).losses
    expect(losses({})).toBeAllclose(golden.sigmoid!, { absolute: 1e-9 })
    expect(losses({ labelSmoothing: 0.1 })).toBeAllclose(golden.sigmoid_label_smoothing_0_1!, { absolute: 1e-9 })
    expect(losses({ loss: 'hinge' })).toBeAllclose(golden.hinge!, { absolute: 1e-9 })
    expect(losses({ loss: 'ipo' })).toBeAllclose(golden.ipo_given_average_logps!, { absolute: 1e-9 })
    const { chosenRewards, rejectedRewards } = pairLoss(logProbs, options)
    expect(chosenRewards).toBeAllclose(golden.chosen_rewards!, { absolute: 1e-9 })
    expect(rejectedRewards).toBeAllclose(golden.rejected_rewards!, { absolute: 1e-9 })
  })

  it('is −log σ(β·(c − r) − γ) for simpo', () => {
    // 2 · (−1 + 1.5) − 0.5 = 0.5
    const { losses } = pairLoss({ chosen: f64([-1]), rejected: f64([-1.5]) }, { ...options, loss: 'simpo', beta: 2 })
    expect(losses).toBeAllclose(Math.log(1 + Math.exp(-0.5)), { absolute: 1e-12 })
  })

  it('is −c − λ·log σ(log odds ratio) for orpo', () => {
    // p = 1/2 and 1/4 have odds 1 and 1/3: σ(ln 3) = 3/4.
    const { losses } = pairLoss(
      { chosen: f64([Math.log(0.5)]), rejected: f64([Math.log(0.25)]) },
      { ...options, loss: 'orpo', beta: 0.2 },
    )
    expect(losses).toBeAllclose(Math.log(2) - 0.2 * Math.log(0.75), { absolute: 1e-12 })
  })

  it('stays finite for certain and impossible answers', () => {
    for (const loss of PREFERENCE_LOSSES) {
      const chosen = f64([0, -1e4])
      chosen.requiresGrad = true
      const { losses } = pairLoss({ chosen, rejected: f64([-1e4, 0]) }, { ...options, loss })
      backward(losses.sum())
      expect([...losses.toArray(), ...chosen.grad!.toArray()].every(Number.isFinite), loss).toBe(true)
    }
  })
})
