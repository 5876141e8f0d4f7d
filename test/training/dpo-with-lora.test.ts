// Preference tuning of an adapter: the reference is the same model with the adapter off, so no second model is held.
import { expect, it } from 'vitest'
import type { Dataset } from '../../src/data/sample.ts'
import { type Pair, pairBatches } from '../../src/data/tuning/preferences.ts'
import { answerLogProbs, dpo, type Reference } from '../../src/methods/dpo/dpo.ts'
import { addLora, withoutAdapter } from '../../src/methods/lora/lora.ts'
import { train } from '../../src/train/train.ts'
import { eventsOf, ofType, tinyModel } from './tiny-model.ts'

const sample = (...ids: number[]): Pair['chosen'] => ({
  ids: Int32Array.from(ids),
  labels: Int32Array.from(ids, (id, i) => (i < 2 ? -100 : id)),
})
const pairs: Dataset<Pair> = {
  length: 8,
  get: (i) => ({ chosen: sample(i, i + 20, i + 40, 7), rejected: sample(i, i + 20, i + 60, i + 80, 9) }),
}

it.each([false, true])(
  'DPO trains an adapter against its own base (gradient checkpointing: %s)',
  async (checkpointing) => {
    const model = tinyModel()
    addLora(model, { r: 4 })
    model.gradientCheckpointing = checkpointing
    const frozen = [...model.parameters()].filter(([, parameter]) => !parameter.requiresGrad)
    const before = frozen.map(([, parameter]) => parameter.toArray())
    const reference: Reference = (asked, batch) => withoutAdapter(asked, () => answerLogProbs(asked, batch))
    const { events, error } = await eventsOf(
      train(model, pairBatches(pairs, { batchSize: 4 }), dpo({ reference, beta: 0.5 }), {
        steps: 20,
        learningRate: 5e-3,
      }),
    )
    expect(error).toBeUndefined()
    const steps = ofType(events, 'step-done').map(({ metrics }) => metrics)
    expect(steps[0]!.loss).toBeAllclose(Math.log(2), { absolute: 1e-6, relative: 0 })
    expect(steps[0]!['rewards/margins']).toBeAllclose(0)
    expect(steps.at(-1)!['rewards/margins']).toBeGreaterThan(0.2)
    expect(steps.at(-1)!['rewards/accuracies']).toBe(1)
    expect(frozen.map(([, parameter]) => parameter.toArray())).toEqual(before)
    model.free()
  },
)
