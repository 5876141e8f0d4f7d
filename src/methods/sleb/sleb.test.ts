import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomBatches, randomDecoder } from '../../../test/random-decoder.ts'
import { NonFiniteError, UnsupportedError, UsageError } from '../../errors.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder } from '../../model/decoder.ts'
import type { CellStore } from '../../probe/probe.ts'
import { memoryStats, noGrad, ops, scope } from '../../torch/index.ts'
import { decoderInput, languageModeling } from '../../train/objective.ts'
import type { Tell } from '../../work.ts'
import { eliminate } from './eliminate.ts'
import { sleb } from './sleb.ts'
import type { Unit } from './unit.ts'

const batches = randomBatches(7, 4)
const namesOf = (units: readonly Unit[]): string[] => units.map(({ name }) => name)

/** Nats per token of a model, by the objective that trains it. */
function lossOf(model: Decoder): number {
  const sum = batches.reduce(
    (total, batch) => total + noGrad(() => scope(() => languageModeling().forward(model, batch).loss.item())),
    0,
  )
  return sum / (batches.length * 11)
}

/** Copies of a model, so that one of them can lose its blocks. */
const copies = (seed: number, more: Record<string, unknown> = {}): Decoder => randomDecoder(seed, more)

const block = (index: number): Unit => ({ name: `block ${index}`, block: index, kinds: ['attention', 'mlp'] })

