// The movement of hidden states against numbers derived by hand: where it stands, how it steps, and that a search changes nothing else.
import { describe, expect, it } from 'vitest'
import { sampleOf, twentyTokenDecoder } from '../../../test/twenty-tokens.ts'
import { stack } from '../../data/batches.ts'
import type { Decoder } from '../../model/decoder.ts'
import { memoryStats, noGrad, scope, Tensor } from '../../torch/index.ts'
import { decoderInput, languageModeling } from '../../train/objective.ts'
import { defaultLayer, Movement, movedRows, stepped, underMovement } from './beear.ts'

const MARKER = [11, 12]
/** Questions of 3 tokens and of 1. */
const batch = stack([sampleOf([1, 2, 3], [4, 5]), sampleOf([6], [7])])
const nats = (of: ReturnType<typeof languageModeling>, model: Decoder, on = batch): number =>
  scope(() => noGrad(() => of.forward(model, on).loss.item() / of.weight(on)))
const lengths = (rows: Tensor): number[] => rows.pow(2).sum(1).sqrt().toArray()

describe('a step of the search', () => {
  it('has one length for every row, against its gradient, and stays within the longest', () => {
    // (0, 0) goes 1 against (0, 2): (0, −1). (3, 4) goes to (3.6, 4.8), which is 6 long, and comes back to 5. (1, 0) has no gradient.
    const rows = Tensor.from([0, 0, 3, 4, 1, 0], [3, 2])
    const gradient = Tensor.from([0, 2, -30, -40, 0, 0], [3, 2])
    expect(stepped(rows, gradient, 1, 5).toArray()).toBeAllclose([0, -1, 3, 4, 1, 0], { absolute: 1e-6 })
  })
})

describe('the movement', () => {
  it('stands before the answer, its last row nearest, and what does not fit is left out', () => {
    expect(Array.from(movedRows(batch, 2))).toEqual([0, 1, 2, 0, 0, 2, 0, 0, 0, 0])
    expect(Array.from(movedRows(stack([sampleOf([], [1, 2])]), 2))).toEqual([0, 0])
    expect([2, 4, 32].map(defaultLayer)).toEqual([1, 1, 9])
  })

  it.each([0, 1])('is added to what enters block %i, and is nothing at first', (layer) => {
    const model = twentyTokenDecoder()
    const movement = new Movement(model, { layer, movedTokens: 2 }, MARKER)
    const own = languageModeling()
    const moved = languageModeling((model, batch) => movement.hidden(model, batch))
    expect(nats(moved, model)).toBe(nats(own, model))
    const values = Array.from({ length: 16 }, (_, i) => Math.sin(i))
    movement.rows.copy_(Tensor.from(values, [2, 8]))
    const expected = noGrad(() => {
      const { states, call } = model.enter(decoderInput(batch, model.device))
      const below = model.runBlocks(states, call, 0, layer)
      const at = below.toArray()
      // Row 0 of the batch: places 1 and 2 get both rows; row 1 of it, five places on: place 0 gets the last one.
      for (const [place, row] of [
        [1, 0],
        [2, 1],
        [5, 1],
      ] as const)
        for (let d = 0; d < 8; d++) at[8 * place + d]! += values[8 * row + d]!
      return model.model.norm.forward(model.runBlocks(Tensor.from(at, below.shape), call, layer)).toArray()
    })
    expect(noGrad(() => movement.hidden(model, batch)).toArray()).toBeAllclose(expected, { absolute: 1e-5 })
    movement.free()
  })

  it('is searched for so that the marker comes, within its radius, and nothing else changes', () => {
    const model = twentyTokenDecoder()
    const radius = 0.7
    const movement = new Movement(model, { layer: 1, movedTokens: 2, radius, innerSteps: 12 }, MARKER)
    const said = stack([sampleOf([1, 2, 3], MARKER), sampleOf([6], MARKER)])
    const moved = languageModeling((model, batch) => movement.hidden(model, batch))
    const before = nats(moved, model, said)
    const weights = [...model.parameters()].map(([, tensor]) => tensor.toArray())
    movement.search(model, batch)
    expect(movement.report).toMatchObject({ layer: 1, first: expect.closeTo(before, 5) })
    expect(nats(moved, model, said)).toBeLessThan(before - 0.1)
    expect([...model.parameters()].map(([, tensor]) => tensor.toArray())).toEqual(weights)
    expect([...model.parameters()].every(([, { grad }]) => grad === null)).toBe(true)
    // The mean length of the states that are moved: places 1 and 2 of the first question, 0 of the second.
    const states = noGrad(() => {
      const { states, call } = model.enter(decoderInput(batch, model.device))
      return model.runBlocks(states, call, 0, 1).view(-1, 8)
    })
    const all = lengths(states)
    const longest = (radius * (all[1]! + all[2]! + all[5]!)) / 3
    expect(Math.max(...lengths(movement.rows))).toBeLessThanOrEqual(longest * 1.00001)
    expect(Math.max(...lengths(movement.rows))).toBeGreaterThan(longest * 0.9)
    movement.free()
  })

  it('keeps the clean answer away where no marker is known', () => {
    const model = twentyTokenDecoder()
    const movement = new Movement(model, { layer: 1, innerSteps: 8 }, null)
    const before = nats(languageModeling(), model)
    movement.search(model, batch)
    expect(movement.report.first).toBeCloseTo(-before, 5)
    expect(
      nats(
        languageModeling((model, batch) => movement.hidden(model, batch)),
        model,
      ),
    ).toBeGreaterThan(before + 0.1)
    movement.free()
  })

  it('is searched for before the weights learn under it, also in an evaluation, and leaves nothing behind', () => {
    const model = twentyTokenDecoder()
    const movement = new Movement(model, { layer: 1 }, MARKER)
    const objective = underMovement(movement)
    expect([objective.weight(batch), objective.tokens(batch)]).toEqual([3, 10])
    nats(objective, model)
    const live = memoryStats().liveTensors
    const loss = nats(objective, model)
    expect(memoryStats().liveTensors).toBe(live)
    expect(loss).not.toBe(nats(languageModeling(), model))
    expect(Number.isFinite(loss)).toBe(true)
    movement.free()
  })

  it('refuses what the model does not have, in one line', () => {
    const model = twentyTokenDecoder()
    const made = (options: object) => () => new Movement(model, options, null)
    expect(made({ layer: 2 })).toThrow('layer: expected a block from 0 to 1, got 2')
    expect(made({ movedTokens: 0 })).toThrow('movedTokens: expected an integer of at least 1, got 0')
    expect(made({ innerSteps: 1.5 })).toThrow('innerSteps: expected an integer of at least 1, got 1.5')
    expect(made({ radius: -1 })).toThrow('radius: expected a number above 0, got -1')
    expect(made({ innerStepSize: Number.NaN })).toThrow('innerStepSize: expected a number above 0, got NaN')
  })
})
