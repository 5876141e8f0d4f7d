// NaN and infinities never reach the weights, wherever they come from and whether or not anybody looks at the step.
import { describe, expect, it } from 'vitest'
import {
  eventsOf,
  hashOf,
  ofType,
  TINY,
  TINY_WITH_DROPOUT,
  tinyBatches,
  tinyModel,
} from '../../test/training/tiny-model.ts'
import type { Batch } from '../data/batch.ts'
import { NonFiniteError } from '../errors.ts'
import type { Decoder } from '../model/decoder.ts'
import { noGrad, ops } from '../torch/index.ts'
import type { NonFiniteReport } from './non-finite-report.ts'
import { languageModeling, type Objective } from './objective.ts'
import type { Rule, RunState } from './rule.ts'
import { type TrainOptions, train } from './train.ts'

/** Language modelling whose loss is multiplied by `factor` in the given micro-batches, counted over the whole run. */
function poisonedLoss(factor: number, isPoisoned: (microBatch: number) => boolean): Objective {
  const usual = languageModeling()
  let count = 0
  return {
    ...usual,
    forward: (model, batch) => {
      const { loss, metrics } = usual.forward(model, batch)
      return { loss: isPoisoned(count++) ? loss.mul(factor) : loss, metrics }
    },
  }
}

/** Puts `value` into one entry of one gradient at the given step (from 1); the loss stays finite. */
function poisonedGradient(model: Decoder, value: number, step: number): Rule {
  const weight = [...model.parameters()].find(([name]) => name === 'model.layers.1.mlp.up_proj.weight')![1]
  return {
    name: 'poison',
    step: (run, next) => {
      const loss = next()
      if (run.step + 1 === step) noGrad(() => ops.fill_(weight.grad!.select(0, 3).select(0, 5), value))
      return loss
    },
  }
}

interface Watched {
  hashes: string[]
  rates: number[]
  reasons: string[]
  error: Error | undefined
  end: Record<string, number> | undefined
}

/** Trains a model; the hash of its weights is taken after every step. */
async function watch(
  model: Decoder,
  objective: Objective,
  options: Partial<TrainOptions<Batch>> & { steps: number },
): Promise<Watched> {
  const hashes = [hashOf(model)]
  const { events, error } = await eventsOf(
    (async function* () {
      for await (const event of train(model, tinyBatches(50), objective, { learningRate: 3e-3, ...options })) {
        if (event.type === 'step-done' || event.type === 'step-skipped') hashes.push(hashOf(model))
        yield event
      }
    })(),
  )
  hashes.push(hashOf(model))
  return {
    hashes,
    rates: ofType(events, 'step-done').map(({ metrics }) => metrics.learning_rate),
    reasons: ofType(events, 'step-skipped').map(({ reason }) => reason),
    error,
    end: ofType(events, 'run-end')[0]?.metrics,
  }
}

const cases = [
  ['a loss that is NaN', Number.NaN, 'loss'],
  ['a loss that is +Inf', Number.POSITIVE_INFINITY, 'loss'],
  ['a loss that is −Inf', Number.NEGATIVE_INFINITY, 'loss'],
  ['a gradient with one NaN', Number.NaN, 'gradient'],
  ['a gradient with one +Inf', Number.POSITIVE_INFINITY, 'gradient'],
  ['a gradient too large for f32', 3e38, 'gradient'],
] as const

const settings = [
  ['', {}],
  [' under accumulation', { gradientAccumulation: 3 }],
  [' with gradient checkpointing', { checkpointing: true }],
  [' in bf16', { bf16: true }],
] as const

describe.each(cases)('%s', (_, value, place) => {
  it.each(settings)(
    'stops the run with the weights as they were%s',
    async (_name, {
      checkpointing = false,
      ...options
    }: object & { checkpointing?: boolean; gradientAccumulation?: number }) => {
      const model = tinyModel()
      model.gradientCheckpointing = checkpointing
      const accumulation = options.gradientAccumulation ?? 1
      // In step 3, and there in the last micro-batch but one where there are several.
      const poisoned = 2 * accumulation + Math.max(0, accumulation - 2)
      const objective = place === 'loss' ? poisonedLoss(value, (index) => index === poisoned) : languageModeling()
      const rules = place === 'gradient' ? [poisonedGradient(model, value, 3)] : []
      const { hashes, error } = await watch(model, objective, { steps: 5, rules, ...options })
      expect(error).toBeInstanceOf(NonFiniteError)
      expect((error as NonFiniteError).exitCode).toBe(5)
      const batches = accumulation === 1 ? '2 to 2' : '6 to 8'
      expect(error!.message).toMatch(
        new RegExp(
          `^step 3: expected finite numbers, got loss \\S+ and gradient norm (NaN|Infinity) on batches ${batches}\\. The weights are unchanged; `,
        ),
      )
      expect(hashes.length).toBe(4) // at the start, after steps 1 and 2, and now
      expect(hashes[3]).toBe(hashes[2])
      expect(hashes[2]).not.toBe(hashes[1])
    },
  )

  it('leaves the step out when asked to skip', async () => {
    const model = tinyModel()
    const objective = place === 'loss' ? poisonedLoss(value, (index) => index === 2) : languageModeling()
    const rules = place === 'gradient' ? [poisonedGradient(model, value, 3)] : []
    const { hashes, error, reasons, end } = await watch(model, objective, { steps: 5, rules, onNonFinite: 'skip' })
    expect(error).toBeUndefined()
    expect(hashes[3]).toBe(hashes[2])
    expect(hashes[4]).not.toBe(hashes[3])
    expect(reasons).toEqual([expect.stringMatching(/^step 3: expected finite numbers, got loss .* on batches 2 to 2$/)])
    expect(end).toMatchObject({ skipped_steps: 1, num_tokens: 4 * 24 })
    expect(end!.train_loss).toBeGreaterThan(0)
  })
})

