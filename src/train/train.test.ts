import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  eventsOf,
  hashOf,
  ofType,
  sourceOf,
  TINY,
  TINY_WITH_DROPOUT,
  tinyBatches,
  tinyModel,
  trainTiny,
} from '../../test/training/tiny-model.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { type Batch, IGNORE_INDEX } from '../data/batch.ts'
import { UsageError } from '../errors.ts'
import type { Decoder } from '../model/decoder.ts'
import { memoryStats, noGrad, Tensor } from '../torch/index.ts'
import type { TrainEvent } from './events.ts'
import { languageModeling } from './objective.ts'
import type { RunState } from './rule.ts'
import { type TrainOptions, train } from './train.ts'

const FIXTURES = new URL('../../test/fixtures/', import.meta.url).pathname

const losses = (events: readonly TrainEvent[]): number[] =>
  ofType(events, 'step-done').map(({ metrics }) => metrics.loss)

describe('train', () => {
  // Losses, norms and logits of Transformers with torch.optim.AdamW: scripts/goldens/training.py computes them again.
  it.each(['trajectory-adamw', 'trajectory-adamw-accum2'])('follows %s', async (name) => {
    const expected = JSON.parse(readFileSync(`${FIXTURES}training/${name}.json`, 'utf8'))
    const model = loadDecoder(`${FIXTURES}models/llama`)
    model.trainable()
    const batches: Batch[] = expected.batches.flat().map((rows: number[][]) => {
      const ids = Int32Array.from(rows.flat())
      return { rows: rows.length, length: rows[0]!.length, inputIds: ids, labels: ids }
    })
    const rates: number[] = expected.schedule.lr
    const [beta1, beta2] = expected.optimizer.betas
    const events = await trainTiny(model, sourceOf(batches), {
      steps: rates.length,
      learningRate: 1,
      schedule: (step) => rates[step]!,
      gradientAccumulation: expected.gradient_accumulation,
      optimizer: { beta1, beta2, epsilon: expected.optimizer.eps, weightDecay: expected.optimizer.weight_decay },
      maxGradNorm: expected.max_grad_norm,
    })
    const steps = ofType(events, 'step-done').map(({ metrics }) => metrics)
    expect(steps.map(({ loss }) => loss)).toBeAllclose(expected.loss, { absolute: 1e-5 })
    expect(steps.map(({ grad_norm }) => grad_norm)).toBeAllclose(expected.grad_norm, { absolute: 1e-5 })
    const probe = Tensor.from(
      expected.probe_ids.flat(),
      [expected.probe_ids.length, expected.probe_ids[0].length],
      'i64',
    )
    const logits = noGrad(() => model.forward({ inputIds: probe }).select(1, -1))
    expect(logits).toBeAllclose(expected.final_logits_last.flat(), { absolute: 1e-5 })
  })

  it('makes of what is left of an epoch a step of its own, normalised by its own tokens', async () => {
    const row = (seed: number): Batch => {
      const { inputIds } = tinyBatches(seed + 1, { rows: 1 }).at(seed)
      return { rows: 1, length: 12, inputIds, labels: inputIds }
    }
    const rows = [row(0), row(1), row(2)]
    const two: Batch = {
      rows: 2,
      length: 12,
      inputIds: Int32Array.from([...rows[0]!.inputIds, ...rows[1]!.inputIds]),
      labels: Int32Array.from([...rows[0]!.labels, ...rows[1]!.labels]),
    }
    const expected = await trainTiny(tinyModel(), sourceOf([two, rows[2]!]), { steps: 4 })
    const got = await trainTiny(tinyModel(), sourceOf(rows), { steps: 4, epochs: 2, gradientAccumulation: 2 })
    expect(losses(got)).toBeAllclose(losses(expected), { absolute: 1e-6 })
    expect(ofType(got, 'step-done').map(({ metrics }) => metrics.epoch)).toEqual([2 / 3, 1, 5 / 3, 2])
    // An accumulation longer than the epoch is the epoch.
    const whole = await trainTiny(tinyModel(), sourceOf(rows), { steps: 2, gradientAccumulation: 32 })
    const three = await trainTiny(tinyModel(), sourceOf(rows), { steps: 2, gradientAccumulation: 3 })
    expect(losses(whole)).toEqual(losses(three))
    expect(ofType(whole, 'step-done').at(-1)!.metrics).toMatchObject({ epoch: 2, num_tokens: 2 * 3 * 12 })
  })

  it('makes the same step of one large batch and of accumulated small ones, also when these have unequal numbers of labels', async () => {
    const row = (seed: number): Batch => {
      const { inputIds } = tinyBatches(seed + 1, { rows: 1 }).at(seed)
      return { rows: 1, length: 12, inputIds, labels: inputIds.slice().fill(IGNORE_INDEX, 0, seed) }
    }
    const small = Array.from({ length: 8 }, (_, seed) => row(seed))
    const large: Batch = {
      rows: 8,
      length: 12,
      inputIds: Int32Array.from(small.flatMap(({ inputIds }) => [...inputIds])),
      labels: Int32Array.from(small.flatMap(({ labels }) => [...labels])),
    }
    const [one, eight] = [tinyModel(), tinyModel()]
    const expected = await trainTiny(one, sourceOf([large]), { steps: 3, maxGradNorm: 0 })
    const got = await trainTiny(eight, sourceOf(small), { steps: 3, maxGradNorm: 0, gradientAccumulation: 8 })
    expect(losses(got)).toBeAllclose(losses(expected), { absolute: 1e-6 })
    const norms = (events: typeof got): number[] => ofType(events, 'step-done').map(({ metrics }) => metrics.grad_norm)
    expect(norms(got)).toBeAllclose(norms(expected), { absolute: 1e-6 })
    expect(ofType(got, 'step-done').at(-1)!.metrics.num_tokens).toBe(3 * 8 * 12)
    const others = new Map(eight.parameters())
    for (const [name, parameter] of one.parameters())
      expect(others.get(name)!.detach()).toBeAllclose(parameter.detach(), { absolute: 1e-5 })
  })

  it('cuts gradients to the norm', async () => {
    const options = { steps: 1, learningRate: 1, optimizer: { epsilon: 1e3 } }
    const change = async (maxGradNorm: number): Promise<{ norm: number; size: number }> => {
      const [before, model] = [tinyModel(), tinyModel()]
      const [step] = ofType(await trainTiny(model, tinyBatches(1), { ...options, maxGradNorm }), 'step-done')
      const old = new Map(before.parameters())
      const squares = Array.from(
        model.parameters(),
        ([name, now]) => now.detach().sub(old.get(name)!.detach()).norm().item() ** 2,
      )
      return { norm: step!.metrics.grad_norm, size: Math.sqrt(squares.reduce((a, b) => a + b)) }
    }
    const plain = await change(0)
    const clipped = await change(plain.norm / 4)
    expect(clipped.norm).toBe(plain.norm)
    // With a huge epsilon a step is the gradient times rate / epsilon.
    expect(plain.size).toBeCloseTo(plain.norm / 1e3, 5)
    expect(clipped.size / plain.size).toBeCloseTo(1 / 4, 2)
  })

  it('stops with the batches named when a step has nothing to learn from', async () => {
    const { inputIds, rows, length } = tinyBatches(1).at(0)
    const nothing = { rows, length, inputIds, labels: inputIds.slice().fill(IGNORE_INDEX) }
    const model = tinyModel()
    const before = hashOf(model)
    const { error } = await eventsOf(
      train(model, sourceOf([nothing, nothing]), languageModeling(), {
        steps: 1,
        learningRate: 1,
        gradientAccumulation: 2,
      }),
    )
    expect(error).toBeInstanceOf(UsageError)
    expect(error!.message).toBe('step 1: expected supervised tokens, got 0. Check the labels of batches 0 to 1')
    expect(hashOf(model)).toBe(before)
  })

  it('refuses a model of which nothing is trained', async () => {
    const model = tinyModel()
    model.trainable(() => false)
    const { error } = await eventsOf(train(model, tinyBatches(1), languageModeling(), { steps: 1, learningRate: 1 }))
    expect(error!.message).toBe('training: expected parameters that require a gradient, got none')
  })

  it('trains only what requires a gradient', async () => {
    const model = tinyModel()
    for (const [name, parameter] of model.parameters()) parameter.requiresGrad = name === 'model.norm.weight'
    const before = new Map(Array.from(model.parameters(), ([name, parameter]) => [name, parameter.toArray()]))
    const [start] = ofType(await trainTiny(model, tinyBatches(2), { steps: 2 }), 'run-start')
    expect(start).toMatchObject({ trainableParameters: 32, parameters: 28_192 })
    const changed = Array.from(model.parameters()).filter(
      ([name, now]) => String(now.toArray()) !== String(before.get(name)),
    )
    expect(changed.map(([name]) => name)).toEqual(['model.norm.weight'])
  })

  it('learns in bf16 with weights and moments in f32', async () => {
    const model = tinyModel()
    const dtypes = new Set<string>()
    const save = {
      every: 1,
      write: async ({ optimizer }: RunState) => {
        for (const [, tensor] of [...model.parameters(), ...optimizer.state()]) dtypes.add(tensor.dtype)
        return ''
      },
    }
    const options = { steps: 40, learningRate: 1e-2, save }
    const bf16 = losses(await trainTiny(model, tinyBatches(8), { ...options, bf16: true }))
    const f32 = losses(await trainTiny(tinyModel(), tinyBatches(8), options))
    expect([...dtypes]).toEqual(['f32'])
    expect(bf16.at(-1)).toBeLessThan(0.75 * bf16[0]!)
    expect(bf16).not.toEqual(f32)
    expect(bf16.slice(0, 10)).toBeAllclose(f32.slice(0, 10), { absolute: 0.1 })
  })

  it.each([
    ['in f32', TINY, false],
    ['in bf16', TINY, true],
    ['with dropout', TINY_WITH_DROPOUT, false],
  ])('gives the same bits with gradient checkpointing, %s', async (_, config, bf16) => {
    const options = { steps: 4, gradientAccumulation: 2, bf16 }
    const both = async (given: Record<string, unknown>): Promise<[Decoder, Decoder]> => {
      const [plain, saving] = [tinyModel(given), tinyModel(given)]
      saving.gradientCheckpointing = true
      const expected = losses(await trainTiny(plain, tinyBatches(8), options))
      expect(losses(await trainTiny(saving, tinyBatches(8), options))).toBeAllclose(expected, { relative: 1e-6 })
      return [plain, saving]
    }
    const [plain, saving] = await both({ ...config, tie_word_embeddings: false })
    expect(hashOf(saving)).toBe(hashOf(plain))
    // The two gradients of a tied embedding then arrive one by one, so that a sum is rounded in another order.
    await both({ ...config, tie_word_embeddings: true })
  })

  it('draws dropout from its seed', async () => {
    const hashWith = async (seed: number): Promise<string> => {
      const model = tinyModel(TINY_WITH_DROPOUT)
      await trainTiny(model, tinyBatches(4), { steps: 3, seed })
      return hashOf(model)
    }
    expect(await hashWith(1)).toBe(await hashWith(1))
    expect(await hashWith(1)).not.toBe(await hashWith(2))
  })

  it('reports events in order', async () => {
    const events = await trainTiny(tinyModel(), tinyBatches(5), {
      steps: 4,
      evaluate: { batches: tinyBatches(2), every: 2 },
      sample: { every: 3, texts: async () => [{ prompt: 'a', text: 'b' }] },
      save: { every: 2, write: async ({ step }) => `checkpoint-${step}` },
    })
    const shown = events.map((event) => [
      event.type,
      event.type === 'step-done' ? event.metrics.step : 'step' in event ? event.step : 0,
    ])
    expect(shown).toEqual([
      ['run-start', 0],
      ['step-done', 1],
      ['step-done', 2],
      ['evaluation-done', 2],
      ['checkpoint-saved', 2],
      ['step-done', 3],
      ['sample', 3],
      ['step-done', 4],
      ['evaluation-done', 4],
      ['sample', 4],
      ['checkpoint-saved', 4],
      ['run-end', 4],
    ])
    const { metrics } = ofType(events, 'step-done')[2]!
    expect(metrics).toMatchObject({ step: 3, epoch: 3 / 5, learning_rate: 3e-3, num_tokens: 3 * 24 })
    const [end] = ofType(events, 'run-end')
    expect(end).toMatchObject({ reason: 'finished', metrics: { num_tokens: 4 * 24 } })
    expect(end!.metrics.train_loss).toBeCloseTo(losses(events).reduce((a, b) => a + b) / 4, 12)
  })

  it('does what is due per epoch at the first step after each, also when an epoch is not a whole number of steps', async () => {
    const saved: number[] = []
    const write = async ({ step }: RunState): Promise<string> => `${saved.push(step)}`
    await trainTiny(tinyModel(), tinyBatches(5), { steps: 10, gradientAccumulation: 2, save: { every: 5 / 2, write } })
    expect(saved).toEqual([3, 5, 8, 10])
  })

  it('goes on when a checkpoint cannot be saved, and tries again at the next', async () => {
    let calls = 0
    const write = async (): Promise<string> => {
      if (++calls < 3) throw new Error('no space left')
      return 'here'
    }
    const events = await trainTiny(tinyModel(), tinyBatches(2), { steps: 6, save: { every: 2, write } })
    const kinds = events.filter(({ type }) => type.startsWith('checkpoint')).map(({ type }) => type)
    expect(kinds).toEqual(['checkpoint-failed', 'checkpoint-failed', 'checkpoint-saved'])
    expect(ofType(events, 'checkpoint-failed')[0]).toMatchObject({ step: 2, message: 'no space left' })
  })

  it('saves and ends when asked to stop', async () => {
    const stop = { aborted: false }
    const saved: number[] = []
    const write = async ({ step }: RunState): Promise<string> => `${saved.push(step)}`
    const seen: string[] = []
    for await (const event of train(tinyModel(), tinyBatches(2), languageModeling(), {
      steps: 50,
      learningRate: 1e-3,
      stop,
      save: { every: 10, write },
    })) {
      seen.push(event.type)
      if (event.type === 'step-done' && event.metrics.step === 3) stop.aborted = true
      if (event.type === 'run-end') expect(event).toMatchObject({ step: 3, reason: 'stopped' })
    }
    expect(saved).toEqual([3])
    expect(seen.slice(-2)).toEqual(['checkpoint-saved', 'run-end'])
  })

  it('lets rules surround a step, log numbers, and leaves none behind', async () => {
    const calls: string[] = []
    const rule = (name: string) => ({
      name,
      step: (_: RunState, next: () => number) => {
        calls.push(`${name} in`)
        const loss = next()
        calls.push(`${name} out`)
        return loss
      },
      metrics: () => ({ [`${name}/rate`]: 0.5 }),
      remove: () => void calls.push(`${name} removed`),
    })
    const events = await trainTiny(tinyModel(), tinyBatches(2), { steps: 1, rules: [rule('a'), rule('b')] })
    expect(calls).toEqual(['a in', 'b in', 'b out', 'a out', 'a removed', 'b removed'])
    expect(ofType(events, 'step-done')[0]!.metrics).toMatchObject({ 'a/rate': 0.5, 'b/rate': 0.5 })
  })

  it('keeps the number of live tensors flat', async () => {
    const model = tinyModel(TINY_WITH_DROPOUT)
    const before = memoryStats().liveTensors
    const counts: number[] = []
    const options: TrainOptions<Batch> = {
      steps: 200,
      learningRate: 1e-3,
      gradientAccumulation: 2,
      evaluate: { batches: tinyBatches(2), every: 50 },
    }
    const memory: number[] = []
    for await (const event of train(model, tinyBatches(8, { length: 8 }), languageModeling(), options)) {
      if (event.type !== 'step-done') continue
      counts.push(memoryStats().liveTensors)
      if (event.metrics.step % 50 === 0) memory.push(process.memoryUsage().rss)
    }
    expect(new Set(counts)).toEqual(new Set([counts[0]]))
    expect(memoryStats().liveTensors).toBe(before)
    // The JavaScript heap of the test runner moves too; a leak of one tensor a step would be tens of MB.
    expect(memory.at(-1)! - memory[0]!).toBeLessThan(40e6)
  })

  it('frees its tensors when the reader of its events leaves early', async () => {
    const model = tinyModel()
    await trainTiny(model, tinyBatches(2), { steps: 1 }) // makes the tables of the rotary positions
    const before = memoryStats().liveTensors
    for await (const event of train(model, tinyBatches(2), languageModeling(), { steps: 9, learningRate: 1e-3 }))
      if (event.type === 'step-done') break
    expect(memoryStats().liveTensors).toBe(before)
    expect(model.generator).toBeNull()
  })
})
