// Every model under test/fixtures/models against the numbers of Transformers (scripts/goldens/models.py), and each against itself
// in all the ways that must not change a result: cache, padding, packing, checkpointing, batching.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  clearGradients,
  documents,
  fixtures,
  gradientsOf,
  idsOf,
  load,
  readJson,
  summedLoss,
} from '../../test/decoder-fixtures.ts'
import { CachedRows } from '../infer/cached-rows.ts'
import { hasLengthDependentRope } from '../infer/context.ts'
import { withoutFusing } from '../nn/fused.ts'
import { dropSegments } from '../torch/checkpointing.ts'
import {
  autocast,
  backward,
  Generator,
  inference,
  memoryStats,
  noGrad,
  ops,
  scope,
  type Tensor,
} from '../torch/index.ts'
import type { Decoder } from './decoder.ts'
import { checkpointTensors } from './hf-names.ts'

const families = readdirSync(fixtures).filter((name) => existsSync(join(fixtures, name, 'expected.json')))

interface Forward {
  input_ids: number[][]
  logits_last: number[][]
  logits_sum_per_position: number[][]
  token_logprobs: number[][]
  loss: number
}
interface Expected extends Forward {
  /** Made by scripts/goldens: 7 significant digits. Without it: 6 decimals. */
  seed?: number
  grad_norms: Record<string, number>
  greedy_prompt: number[]
  greedy_ids: number[]
  other_length?: Forward
}

function greedy(model: Decoder, prompt: readonly number[], count: number, isCached: boolean): number[] {
  return noGrad(() => {
    const cache = isCached ? new CachedRows(model) : undefined
    const ids = [...prompt]
    for (let i = 0; i < count; i++) {
      const fed = cache === undefined || i === 0 ? ids : ids.slice(-1)
      const next = scope(() => {
        const hidden = cache?.hidden([fed]) ?? model.hidden({ inputIds: idsOf([fed]) }).view(fed.length, -1)
        return model
          .logits(hidden.narrow(0, fed.length - 1, 1))
          .argmax()
          .item()
      })
      ids.push(next)
    }
    cache?.free()
    return ids
  })
}

