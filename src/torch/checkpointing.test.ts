import { afterEach, describe, expect, it } from 'vitest'
import { dropout } from '../nn/dropout.ts'
import { autocast, autocastDtype } from './autocast.ts'
import { checkpoint, dropSegments, isRecomputing } from './checkpointing.ts'
import {
  backward,
  Generator,
  isGradEnabled,
  memoryStats,
  noGrad,
  ops,
  resetPeakMemory,
  scope,
  type Tensor,
} from './index.ts'

const WIDTH = 8

const random = (shape: number[], seed: number): Tensor =>
  ops.normal_(ops.empty(shape, 'f32'), 0, 0.5, new Generator(seed))

interface Chain {
  weights: Tensor[]
  /** One block: x + tanh(x W). */
  block(index: number): (x: Tensor) => Tensor
}

function makeChain(length: number, frozen: readonly number[] = []): Chain {
  const weights = Array.from({ length }, (_, i) => random([WIDTH, WIDTH], i + 1))
  for (const [i, weight] of weights.entries()) weight.requiresGrad = !frozen.includes(i)
  return { weights, block: (i) => (x) => scope(() => x.add(x.matmul(weights[i]!).tanh())) }
}

type Wrap = (run: (x: Tensor) => Tensor, x: Tensor) => Tensor
const plain: Wrap = (run, x) => run(x)

/** Gradients of all weights and of the input after one pass through `chain`. */
function gradientsOf(
  chain: Chain,
  wrap: Wrap,
  input: { requiresGrad: boolean } = { requiresGrad: true },
): (number[] | undefined)[] {
  return scope(() => {
    const leaf = random([3, WIDTH], 50)
    leaf.requiresGrad = input.requiresGrad
    let x = leaf
    for (const i of chain.weights.keys()) x = wrap(chain.block(i), x)
    backward(x.pow(2).sum())
    const tensors = [leaf, ...chain.weights]
    const found = tensors.map((tensor) => tensor.grad?.toArray())
    for (const tensor of tensors) tensor.grad = null
    return found
  })
}

afterEach(dropSegments)

