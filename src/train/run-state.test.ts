import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventsOf, hashOf, ofType, TINY_WITH_DROPOUT, tinyBatches, tinyModel } from '../../test/training/tiny-model.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../checkpoint/model-directory/save.ts'
import type { Batch } from '../data/batch.ts'
import { CheckpointError } from '../errors.ts'
import type { Decoder } from '../model/decoder.ts'
import { languageModeling, type Objective } from './objective.ts'
import type { Rule } from './rule.ts'
import { restoreRunState, saveRunState } from './run-state.ts'
import { type TrainOptions, train } from './train.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-run-state-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** Trains six steps, of which the second and the sixth have the batch that is skipped; the losses and the rates. */
async function run(model: Decoder, more: Partial<TrainOptions<Batch>> = {}): Promise<(readonly [number, number])[]> {
  const usual = languageModeling()
  const objective: Objective = {
    ...usual,
    forward: (given, batch) => {
      const { loss, metrics } = usual.forward(given, batch)
      return { loss: batch === tinyBatch(1) ? loss.mul(Number.NaN) : loss, metrics }
    },
  }
  const { events, error } = await eventsOf(
    train(model, source, objective, {
      steps: 6,
      learningRate: 1e-3,
      schedule: (step) => 1 / (step + 1),
      seed: 3,
      onNonFinite: 'skip',
      rules: [counter()],
      ...more,
    }),
  )
  if (error !== undefined) throw error
  return ofType(events, 'step-done').map(({ metrics }) => [metrics.loss, metrics.learning_rate] as const)
}

const source = tinyBatches(4)
const tinyBatch = (index: number): Batch => source.at(index)

/** A rule with a state of its own. */
function counter(): Rule & { count: number } {
  return {
    name: 'counter',
    count: 0,
    step(_, next) {
      this.count++
      return next()
    },
    state() {
      return { count: this.count }
    },
    restore(state) {
      this.count = (state as { count: number }).count
    },
  }
}

describe('the state of a run', () => {
  it('restores everything: moments, random numbers, skipped steps, the learning rate, rules', async () => {
    const straight = tinyModel(TINY_WITH_DROPOUT)
    const expected = await run(straight)
    expect(expected.map(([, rate]) => rate)).toEqual([1, 2, 3, 4].map((update) => 1e-3 / update))

    const first = tinyModel(TINY_WITH_DROPOUT)
    const stop = { aborted: false }
    const write = async (state: Parameters<typeof saveRunState>[1]): Promise<string> => {
      saveDecoder(first, directory)
      saveRunState(directory, state)
      stop.aborted = true
      return directory
    }
    const before = await run(first, { stop, save: { every: 3, write } })
    const second = loadDecoder(directory)
    second.trainable()
    const rule = counter()
    const after = await run(second, { rules: [rule], resume: (state) => restoreRunState(directory, state) })
    expect([...before, ...after]).toEqual(expected)
    expect(before.length).toBe(2)
    expect(rule.count).toBe(6)
    expect(hashOf(second)).toBe(hashOf(straight))
  })

  it.each([
    ['is no JSON', (text: string) => text.slice(0, 40), /run_state\.json: expected JSON/],
    ['lacks a key', (text: string) => text.replace('"tokens"', '"token"'), /run_state\.json:/],
    [
      'has a number that is none',
      (text: string) => text.replace(/"step": \d+/, '"step": -1'),
      /run_state\.json:step: /,
    ],
  ])('is a CheckpointError when it %s', async (_, spoil, message) => {
    const file = join(directory, 'run_state.json')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, spoil(text))
    const failing = run(tinyModel(TINY_WITH_DROPOUT), { resume: (state) => restoreRunState(directory, state) })
    await expect(failing).rejects.toThrow(message)
    await expect(failing).rejects.toBeInstanceOf(CheckpointError)
    writeFileSync(file, text)
  })

  it('is a CheckpointError for another model', async () => {
    const other = tinyModel({ ...TINY_WITH_DROPOUT, n_embd: 16 })
    const failing = run(other, { resume: (state) => restoreRunState(directory, state) })
    await expect(failing).rejects.toThrow(
      /^optimizer state: expected \S+\.exp_avg \[300,16\], got \[300,32\]\. The checkpoint/,
    )
  })
})