describe('the report of a step that is not finite', () => {
  it('has the batches and the largest weight and gradient of every module', async () => {
    const model = tinyModel()
    const reports: NonFiniteReport[] = []
    const rules = [poisonedGradient(model, Number.NaN, 3)]
    const { error } = await watch(model, languageModeling(), {
      steps: 5,
      rules,
      gradientAccumulation: 2,
      reportNonFinite: (report) => void reports.push(report),
    })
    expect(error!.message).toMatch(
      /not finite: the gradients of 1 of \d+ modules, among them model\.layers\.1\.mlp\.up_proj\.weight$/,
    )
    const [{ modules, ...report }] = reports as [NonFiniteReport]
    expect(report).toEqual({ step: 3, batches: [4, 5], loss: expect.any(Number), gradientNorm: Number.NaN })
    expect(modules.map(({ name }) => name)).toEqual(Array.from(model.parameters(), ([name]) => name))
    for (const { name, weight, gradient } of modules) {
      expect(weight).toBeGreaterThan(0)
      expect(Number.isNaN(gradient)).toBe(name === 'model.layers.1.mlp.up_proj.weight')
    }
  })

  it('names a weight that is not finite before any gradient', async () => {
    const model = tinyModel()
    noGrad(() => ops.fill_([...model.parameters()][3]![1].detach(), Number.POSITIVE_INFINITY))
    const { error } = await watch(model, languageModeling(), { steps: 1 })
    expect(error!.message).toMatch(/model\.layers\.0\.\S+ holds Infinity$/)
  })
})

describe('a skipped step', () => {
  it('does not move the learning rate: the next update gets the rate that this one would have had', async () => {
    const schedule = (step: number): number => 1 / (step + 1)
    const objective = poisonedLoss(Number.NaN, (index) => index === 1 || index === 2)
    const { rates } = await watch(tinyModel(), objective, { steps: 6, learningRate: 1, schedule, onNonFinite: 'skip' })
    expect(rates).toEqual([1, 1 / 2, 1 / 3, 1 / 4])
  })

  it('leaves no gradient behind: the step after it is that of a run that never saw the batch', async () => {
    const [skipping, plain] = [tinyModel(), tinyModel()]
    const objective = poisonedLoss(Number.NaN, (index) => index === 1)
    const source = tinyBatches(50)
    await watch(skipping, objective, { steps: 3, onNonFinite: 'skip' })
    const without = { batchesPerEpoch: 49, at: (index: number) => source.at(index === 0 ? 0 : index + 1) }
    await eventsOf(train(plain, without, languageModeling(), { steps: 2, learningRate: 3e-3 }))
    expect(hashOf(skipping)).toBe(hashOf(plain))
  })

  it('is counted, and the 11th in a row ends the run', async () => {
    const model = tinyModel()
    let state: RunState | undefined
    const write = async (run: RunState): Promise<string> => {
      state = { ...run }
      return ''
    }
    const objective = poisonedLoss(Number.NaN, (index) => index > 2)
    const options = { steps: 50, onNonFinite: 'skip', save: { every: 1, write } } as const
    const { hashes, error, reasons } = await watch(model, objective, options)
    expect(error).toBeInstanceOf(NonFiniteError)
    expect(error!.message).toMatch(/^step 14: .*; 11 steps in a row\. The weights are unchanged; /)
    expect(reasons.length).toBe(11)
    expect(hashes.at(-1)).toBe(hashes[3])
    expect(state).toMatchObject({ step: 13, skippedSteps: 10, consecutiveSkips: 10, tokens: 3 * 24 })
  })

  it('only counts in a row: ten and ten with a good one between go on', async () => {
    const objective = poisonedLoss(Number.NaN, (index) => index !== 10 && index < 21)
    const { error, end } = await watch(tinyModel(), objective, { steps: 23, onNonFinite: 'skip' })
    expect(error).toBeUndefined()
    expect(end).toMatchObject({ skipped_steps: 20 })
  })
})

describe('weights that are NaN from the start', () => {
  it.each([
    ['a Llama', TINY],
    ['GPT-2 with dropout', TINY_WITH_DROPOUT],
  ])('are said at the first step of %s', async (_, config) => {
    const model = tinyModel(config)
    noGrad(() => ops.fill_([...model.parameters()][3]![1].detach(), Number.NaN))
    const { error } = await watch(model, languageModeling(), { steps: 2 })
    expect(error!.message).toMatch(/^step 1: expected finite numbers, got loss NaN and gradient norm NaN/)
  })
})
