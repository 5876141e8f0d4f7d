import { describe, expect, it } from 'vitest'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import type { Decoder } from '../../model/decoder.ts'
import { Branch, type BranchRule } from '../../nn/branch.ts'
import { branchFlops } from '../../probe/flops.ts'
import { Generator, gradients, memoryStats, scope, Tensor } from '../../torch/index.ts'
import { languageModeling } from '../../train/objective.ts'
import { BranchGates } from './branch-gates.ts'
import { gradientCosine } from './gradient-cosine.ts'
import { measureSensitivities } from './sensitivity.ts'

const fixture = new URL('../../../test/fixtures/models/llama', import.meta.url).pathname
const inputIds = Int32Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % 320)
const batch = { rows: 2, length: 12, inputIds, labels: inputIds }

function llama(): { model: Decoder; parameters: Tensor[]; gates: BranchGates; loss: () => Tensor } {
  const model = loadDecoder(fixture)
  const parameters = Array.from(model.parameters(), ([, parameter]) => parameter)
  for (const parameter of parameters) parameter.requiresGrad = true
  const gates = new BranchGates(model, branchFlops(model.config, 12))
  return { model, parameters, gates, loss: () => languageModeling().forward(model, batch).loss }
}

/** y = (1 + b)(1 + a) x at x = 1, a = 0.5, b = −0.25: two branches with one parameter each. */
function chain(): { parameters: Tensor[]; gates: BranchGates; loss: () => Tensor } {
  const [a, b] = [Tensor.from([0.5]), Tensor.from([-0.25])]
  for (const parameter of [a, b]) parameter.requiresGrad = true
  const layer = { attention: new Branch('attention'), feedForward: new Branch('mlp') }
  const gates = new BranchGates({ model: { layers: [layer] } } as unknown as Decoder, [
    { block: 0, kind: 'attention' },
    { block: 0, kind: 'mlp' },
  ])
  const loss = (): Tensor =>
    layer.feedForward
      .add(
        layer.attention.add(Tensor.from([1]), (x) => x.mul(a)),
        (x) => x.mul(b),
      )
      .sum()
  return { parameters: [a, b], gates, loss }
}

describe('measureSensitivities', () => {
  it('is (1 + b)² and (1 + a)² + b² on the chain y = (1 + b)(1 + a) x', () => {
    // dy/da = 1 + b, dy/db = 1 + a. Without branch a: 0 and 1 + a. Without branch b: 1 and 0.
    const { parameters, gates, loss } = chain()
    for (const kind of ['gradient-norm', 'gradient'] as const) {
      const found = measureSensitivities({ gates, branches: 2, parameters, generator: null, loss, kind })
      expect([...found]).toEqual([0.75 ** 2, 1.5 ** 2 + 0.25 ** 2])
    }
  })

  it('agrees with gradients of a model whose branch is detached, with and without checkpointing', () => {
    const { model, parameters, gates, loss } = llama()
    const count = 6
    const numbers = (rule?: { branch: Branch; cut: BranchRule }): number[][] =>
      scope(() => {
        rule?.branch.rules.push(rule.cut)
        const found = gradients([loss()], parameters).map(
          (g, k) => g?.toArray() ?? new Array(parameters[k]!.numel).fill(0),
        )
        rule?.branch.rules.pop()
        return found
      })
    const whole = numbers()
    const norm = (values: number[]): number => Math.hypot(...values)
    const expected = model.model.layers.flatMap((layer) =>
      [layer.attention, layer.feedForward].map((branch) => {
        const partial = numbers({ branch, cut: (x, next) => next(x)!.detach() })
        return {
          'gradient-norm': whole.reduce((sum, g, k) => sum + (norm(g) - norm(partial[k]!)) ** 2, 0),
          gradient: whole.reduce((sum, g, k) => sum + norm(g.map((value, i) => value - partial[k]![i]!)) ** 2, 0),
        }
      }),
    )
    for (const checkpointing of [false, true]) {
      model.gradientCheckpointing = checkpointing
      for (const kind of ['gradient-norm', 'gradient'] as const) {
        const found = measureSensitivities({ gates, branches: count, parameters, generator: null, loss, kind })
        for (const [i, value] of found.entries()) expect(value / expected[i]![kind]).toBeCloseTo(1, 4)
      }
    }
    model.free()
  })

  it('leaves gradients, random numbers and memory as they were', () => {
    const { model, parameters, gates, loss } = llama()
    model.generator = new Generator(5)
    const state = model.generator.getState()
    parameters[0]!.grad = parameters[0]!.detach()
    const generator = model.generator
    scope(() => void loss()) // fills the model's rotary tables
    generator.setState(state)
    const before = memoryStats()
    measureSensitivities({ gates, branches: 6, parameters, generator, loss, kind: 'gradient' })
    expect(memoryStats().liveTensors).toBe(before.liveTensors)
    expect(memoryStats().liveBytes).toBe(before.liveBytes)
    expect(generator.getState()).toEqual(state)
    expect(scope(() => parameters.map(({ grad }) => grad !== null))).toEqual(parameters.map((_, k) => k === 0))
    parameters[0]!.grad = null
    model.free()
  })
})

describe('gradientCosine', () => {
  it('is 1 under open gates, and by hand on the chain y = (1 + b)(1 + a) x', () => {
    const { parameters, gates, loss } = chain()
    const probe = { gates, parameters, generator: null, loss }
    const open = { dropped: Uint8Array.from([0, 0]), gains: null }
    const noA = { dropped: Uint8Array.from([1, 0]), gains: null }
    const noB = { dropped: Uint8Array.from([0, 1]), gains: null }
    const same = gradientCosine({ ...probe, masks: [open, open] })
    expect([same.single, same.averaged]).toEqual([expect.closeTo(1, 6), expect.closeTo(1, 6)])
    // Whole (0.75, 1.5); without a (–, 1.5); without b (1, –): each alone points the right way, their mean (0.5, 0.75) does not.
    const { single, averaged } = gradientCosine({ ...probe, masks: [noA, noB] })
    expect(single).toBeCloseTo(1, 6)
    expect(averaged).toBeCloseTo((0.5 * 0.75 + 0.75 * 1.5) / Math.hypot(0.5, 0.75) / Math.hypot(0.75, 1.5), 6)
  })
})
