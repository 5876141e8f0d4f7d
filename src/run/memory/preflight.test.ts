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

function fly(
  train: BatchSource,
  evaluation?: BatchSource,
  objective: Objective = languageModeling(),
  more: { config?: TrainConfig; available?: number } = {},
): Promise<void> {
  const run = { config, model, train, evaluation, objective, bf16: false, available: undefined, ...more }
  return preflight(run, {
    tell: (event) => {
      if (event.type === 'memory' || event.type === 'notice') notes.push(event.message)
      if (event.type === 'progress') notes.push(`${event.label} ${event.done}/${event.total}`)
    },
  })
}

describe('preflight', () => {
  it('says the memory by component, and only then tries', async () => {
    const usual = languageModeling()
    let atTrial: string[] = []
    const objective: Objective = {
      ...usual,
      forward: (decoder, batch) => {
        atTrial = [...notes]
        return usual.forward(decoder, batch)
      },
    }
    const flight = fly(tinyBatches(3), undefined, objective)
    expect(atTrial).toEqual([]) // readers of the events have their turn first
    await flight
    const memory = /^memory: about \S+ .?B: weights .*, gradients .*, optimizer .*, activations .*, logits /
    expect(atTrial).toEqual([expect.stringMatching(memory), 'trying the longest batch 0/1'])
    expect(notes.slice(2)).toEqual(['trying the longest batch 1/1'])
  })

  it('counts the rows that there are where a batch asks for more, and says so', async () => {
    const train = tinyBatches(1, { rows: 3 })
    await fly(train, undefined, languageModeling(), { config: { ...config, per_device_train_batch_size: 3 } })
    const [memory] = notes
    notes = []
    await fly(train, undefined, languageModeling(), { config: { ...config, per_device_train_batch_size: 1_000_000 } })
    expect(notes.slice(0, 2)).toEqual([
      'per_device_train_batch_size is 1,000,000, and the data has 3 rows: each batch is all of it',
      memory,
    ])
  })

  it('says what is needed beside the weights where that is more than there is', async () => {
    await fly(tinyBatches(3), undefined, languageModeling(), { available: 1e12 })
    expect(notes.filter((note) => note.startsWith('the run needs'))).toEqual([])
    await fly(tinyBatches(3), undefined, languageModeling(), { available: 1000 })
    expect(notes.filter((note) => note.startsWith('the run needs'))).toEqual([
      expect.stringMatching(
        /^the run needs about \S+ kB beside the weights, and 1,000 B are available: it may be ended by the system\. \S+.* frees about /,
      ),
    ])
  })

  it('leaves no trace: weights, gradients, random numbers and tensors are as before, and so is the run', async () => {
    const [hash, tensors] = [hashOf(model), memoryStats().liveTensors]
    await fly(tinyBatches(5), tinyBatches(2))
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

  it('tries the longest batch of an epoch with a backward pass, and the longest evaluation batch without', async () => {
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
    await fly(sourceOf([batch(5), batch(9), batch(7)]), sourceOf([batch(3), batch(4)]), objective)
    expect(tried).toEqual([
      [9, true],
      [4, false],
    ])
  })

  it('says which key frees how much when memory runs out', async () => {
    const usual = languageModeling()
    const objective: Objective = {
      ...usual,
      forward: () => {
        throw new OutOfMemoryError('out of memory in a test')
      },
    }
    await expect(fly(tinyBatches(2), undefined, objective)).rejects.toThrow(
      /^out of memory in a test\. For this run: \S+.* frees about .*per_device_train_batch_size: 1 with gradient_accumulation_steps: 2 frees about/,
    )
    expect(model.generator).toBe(null)
  })
})