describe.each(families)('%s', (name) => {
  const expected = readJson(name, 'expected.json') as Expected
  /** Half of the last digit that the fixture keeps. */
  const rounding = (value: number): number => ('seed' in expected ? Math.abs(value) * 5e-7 : 5e-7)
  let model: Decoder
  let before: number

  beforeAll(() => {
    before = memoryStats().liveTensors
    model = load(name)
  })
  afterAll(() => {
    model.free()
    expect(memoryStats().liveTensors).toBe(before)
  })
  afterEach(() => {
    model.gradientCheckpointing = false
    model.generator = null
    clearGradients(model)
    dropSegments()
  })
  /** Runs `body` in a scope: what one test makes is gone before the next. */
  const test = (title: string, body: () => void): void => it(title, () => scope(body))

  test('has the logits and log-probabilities of Transformers', () => {
    for (const wanted of [expected, ...(expected.other_length ? [expected.other_length] : [])]) {
      inference(() => {
        const ids = idsOf(wanted.input_ids)
        const logits = model.forward({ inputIds: ids })
        expect(logits.dtype).toBe('f32')
        expect(logits.select(1, -1)).toBeAllclose(wanted.logits_last.flat(), { absolute: 1e-4, relative: 0 })
        // Hundreds of entries that are each within 1e-4, mostly far closer.
        expect(logits.sum(-1)).toBeAllclose(wanted.logits_sum_per_position.flat(), { absolute: 5e-4, relative: 0 })
        const length = ids.size(1)
        const chosen = ops.gather(
          logits.narrow(1, 0, length - 1).logSoftmax(),
          2,
          ids.narrow(1, 1, length - 1).unsqueeze(2),
        )
        expect(chosen).toBeAllclose(wanted.token_logprobs.flat(), { absolute: 1e-4, relative: 0 })
      })
    }
  })

  test('has the same bits with every layer called by itself, with branches under rules too', () => {
    inference(() => {
      const logits = (): number[] => model.forward({ inputIds: idsOf(expected.input_ids) }).toArray()
      const fused = logits()
      expect(withoutFusing(logits)).toEqual(fused)
      // A rule that changes nothing stands between a branch and the sum.
      const branches = model.model.layers.flatMap((block) => [block.attention, block.feedForward])
      for (const branch of branches) branch.rules.push((x, next) => next(x))
      expect(logits()).toEqual(fused)
      for (const branch of branches) branch.rules.pop()
    })
  })

  test('has the loss and the gradient norms of Transformers', () => {
    const rows = expected.input_ids
    const loss = summedLoss(model, rows).div(rows.length * (rows[0]!.length - 1))
    backward(loss)
    // The fixture must have been made without dropout for the rest to mean anything.
    const logprobs = expected.token_logprobs.flat()
    expect(-logprobs.reduce((a, b) => a + b) / logprobs.length).toBeCloseTo(expected.loss, 5)
    expect(Math.abs(loss.item() - expected.loss)).toBeLessThan(1e-4 * expected.loss + rounding(expected.loss))

    const ours = gradientsOf(model)
    const seen = new Set<string>()
    for (const stored of checkpointTensors(model.config)) {
      const key = [stored.name, ...stored.aliases].find((candidate) => candidate in expected.grad_norms)
      expect(key, stored.name).toBeDefined()
      seen.add(key!)
      const norm = Math.hypot(...stored.parts.map((part) => ours.get(part.path)!.norm().item()))
      const wanted = expected.grad_norms[key!]!
      expect(Math.abs(norm - wanted), `${key}: ${norm}, expected ${wanted}`).toBeLessThan(
        1e-4 * wanted + rounding(wanted) + 1e-9,
      )
    }
    expect([...seen].sort()).toEqual(Object.keys(expected.grad_norms).sort())
  })

  test('chooses the same tokens with a cache and without', () => {
    const { greedy_prompt: prompt, greedy_ids: ids } = expected
    expect(greedy(model, prompt, ids.length - prompt.length, true)).toEqual(ids)
    expect(greedy(model, prompt, ids.length - prompt.length, false)).toEqual(ids)
  })

  test('gives a row the same logits alone as in a batch', () => {
    noGrad(() => {
      const together = model.forward({ inputIds: idsOf(expected.input_ids) })
      for (const [i, row] of expected.input_ids.entries())
        expect(model.forward({ inputIds: idsOf([row]) })).toBeAllclose(together.select(0, i), { absolute: 2e-5 })
    })
  })

  test('keeps packed documents apart', () => {
    const lengths = documents.map((document) => document.length)
    const segmentIds = Int32Array.from(lengths.flatMap((length, d) => Array.from({ length }, () => d)))
    const positionIds = Int32Array.from(lengths.flatMap((length) => Array.from({ length }, (_, i) => i)))
    const row = documents.flat()
    noGrad(() => {
      const packed = model.forward({ inputIds: idsOf([row]), segmentIds, positionIds })
      let start = 0
      for (const document of documents) {
        const alone = model.forward({ inputIds: idsOf([document]) })
        expect(packed.narrow(1, start, document.length)).toBeAllclose(alone, { absolute: 5e-5 })
        start += document.length
      }
    })
    // The gradient of the packed row is the sum of the documents' gradients.
    backward(summedLoss(model, [row], { segmentIds, positionIds }))
    const packed = gradientsOf(model)
    clearGradients(model)
    for (const document of documents) backward(summedLoss(model, [document]))
    for (const [path, gradient] of gradientsOf(model)) {
      const difference = packed.get(path)!.sub(gradient).norm().item()
      // The gradient of a key bias is 0 but for rounding.
      expect(difference, path).toBeLessThan(1e-4 * gradient.norm().item() + 1e-5)
    }
  })

  test('gives texts of any length in one call what each gets alone, from the cache too', () => {
    const next = [5, 6, 7]
    noGrad(() => {
      const rows = new CachedRows(model, documents.length)
      // Ropes that depend on the length of a text take one at a time.
      const isWhole = hasLengthDependentRope(model.config)
      const together = isWhole ? null : rows.forward(documents)
      const second = isWhole ? null : rows.forward(next.map((id) => [id]))
      let start = 0
      for (const [i, document] of documents.entries()) {
        const alone = model.forward({ inputIds: idsOf([[...document, next[i]!]]) }).select(0, 0)
        const { length } = document
        const one = new CachedRows(model)
        const first = together?.narrow(0, start, length) ?? one.forward([document])
        const last = second?.select(0, i) ?? one.forward([[next[i]!]]).select(0, 0)
        if (!isWhole) expect(first).toBeAllclose(alone.narrow(0, 0, length), { absolute: 5e-5 })
        expect(last).toBeAllclose(alone.select(0, length), { absolute: 5e-5 })
        start += length
        one.free()
      }
      rows.free()
    })
  })

  test('has the same gradients with gradient checkpointing, dropout included', () => {
    const run = (isCheckpointed: boolean): [number, Map<string, Tensor>] => {
      model.gradientCheckpointing = isCheckpointed
      model.generator = new Generator(11, model.device)
      const loss = summedLoss(model, documents.slice(0, 1))
      backward(loss)
      const gradients = new Map([...gradientsOf(model)].map(([path, gradient]) => [path, gradient.clone()]))
      clearGradients(model)
      return [loss.item(), gradients]
    }
    const [loss, gradients] = run(false)
    const [again, recomputed] = run(true)
    expect(again).toBe(loss)
    for (const [path, gradient] of gradients)
      expect(recomputed.get(path)!.sub(gradient).norm().item(), path).toBeLessThanOrEqual(1e-6 * gradient.norm().item())
  })

  test('computes in bf16 close to f32', () => {
    noGrad(() => {
      const input = { inputIds: idsOf(expected.input_ids) }
      const exact = model.forward(input)
      const half = autocast('bf16', () => model.forward(input))
      expect(half.dtype).toBe('f32')
      // bf16 has 8 bits: 0.4 % per rounding, some dozens of roundings deep.
      const error = half.sub(exact).norm().item() / exact.norm().item()
      expect(error).toBeGreaterThan(1e-5)
      expect(error).toBeLessThan(0.06)
    })
  })
})
