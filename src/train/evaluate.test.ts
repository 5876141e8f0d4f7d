import { describe, expect, it } from 'vitest'
import {
  hashOf,
  ofType,
  sourceOf,
  TINY_WITH_DROPOUT,
  tinyBatches,
  tinyModel,
  trainTiny,
} from '../../test/training/tiny-model.ts'
import { IGNORE_INDEX } from '../data/batch.ts'
import { Generator, noGrad, ops } from '../torch/index.ts'
import { evaluate } from './evaluate.ts'
import { decoderInput, languageModeling, type Objective, shiftLabels } from './objective.ts'
import type { RunState } from './rule.ts'

describe('evaluation', () => {
  it('is the mean over all supervised tokens of all batches', async () => {
    const model = tinyModel()
    const batches = [tinyBatches(1, { length: 5 }).at(0), tinyBatches(1, { rows: 3, length: 9 }).at(0)]
    let [loss, right, count] = [0, 0, 0]
    for (const batch of batches) {
      const logits = noGrad(() => model.forward(decoderInput(batch, 'cpu')).view(-1, 300))
      const [rows, guesses] = [logits.logSoftmax().toArray(), logits.argmax(-1).toArray()]
      for (const [position, label] of shiftLabels(batch).entries()) {
        if (label === IGNORE_INDEX) continue
        loss -= rows[position * 300 + label]!
        right += guesses[position] === label ? 1 : 0
        count++
      }
    }
    const metrics = await evaluate(model, sourceOf(batches), languageModeling())
    expect(count).toBe(2 * 4 + 3 * 8)
    expect(metrics.eval_loss).toBeCloseTo(loss / count, 5)
    expect(metrics.eval_mean_token_accuracy).toBe(right / count)
    const first = await evaluate(model, sourceOf(batches), languageModeling(), { maxBatches: 1 })
    expect(first.eval_loss).not.toBe(metrics.eval_loss)
  })

  it('tells of every set that has a name, weighted by its own tokens', async () => {
    const model = tinyModel()
    const list = [4, 9, 6].map((length) => tinyBatches(1, { length }).at(0))
    const alone = async (...batches: typeof list): Promise<number> =>
      (await evaluate(model, sourceOf(batches), languageModeling())).eval_loss!
    const parts = [
      { name: 'da', batches: 2 },
      { name: 'en', batches: 1 },
    ]
    const metrics = await evaluate(model, { ...sourceOf(list), parts }, languageModeling())
    expect(metrics.eval_da_loss).toBeCloseTo(await alone(list[0]!, list[1]!), 6)
    expect(metrics.eval_en_loss).toBeCloseTo(await alone(list[2]!), 6)
    expect(metrics.eval_loss).toBeCloseTo(await alone(...list), 6)
    expect(metrics.eval_da_loss).not.toBeCloseTo(metrics.eval_en_loss!, 3)
    expect(metrics).toHaveProperty('eval_da_mean_token_accuracy')
    const first = await evaluate(model, { ...sourceOf(list), parts }, languageModeling(), { maxBatches: 2 })
    expect(first).toHaveProperty('eval_da_loss')
    expect(first).not.toHaveProperty('eval_en_loss')
  })

  it('switches dropout off and leaves the random state alone', async () => {
    const model = tinyModel(TINY_WITH_DROPOUT)
    model.generator = new Generator(3)
    const state = model.generator.getState()
    const { generator } = model
    const [first, second] = [
      await evaluate(model, tinyBatches(2), languageModeling()),
      await evaluate(model, tinyBatches(2), languageModeling()),
    ]
    expect(first.eval_loss).toBe(second.eval_loss)
    const failing: Objective = {
      ...languageModeling(),
      forward: () => {
        throw new Error('no memory')
      },
    }
    await expect(evaluate(model, tinyBatches(2), failing)).rejects.toThrow('no memory')
    expect(model.generator).toBe(generator)
    expect(model.generator.getState()).toEqual(state)
  })

  it('changes nothing in the training', async () => {
    const [plain, watched] = [tinyModel(TINY_WITH_DROPOUT), tinyModel(TINY_WITH_DROPOUT)]
    await trainTiny(plain, tinyBatches(4), { steps: 4 })
    await trainTiny(watched, tinyBatches(4), { steps: 4, evaluate: { batches: tinyBatches(3), every: 1 } })
    expect(hashOf(watched)).toBe(hashOf(plain))
  })

  it('is an error without anything to score', async () => {
    const { inputIds, rows, length } = tinyBatches(1).at(0)
    const nothing = { rows, length, inputIds, labels: inputIds.slice().fill(IGNORE_INDEX) }
    await expect(evaluate(tinyModel(), sourceOf([nothing]), languageModeling())).rejects.toThrow(
      'evaluation: expected supervised tokens, got 0 in 1 batches',
    )
  })

  /** An objective whose evaluation metric `score` goes through the given values; training is as usual. */
  function scripted(values: readonly number[]): Objective {
    const usual = languageModeling()
    let next = 0
    return {
      ...usual,
      forward: (model, batch) => {
        const result = usual.forward(model, batch)
        const isEvaluation = model.generator === null
        const score = isEvaluation ? values[next++]! * usual.weight(batch) : 0
        return { ...result, metrics: { score: ops.full([], score, 'f32') } }
      },
    }
  }

  const watch = async (values: readonly number[], options: object): Promise<string> => {
    const evaluation = { batches: tinyBatches(1), every: 1, metric: 'score', ...options }
    const events = await trainTiny(
      tinyModel(),
      tinyBatches(2),
      { steps: values.length, evaluate: evaluation },
      scripted(values),
    )
    const best = ofType(events, 'evaluation-done').flatMap(({ step, isBest }) => (isBest ? [step] : []))
    const [end] = ofType(events, 'run-end')
    return `best at ${best}; ${end!.reason} at ${end!.step}`
  }

  it.each([
    ['falls', [3, 2, 4, 1], {}, 'best at 1,2,4; finished at 4'],
    ['rises', [3, 2, 4, 1], { greaterIsBetter: true }, 'best at 1,3; finished at 4'],
    ['is the same again', [2, 2, 2], {}, 'best at 1; finished at 3'],
    ['is not a number at first', [Number.NaN, 3, 2], {}, 'best at 2,3; finished at 3'],
    ['becomes infinite', [3, Number.NEGATIVE_INFINITY, 2], {}, 'best at 1,3; finished at 3'],
    ['stops falling', [3, 2, 4, 3, 1], { patience: 2 }, 'best at 1,2; early-stopping at 4'],
    ['only stays what it is', [2, 2, 2, 1], { patience: 2 }, 'best at 1; early-stopping at 3'],
    ['gains just the threshold', [4, 3.5, 3, 1], { patience: 2, threshold: 0.5 }, 'best at 1,2,3; early-stopping at 3'],
    ['falls again in time', [3, 2, 4, 1, 5], { patience: 2 }, 'best at 1,2,4; finished at 5'],
    ['falls too little', [3, 2.9, 2.8, 1], { patience: 2, threshold: 0.5 }, 'best at 1,2,3; early-stopping at 3'],
  ])('knows the best step when the metric %s', async (_, values, options, expected) => {
    expect(await watch(values, options)).toBe(expected)
  })

  it('saves the best when asked, also between the usual checkpoints', async () => {
    const saved: number[] = []
    const write = async ({ step, best }: RunState): Promise<string> => {
      saved.push(step)
      expect(best!.step).toBeLessThanOrEqual(step)
      return ''
    }
    const values = [3, 4, 2, 5, 6, 7, 8, 9]
    const evaluation = { batches: tinyBatches(1), every: 1, metric: 'score', saveBest: true }
    const options = { steps: 8, evaluate: evaluation, save: { every: 4, write } }
    await trainTiny(tinyModel(), tinyBatches(2), options, scripted(values))
    expect(saved).toEqual([1, 3, 4, 8])
  })

  it('names the metrics there are when asked for another', async () => {
    const evaluation = { batches: tinyBatches(1), every: 1, metric: 'eval_bleu' }
    await expect(trainTiny(tinyModel(), tinyBatches(1), { steps: 1, evaluate: evaluation })).rejects.toThrow(
      'metric_for_best_model: expected one of eval_loss, eval_mean_token_accuracy, eval_runtime, eval_steps_per_second, got eval_bleu',
    )
  })
})
