// Packing changes nothing but the speed: the loss and the gradients of packed rows are those of the samples one by one.
import { expect, it } from 'vitest'
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import type { BatchSource } from '../../src/data/batch.ts'
import { batches } from '../../src/data/batches.ts'
import { packSamples } from '../../src/data/packing/pack-samples.ts'
import { SampleStore } from '../../src/data/tuning/sample-store.ts'
import { supervisedTokens } from '../../src/data/tuning/supervised.ts'
import { backward, scope } from '../../src/torch/index.ts'
import { languageModeling } from '../../src/train/objective.ts'

it('packed samples have the loss and gradients of unpacked ones', () => {
  const model = loadDecoder(new URL('../fixtures/models/llama', import.meta.url).pathname)
  const store = new SampleStore()
  let state = 5
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state % below
  }
  for (let i = 0; i < 14; i++) {
    const ids = Int32Array.from({ length: 2 + random(30) }, () => random(model.config.vocabSize))
    const labels = ids.map((id, at) => (at > 0 && (at > 3 || at === ids.length - 1) ? id : -100))
    store.add({ ids, labels })
  }
  const packed = packSamples(store, 40)
  expect(packed.length).toBeLessThan(store.length)
  const norms = (source: BatchSource): { loss: number; weight: number; gradients: number[] } => {
    const objective = languageModeling()
    let [loss, weight] = [0, 0]
    for (const [, parameter] of model.parameters()) {
      parameter.requiresGrad = true
      parameter.grad = null
    }
    for (let i = 0; i < source.batchesPerEpoch; i++) {
      const batch = source.at(i)
      weight += objective.weight(batch)
      scope(() => {
        const result = objective.forward(model, batch)
        backward(result.loss)
        loss += result.loss.item()
      })
    }
    const gradients = Array.from(model.parameters(), ([, parameter]) => parameter.grad!.norm().item())
    return { loss: loss / weight, weight, gradients }
  }
  const plain = norms(batches(store, { batchSize: 1, shuffle: false }))
  const dense = norms(batches(packed, { batchSize: 2, shuffle: false }))
  expect(plain.weight).toBe(
    Array.from({ length: store.length }, (_, i) => supervisedTokens(store.get(i))).reduce((a, b) => a + b),
  )
  expect(dense.weight).toBe(plain.weight)
  expect(dense.loss).toBeAllclose(plain.loss, { absolute: 1e-5, relative: 0 })
  expect(dense.gradients).toBeAllclose(plain.gradients, { absolute: 1e-5, relative: 1e-4 })
  model.free()
})