describe('sleb', () => {
  it('removes nothing when asked for nothing', async () => {
    const model = copies(1)
    const result = await sleb(model, batches, { remove: 0 })
    expect(result).toMatchObject({ removed: [], steps: [], measured: 0, full: 0 })
    expect(result.after).toBe(result.before)
    expect(result.before).toBeCloseTo(lossOf(model), 10)
    const same = eliminate(model, [])
    expect(lossOf(same)).toBe(result.before)
  })

  it('goes by the loss of the model that is left, step by step, and keeps the first and the last block', async () => {
    const result = await sleb(copies(2), batches, { remove: 2, racing: false })
    // By hand: every model with one block less, then every model with that one and another less.
    const first = [1, 2, 3].map((index) => lossOf(eliminate(copies(2), [block(index)])))
    const one = 1 + first.indexOf(Math.min(...first))
    const rest = [1, 2, 3].filter((index) => index !== one)
    const second = rest.map((index) => lossOf(eliminate(copies(2), [block(one), block(index)])))
    const two = rest[second.indexOf(Math.min(...second))]!
    expect(namesOf(result.removed)).toEqual([`block ${one}`, `block ${two}`])
    expect(result.steps[0]!.candidates.map(({ score }) => score)).toEqual(first)
    expect(result.steps[1]!.candidates.map(({ score }) => score)).toEqual(second)
    expect(result.after).toBe(Math.min(...second))
    expect(result.full).toBe(4 * (3 + 2))
  })

  it('gives the same answer with and without racing and reuse, on any model', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.nat(10_000),
          remove: fc.integer({ min: 0, max: 4 }),
          granularity: fc.constantFrom('block' as const, 'sublayer' as const),
          metric: fc.constantFrom('ce' as const, 'kl' as const),
          refine: fc.constantFrom('none' as const, 'swap' as const),
        }),
        async ({ seed, ...options }) => {
          const model = copies(seed, { num_hidden_layers: 6 })
          const raced = await sleb(model, batches, options)
          const whole = await sleb(model, batches, { ...options, racing: false }, { reuse: false })
          expect(namesOf(raced.removed)).toEqual(namesOf(whole.removed))
          expect([raced.before, raced.after]).toEqual([whole.before, whole.after])
          expect(raced.steps.map(({ loss }) => loss)).toEqual(whole.steps.map(({ loss }) => loss))
          expect(whole.measured).toBe(whole.full)
          expect(raced.full).toBe(whole.full)
          expect(raced.measured).toBeLessThanOrEqual(raced.full)
          model.free()
        },
      ),
      { numRuns: process.env.ANNEAL_LONG ? 500 : 12 },
    )
  })

  it('measures less where candidates race', async () => {
    let [measured, full] = [0, 0]
    for (const seed of [1, 2, 3, 4]) {
      const result = await sleb(copies(seed, { num_hidden_layers: 6 }), batches, { remove: 3, metric: 'kl' })
      measured += result.measured
      full += result.full
    }
    expect(measured).toBeLessThan(0.9 * full)
  })

  it('judges units alone when they go at once', async () => {
    const { removed, steps, after } = await sleb(copies(2), batches, { remove: 2, search: 'one-shot' })
    const alone = [1, 2, 3].map((index) => lossOf(eliminate(copies(2), [block(index)])))
    const order = [1, 2, 3].sort((a, b) => alone[a - 1]! - alone[b - 1]!)
    expect(namesOf(removed)).toEqual(order.slice(0, 2).map((index) => `block ${index}`))
    expect(steps[0]!.candidates.map(({ score }) => score)).toEqual(alone)
    expect(after).toBe(lossOf(eliminate(copies(2), removed)))
  })

  it('measures how far a block, or a branch, turns the residual stream', async () => {
    const model = copies(3)
    const { steps } = await sleb(model, batches, { remove: 1, search: 'cosine' })
    // 1 − cos over all tokens of all batches, from the states between blocks.
    const expected = [1, 2, 3].map((index) => {
      let sum = 0
      for (const batch of batches)
        scope(() => {
          const { states, call } = model.enter(decoderInput(batch, model.device))
          const x = model.runBlocks(states, call, 0, index)
          const y = model.runBlocks(x, call, index, index + 1)
          for (let t = 0; t < 12; t++) {
            const [a, b] = [x.select(1, t).toArray(), y.select(1, t).toArray()]
            const dot = (u: number[], v: number[]): number => u.reduce((total, value, i) => total + value * v[i]!, 0)
            sum += 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
          }
        })
      return sum / (4 * 12)
    })
    for (const [i, { score }] of steps[0]!.candidates.entries()) expect(score).toBeCloseTo(expected[i]!, 5)
    expect(steps[0]!.removed[0]!.block).toBe(1 + expected.indexOf(Math.min(...expected)))
    const apart = await sleb(model, batches, { remove: 2, search: 'cosine', granularity: 'sublayer' })
    expect(apart.steps[0]!.candidates.map(({ unit }) => unit.name)).toEqual(
      [1, 2, 3].flatMap((index) => [`attention ${index}`, `mlp ${index}`]),
    )
    for (const { score } of apart.steps[0]!.candidates) expect(score).toBeGreaterThan(0)
    // A branch whose weights are 0 turns nothing.
    ops.zero_([...model.model.layers[2]!.mlp!.down_proj.parameters()][0]![1])
    const zeroed = await sleb(model, batches, { remove: 1, search: 'cosine', granularity: 'sublayer' })
    expect(namesOf(zeroed.removed)).toEqual(['mlp 2'])
  })

  it('takes attention and MLP apart', async () => {
    const { removed, after } = await sleb(copies(4), batches, { remove: 3, granularity: 'sublayer' })
    expect(removed).toHaveLength(3)
    const smaller = eliminate(copies(4), removed)
    expect(lossOf(smaller)).toBe(after)
    const branches = smaller.config.layers.flatMap(({ attention, mlp }) => [attention, mlp])
    expect(branches.filter((branch) => branch !== null)).toHaveLength(10 - 3)
  })

  it('refines by swaps that never raise the loss, until none lowers it', async () => {
    let swaps = 0
    for (const seed of [16, 20, 21]) {
      const seven = (): Decoder => copies(seed, { num_hidden_layers: 7 })
      const plain = await sleb(seven(), batches, { remove: 4, granularity: 'sublayer' })
      const refined = await sleb(seven(), batches, { remove: 4, granularity: 'sublayer', refine: 'swap' })
      const losses = refined.steps.slice(4).map(({ loss }) => loss)
      for (const [i, loss] of losses.entries()) expect(loss).toBeLessThan(losses[i - 1] ?? plain.after)
      swaps += losses.length
      expect(refined.after).toBe(losses.at(-1))
      expect(refined.after).toBe(lossOf(eliminate(seven(), refined.removed)))
    }
    expect(swaps).toBeGreaterThan(0)
  })

  it('can protect other blocks, and goes by the divergence', async () => {
    const open = await sleb(copies(5), batches, { remove: 4, protectFirst: 0, protectLast: 0, metric: 'kl' })
    expect(new Set(namesOf(open.removed)).size).toBe(4)
    const closed = await sleb(copies(5), batches, { remove: 1, protectFirst: 2, protectLast: 2, metric: 'kl' })
    expect(namesOf(closed.removed)).toEqual(['block 2'])
    expect(closed.steps[0]!.loss).toBeGreaterThan(0)
    expect(closed.after).toBe(lossOf(eliminate(copies(5), [block(2)])))
  })

  it('leaves the model as it was, and goes on from the cells of an earlier search', async () => {
    const model = copies(6)
    const loss = lossOf(model)
    const live = memoryStats().liveTensors
    const cells = new Map<string, number[]>()
    let written = 0
    const store: CellStore = {
      get: (key) => cells.get(key),
      append: (key, numbers) => {
        cells.set(key, numbers)
        if (++written === 15) throw new Error('power cut')
      },
    }
    await expect(sleb(model, batches, { remove: 2 }, { cells: store })).rejects.toThrow('power cut')
    expect(
      model.model.layers.flatMap(({ attention, feedForward }) => [...attention.rules, ...feedForward.rules]),
    ).toEqual([])
    const resumed = await sleb(model, batches, { remove: 2 }, { cells: store })
    const plain = await sleb(model, batches, { remove: 2 })
    expect(resumed).toEqual(plain)
    expect(written).toBe(cells.size)
    expect(lossOf(model)).toBe(loss)
    expect(memoryStats().liveTensors).toBe(live)
  })

  it.each(['greedy', 'one-shot', 'cosine'] as const)(
    'tells what it does, and is stopped between batches with its cells kept (%s)',
    async (search) => {
      const model = copies(6)
      const cells = new Map<string, number[]>()
      const store: CellStore = { get: (key) => cells.get(key), append: (key, numbers) => void cells.set(key, numbers) }
      const controller = new AbortController()
      let last = 0
      const tell: Tell = (event) => {
        if (event.type === 'progress' && event.done === 6) controller.abort(new Error('enough'))
      }
      const options = { remove: 2, search }
      const { signal } = controller
      await expect(sleb(model, batches, options, { cells: store, tell, signal })).rejects.toThrow('enough')
      const kept = cells.size
      expect(kept).toBeGreaterThan(4)
      expect(
        model.model.layers.flatMap(({ attention, feedForward }) => [...attention.rules, ...feedForward.rules]),
      ).toEqual([])
      const rows: unknown[] = []
      const listen: Tell = (event) => {
        if (event.type === 'progress') {
          expect(event.done).toBeGreaterThanOrEqual(last)
          last = event.done
        } else rows.push(event)
      }
      const resumed = await sleb(model, batches, options, { cells: store, tell: listen })
      expect(resumed).toEqual(await sleb(model, batches, options))
      expect(rows).toEqual(
        resumed.steps.map(({ removed, loss }) => ({
          type: 'row',
          table: 'steps',
          row: { removed: namesOf(removed).join(', '), returned: '', metric: 'ce', loss },
        })),
      )
      expect(resumed).toMatchObject({ pass: 'sleb', report: { removed: namesOf(resumed.removed), blocks_before: 5 } })
      model.free()
    },
  )

  it('refuses what cannot be done before it measures anything', async () => {
    const model = copies(1)
    for (const [options, message] of [
      [{ remove: 4 }, /^remove: expected at most the 3 blocks that are not protected, got 4\. The model has 5 blocks/],
      [{ remove: 7, granularity: 'sublayer' }, /at most the 6 sub-layers/],
      [{ remove: 5, protectFirst: 0, protectLast: 0 }, /expected something to stay, got all 5 blocks/],
      [{ remove: 1, protectFirst: 3, protectLast: 3 }, /at most the 0 blocks/],
      [{ remove: 1.5 }, /^remove: expected an integer ≥ 0, got 1.5/],
      [{ remove: -1 }, /got -1/],
    ] as const) {
      await expect(sleb(model, batches, options)).rejects.toThrow(UsageError)
      await expect(sleb(model, batches, options)).rejects.toThrow(message)
    }
    const gpt2 = { model_type: 'gpt2', n_embd: 16, n_layer: 4, n_head: 2, n_positions: 64, vocab_size: 261 }
    const config = readModelConfig({ ...gpt2, scale_attn_by_inverse_layer_idx: true }, 'config.json')
    const scaled = Decoder.fresh(config, { seed: 1 })
    await expect(sleb(scaled, batches, { remove: 1 })).rejects.toThrow(UnsupportedError)
    await expect(sleb(scaled, batches, { remove: 1 })).rejects.toThrow(/layers do not depend on their number/)
  })

  it('refuses a model that gives no finite loss', async () => {
    const model = copies(1)
    ops.mulScalar_([...model.parameters()][0]![1], Number.NaN)
    await expect(sleb(model, batches, { remove: 1 })).rejects.toThrow(NonFiniteError)
  })
})
