import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  hashOf,
  sourceOf,
  TINY_WITH_DROPOUT,
  tinyBatches,
  tinyModel,
  trainTiny,
} from '../../../test/training/tiny-model.ts'
import { parseConfig } from '../../config/parse.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { Batch, BatchSource } from '../../data/batch.ts'
import { OutOfMemoryError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { memoryStats } from '../../torch/index.ts'
import { languageModeling, type Objective } from '../../train/objective.ts'
import { preflight } from './preflight.ts'

const text = `
stage: pretrain
model: {model_type: gpt2}
tokenizer_name_or_path: none
dataset: none
output_dir: none
max_length: 12
per_device_train_batch_size: 2
`
const config: TrainConfig = parseConfig(text, 'test.yaml', []).config

let model: Decoder
let notes: string[]
beforeEach(() => {
  model = tinyModel(TINY_WITH_DROPOUT)
  notes = []
})
afterEach(() => model.free())

function fly(train: BatchSource, evaluation?: BatchSource, objective: Objective = languageModeling()): void {
  preflight({ config, model, train, evaluation, objective, bf16: false }, (event) => {
    if (event.type === 'memory') notes.push(event.message)
  })
}

describe('preflight', () => {
  it('says the memory by component', () => {
    fly(tinyBatches(3))
    expect(notes).toEqual([
      expect.stringMatching(/^memory: about \S+ .?B: weights .*, gradients .*, optimizer .*, activations .*, logits /),
    ])
  })

  it('leaves no trace: weights, gradients, random numbers and tensors are as before, and so is the run', async () => {
    const [hash, tensors] = [hashOf(model), memoryStats().liveTensors]
    fly(tinyBatches(5), tinyBatches(2))
    expect(hashOf(model)).toBe(hash)
    expect([...model.parameters()].filter(([, { grad }]) => grad !== null)).toEqual([])
    expect(model.generator).toBe(null)
    expect(memoryStats().liveTensors).toBe(tensors)
    const other = tinyModel(TINY_WITH_DROPOUT)
    await trainTiny(model, tinyBatches(5), { steps: 4, seed: 3 })
    await trainTiny(other, tinyBatches(5), { steps: 4, seed: 3 })
    expect(hashOf(model)).toBe(hashOf(other))
    other.free()
  })

  it('tries the longest batch of an epoch with a backward pass, and the longest evaluation batch without', () => {
    const batch = (length: number): Batch => tinyBatches(1, { length }).at(0)
    const tried: [number, boolean][] = []
    const usual = languageModeling()
    const objective: Objective = {
      ...usual,
      forward: (decoder, batch) => {
        const result = usual.forward(decoder, batch)
        tried.push([batch.length, result.loss.requiresGrad])
        return result
      },
    }
    fly(sourceOf([batch(5), batch(9), batch(7)]), sourceOf([batch(3), batch(4)]), objective)
    expect(tried).toEqual([
      [9, true],
      [4, false],
    ])
  })

  it('says which key frees how much when memory runs out', () => {
    const usual = languageModeling()
    const objective: Objective = {
      ...usual,
      forward: () => {
        throw new OutOfMemoryError('out of memory in a test')
      },
    }
    expect(() => fly(tinyBatches(2), undefined, objective)).toThrow(
      /^out of memory in a test\. For this run: \S+.* frees about .*per_device_train_batch_size: 1 with gradient_accumulation_steps: 2 frees about/,
    )
    expect(model.generator).toBe(null)
  })
})
