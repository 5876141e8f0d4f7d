import { describe, expect, it } from 'vitest'
import { randomBatches, randomDecoder } from '../../test/random-decoder.ts'
import type { BranchRule } from '../nn/branch.ts'
import { Generator, memoryStats, noGrad, scope } from '../torch/index.ts'
import { decoderInput, languageModeling } from '../train/objective.ts'
import { gradientNorms, probeGradients } from './gradients.ts'
import { type Intervention, unchanged, withoutBlock, withoutBranches } from './intervention.ts'
import { crossEntropyMetric, divergenceMetric, gradientNormMetric, type Metric } from './metric.ts'
import { type CellStore, probeTable } from './probe.ts'

const batches = randomBatches(1, 3, 10, 2)
const attention = (block: number): Intervention => withoutBranches(`attention ${block}`, [{ block, kind: 'attention' }])
const interventions = [withoutBlock(3), attention(1), unchanged, withoutBlock(0), withoutBlock(4), attention(3)]

describe('probeTable', () => {
  const model = randomDecoder(1)
  const lossOf = (index: number): number =>
    noGrad(() => scope(() => languageModeling().forward(model, batches[index]!).loss.item()))

  it('measures each intervention as if it were alone, bit for bit, with and without reuse', async () => {
    const metric = crossEntropyMetric(model)
    const table = await probeTable({ model, batches, metric }, interventions)
    expect(await probeTable({ model, batches, metric, reuse: false }, interventions)).toEqual(table)
    for (const [i, intervention] of interventions.entries()) {
      for (const index of batches.keys()) {
        const undo = intervention.apply(model)
        expect(table[i]![index]).toEqual([lossOf(index)])
        undo()
      }
    }
    expect(new Set(table.map((row) => row[0]![0])).size).toBe(interventions.length)
  })

  it('runs only the blocks that an intervention can change', async () => {
    let runs = 0
    const counting: BranchRule = (x, next) => {
      runs++
      return next(x)
    }
    for (const block of model.model.layers) block.feedForward.rules.push(counting)
    const metric = crossEntropyMetric(model)
    await probeTable({ model, batches: batches.slice(0, 1), metric }, [withoutBlock(1), withoutBlock(3)])
    // Prefixes: blocks 0, 1, 2 once. Behind the candidates: 2, 3, 4 and 4; what is left out is not run.
    expect(runs).toBe(3 + 3 + 1)
    for (const block of model.model.layers) block.feedForward.rules.pop()
  })

  it('leaves rules, random numbers and tensors as they were, also after an error', async () => {
    const dropping = randomDecoder(2, { attention_dropout: 0.3 })
    dropping.generator = new Generator(5, dropping.device)
    const state = dropping.generator.getState()
    const metric = crossEntropyMetric(dropping)
    const table = await probeTable({ model: dropping, batches, metric }, interventions)
    const before = memoryStats().liveTensors // with the model's rotary tables
    expect(await probeTable({ model: dropping, batches, metric }, interventions)).toEqual(table)
    const failing: Metric = { name: 'failing', measure: (hidden) => [hidden().item()] }
    await expect(probeTable({ model: dropping, batches, metric: failing }, interventions)).rejects.toThrow()
    expect(dropping.generator.getState()).toEqual(state)
    expect(memoryStats().liveTensors).toBe(before)
    const rules = dropping.model.layers.flatMap((block) => [...block.attention.rules, ...block.feedForward.rules])
    expect(rules).toEqual([])
  })

  it('measures nothing that its store has', async () => {
    const cells = new Map<string, number[]>()
    const store: CellStore = { get: (key) => cells.get(key), append: (key, numbers) => void cells.set(key, numbers) }
    const table = await probeTable({ model, batches, metric: crossEntropyMetric(model), cells: store }, interventions)
    expect([...cells.keys()].slice(0, 2)).toEqual(['/unchanged/0', '/block 0/0'])
    cells.delete('/block 3/1')
    let count = 0
    const counting: Metric = { name: 'counting', measure: (hidden) => [hidden().numel, ++count] }
    const again = await probeTable({ model, batches, metric: counting, cells: store }, interventions)
    expect(count).toBe(1)
    expect(again[0]![1]).toEqual([2 * 10 * 16, 1])
    expect(again.slice(1)).toEqual(table.slice(1))
  })
})

describe('metrics', () => {
  const model = randomDecoder(3)

  it('diverge from the model as it was, position by position', async () => {
    const metric = divergenceMetric(model, batches)
    const table = await probeTable({ model, batches, metric }, [unchanged, withoutBlock(2)])
    expect(table[0]).toEqual([[0], [0], [0]])
    const logProbs = (): number[][] => {
      const logits = noGrad(() =>
        scope(() => model.forward(decoderInput(batches[1]!, model.device)).logSoftmax().view(-1, 261)),
      )
      return Array.from({ length: 20 }, (_, i) => logits.select(0, i).toArray())
    }
    const p = logProbs()
    const undo = withoutBlock(2).apply(model)
    const q = logProbs()
    undo()
    let expected = 0
    for (const i of p.keys()) {
      if (i % 10 === 9) continue // the last token of a row predicts nothing
      for (const v of p[i]!.keys()) expected += Math.exp(p[i]![v]!) * (p[i]![v]! - q[i]![v]!)
    }
    expect(table[1]![1]![0]).toBeCloseTo(expected, 3)
    metric.free!()
  })

  it('give the norms of gradients without a branch', async () => {
    const parameters = [...model.parameters()].map(([, parameter]) => parameter)
    for (const parameter of parameters) parameter.requiresGrad = true
    const loss = (batch: (typeof batches)[0]) => languageModeling().forward(model, batch).loss
    const [row] = await probeTable({ model, batches, metric: gradientNormMetric(parameters, null, loss) }, [
      attention(1),
    ])
    const undo = attention(1).apply(model)
    const direct = scope(() => gradientNorms(probeGradients(parameters, null, () => loss(batches[2]!))))
    undo()
    expect(row![2]).toEqual(direct)
    expect(direct.filter((norm) => norm === 0)).toHaveLength(5) // norm and four projections of that attention
    expect(parameters.every(({ grad }) => grad === null)).toBe(true)
  })
})