describe('checkpoint', () => {
  it('gives the gradients of plain backward, bit for bit', () => {
    for (const length of [1, 2, 5]) {
      const chain = makeChain(length)
      expect(gradientsOf(chain, checkpoint)).toEqual(gradientsOf(chain, plain))
    }
  })

  it('gives them when only some blocks are checkpointed', () => {
    const chain = makeChain(4)
    let index = 0
    const every =
      (period: number): Wrap =>
      (run, x) =>
        index++ % period === 0 ? checkpoint(run, x) : run(x)
    expect(gradientsOf(chain, every(2))).toEqual(gradientsOf(chain, plain))
    index = 1
    expect(gradientsOf(chain, every(3))).toEqual(gradientsOf(chain, plain))
  })

  it('leaves a frozen input and frozen blocks without gradient', () => {
    for (const frozen of [[0], [1], [0, 1, 2]]) {
      const chain = makeChain(3, frozen)
      const ours = gradientsOf(chain, checkpoint, { requiresGrad: false })
      expect(ours).toEqual(gradientsOf(chain, plain, { requiresGrad: false }))
      expect(ours[0]).toBe(undefined)
      for (const i of frozen) expect(ours[i + 1]).toBe(undefined)
    }
  })

  it('passes a gradient by a block that returns its input, and through one without gradient', () => {
    const chain = makeChain(3)
    const blocks = chain.block
    chain.block = (i) => (i === 1 ? (x) => x : blocks(i))
    expect(gradientsOf(chain, checkpoint)).toEqual(gradientsOf(chain, plain))
    chain.block = (i) => (i === 1 ? (x) => x.add(noGrad(() => blocks(i)(x))) : blocks(i))
    const ours = gradientsOf(chain, checkpoint)
    expect(ours).toEqual(gradientsOf(chain, plain))
    expect(ours[2]).toBe(undefined)
  })

  it('repeats dropout, and goes on drawing where the forward pass stopped', () => {
    const chain = makeChain(3)
    const run = (isCheckpointed: boolean): unknown => {
      const generator = new Generator(4)
      const blocks: Wrap = (block, x) => {
        const body = (h: Tensor): Tensor => scope(() => dropout(block(h), 0.5, generator))
        return isCheckpointed ? checkpoint(body, x, generator) : body(x)
      }
      return [gradientsOf(chain, blocks), [...generator.getState()]]
    }
    expect(run(true)).toEqual(run(false))
  })

  it('tells which run is the second', () => {
    const seen: [boolean, boolean][] = []
    const chain = makeChain(2)
    gradientsOf(chain, (run, x) =>
      checkpoint((h) => {
        seen.push([isRecomputing(), isGradEnabled()])
        return run(h)
      }, x),
    )
    expect(seen).toEqual([
      [false, false],
      [false, false],
      [true, true],
      [true, true],
    ])
    expect(isRecomputing()).toBe(false)
  })

  it('computes the second time in the same precision', () => {
    const seen: unknown[] = []
    const weight = random([WIDTH, WIDTH], 1)
    weight.requiresGrad = true
    const y = autocast('bf16', () =>
      checkpoint(
        (x) => {
          seen.push(autocastDtype())
          return x.matmul(weight)
        },
        random([2, WIDTH], 2),
      ),
    )
    backward(y.sum())
    expect(seen).toEqual(['bf16', 'bf16'])
    expect(autocastDtype()).toBe(null)
  })

  it('is just the function without gradient mode, and inside another checkpoint', () => {
    const chain = makeChain(2)
    const before = memoryStats().liveTensors
    noGrad(() => scope(() => void checkpoint(chain.block(0), random([1, WIDTH], 1))))
    expect(memoryStats().liveTensors).toBe(before)
    const nested: Wrap = (run, x) => checkpoint((h) => checkpoint(run, h), x)
    expect(gradientsOf(chain, nested)).toEqual(gradientsOf(chain, plain))
  })

  it('serves two losses, each with its own backward pass', () => {
    const chain = makeChain(2)
    const both = (wrap: Wrap): unknown =>
      scope(() => {
        const losses = [1, 2].map((seed) => {
          let x = random([2, WIDTH], seed)
          for (const i of [0, 1]) x = wrap(chain.block(i), x)
          return x.pow(2).sum()
        })
        for (const loss of losses) backward(loss)
        const found = chain.weights.map((weight) => weight.grad!.toArray())
        for (const weight of chain.weights) weight.grad = null
        return found
      })
    expect(both(checkpoint)).toEqual(both(plain))
  })

  it('serves an output that two places use', () => {
    const chain = makeChain(2)
    const run = (wrap: Wrap): unknown =>
      scope(() => {
        const first = wrap(chain.block(0), random([2, WIDTH], 1))
        const second = wrap(chain.block(1), first)
        backward(first.mul(second).sum())
        const found = chain.weights.map((weight) => weight.grad!)
        const numbers = found.map((gradient) => gradient.toArray())
        for (const weight of chain.weights) weight.grad = null
        return numbers.flat()
      })
    expect(run(checkpoint)).toBeAllclose(run(plain) as number[])
  })

  it('keeps less in memory', () => {
    const peakOf = (wrap: Wrap): number =>
      scope(() => {
        const weights = Array.from({ length: 8 }, (_, i) => random([64, 64], i))
        for (const weight of weights) weight.requiresGrad = true
        let x = random([512, 64], 1)
        const base = memoryStats().liveBytes
        resetPeakMemory()
        for (const weight of weights) {
          x = wrap(
            (input) => scope(() => Array.from({ length: 6 }).reduce<Tensor>((h) => h.matmul(weight).tanh(), input)),
            x,
          )
        }
        backward(x.sum())
        return memoryStats().peakBytes - base
      })
    // A block keeps six activations, a checkpoint one: 48 against 8 and the 6 of the block that is played back.
    expect(peakOf(checkpoint)).toBeLessThan(0.5 * peakOf(plain))
  })

  it('frees what it held after the backward pass, when dropped, and after an error', () => {
    const chain = makeChain(3)
    const before = memoryStats().liveTensors
    gradientsOf(chain, checkpoint)
    expect(memoryStats().liveTensors).toBe(before)

    scope(() => void checkpoint(chain.block(0), random([1, WIDTH], 1)))
    expect(memoryStats().liveTensors).toBe(before + 2)
    dropSegments()
    expect(memoryStats().liveTensors).toBe(before)

    const failing: Wrap = (run, x) =>
      checkpoint((h) => {
        if (isRecomputing()) throw new Error('second run')
        return run(h)
      }, x)
    expect(() => gradientsOf(chain, failing)).toThrow('second run')
    expect(memoryStats().liveTensors).toBe(before)
    expect([isRecomputing(), isGradEnabled()]).toEqual([false, true])
    for (const weight of chain.weights) weight.grad = null
    expect(gradientsOf(chain, checkpoint)).toEqual(gradientsOf(chain, plain))
  })
})
