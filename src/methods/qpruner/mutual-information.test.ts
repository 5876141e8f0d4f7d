import { describe, expect, it } from 'vitest'
import { randomBatches } from '../../../test/random-batches.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { noGrad, scope } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import { equalWidthBins, frequentClasses, layerInformation, mutualInformation } from './mutual-information.ts'

describe('mutualInformation', () => {
  it('is the entropy of what is known for sure, and 0 for what is independent', () => {
    expect(mutualInformation([0, 1, 2, 3], [7, 5, 6, 4])).toBeCloseTo(Math.log(4), 12)
    expect(mutualInformation([0, 0, 1, 1], [0, 1, 0, 1])).toBeCloseTo(0, 12)
    expect(mutualInformation([3, 3, 3], [1, 2, 1])).toBe(0)
  })

  it('equals the sum by hand', () => {
    // p(0,0) = ½, p(1,0) = ¼, p(1,1) = ¼; p(x) = ½, ½; p(y) = ¾, ¼.
    const expected = 0.5 * Math.log(0.5 / (0.5 * 0.75)) + 0.25 * Math.log(0.25 / (0.5 * 0.75)) + 0.25 * Math.log(2)
    expect(mutualInformation([0, 0, 1, 1], [0, 0, 0, 1])).toBeCloseTo(expected, 12)
  })
})

describe('layerInformation', () => {
  it('is that of 16 bins of the mean output and of the 15 most frequent predictions beside the rest', async () => {
    const model = loadDecoder('test/fixtures/models/llama')
    const batches = randomBatches(model, 3)
    const pooled: number[][] = model.model.layers.map(() => [])
    const predicted: number[] = []
    for (const batch of batches)
      noGrad(() =>
        scope(() => {
          const { states, call } = model.enter(decoderInput(batch, 'cpu'))
          let x = states
          for (const [layer, values] of pooled.entries()) {
            x = model.runBlocks(x, call, layer, layer + 1)
            values.push(...x.mean(-1).view(-1).toArray())
          }
          predicted.push(...model.logits(model.model.norm.forward(x)).argmax(-1).view(-1).toArray())
        }),
      )
    // More than 16 different predictions, so that one class more or less shows.
    expect(new Set(predicted).size).toBeGreaterThan(20)
    const counts = new Map<number, number>()
    for (const id of predicted) counts.set(id, (counts.get(id) ?? 0) + 1)
    const kept = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 15)
    const classes = predicted.map((id) => kept.findIndex(([known]) => known === id))
    const expected = pooled.map((values) => {
      const [low, high] = [Math.min(...values), Math.max(...values)]
      const bins = values.map((value) => Math.min(15, Math.floor((16 * (value - low)) / (high - low))))
      return mutualInformation(bins, classes)
    })
    expect(await layerInformation(model, batches)).toBeAllclose(expected, { absolute: 1e-9 })
    model.free()
  })
})

describe('bins', () => {
  it('are equally wide from the least to the largest', () => {
    expect(equalWidthBins([0, 0.24, 0.26, 0.5, 1], 4)).toEqual([0, 0, 1, 2, 3])
    expect(equalWidthBins([5, 5], 4)).toEqual([0, 0])
  })

  it('keep the most frequent numbers apart', () => {
    expect(frequentClasses([9, 9, 9, 4, 4, 7, 2], 3)).toEqual([0, 0, 0, 1, 1, 2, 2])
  })
})
