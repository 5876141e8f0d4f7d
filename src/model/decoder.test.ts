// What a decoder does whatever its family: unequal prompts, packing, errors, fresh weights.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
import { DEVICE } from '../../test/device.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { UnsupportedError, UsageError } from '../errors.ts'
import { CachedRows } from '../infer/cached-rows.ts'
import { dropSegments } from '../torch/checkpointing.ts'
import { backward, Generator, noGrad, scope, Tensor } from '../torch/index.ts'
import { Decoder } from './decoder.ts'

describe('Decoder', () => {
  let model: Decoder
  beforeAll(() => {
    model = load('llama')
  })
  afterAll(() => {
    dropSegments()
    model.free()
  })
  const test = (title: string, body: () => void): void => it(title, () => noGrad(() => scope(body)))
  const prompt = documents[0]!

  test('continues unequal prompts in one batch as Transformers does one by one', () => {
    const { prompts } = readJson('llama', 'packed.json') as {
      prompts: { input_ids: number[]; logits_last: number[]; greedy_ids: number[] }[]
    }
    const rows = prompts.map(({ input_ids: ids }) => [...ids])
    const count = prompts[0]!.greedy_ids.length - prompts[0]!.input_ids.length
    const cache = new CachedRows(model, rows.length)
    for (let i = 0; i < count; i++) {
      const fed = i === 0 ? rows : rows.map((row) => row.slice(-1))
      const ends = fed.map((_, r) => fed.slice(0, r + 1).reduce((sum, { length }) => sum + length, -1))
      const last = cache.forward(fed).indexSelect(0, Tensor.from(ends, [ends.length], 'i64').to(DEVICE))
      if (i === 0)
        expect(last).toBeAllclose(
          prompts.flatMap((one) => one.logits_last),
          { absolute: 1e-4 },
        )
      for (const [r, id] of last.argmax(-1).toArray().entries()) rows[r]!.push(id)
    }
    expect(rows).toEqual(prompts.map((one) => one.greedy_ids))
    cache.free()
  })

  it('has the loss of packed documents that Transformers has', () => {
    scope(() => {
      const packed = readJson('llama', 'packed.json') as {
        documents: number[][]
        packed_loss: number
        packed_grad_norm: number
        logits_sum_per_position: number[]
      }
      const segmentIds = Int32Array.from(packed.documents.flatMap((document, d) => document.map(() => d)))
      const positionIds = Int32Array.from(packed.documents.flatMap((document) => document.map((_, i) => i)))
      const input = { segmentIds, positionIds }
      const logits = noGrad(() => model.forward({ inputIds: idsOf([packed.documents.flat()]), ...input }))
      expect(logits.sum(-1)).toBeAllclose(packed.logits_sum_per_position, { absolute: 5e-4 })
      const count = packed.documents.reduce((sum, document) => sum + document.length - 1, 0)
      const loss = summedLoss(model, [packed.documents.flat()], input).div(count)
      backward(loss)
      expect(loss.item()).toBeAllclose(packed.packed_loss, { relative: 1e-4 })
      const norm = Math.hypot(...Array.from(gradientsOf(model).values(), (gradient) => gradient.norm().item()))
      expect(norm).toBeAllclose(packed.packed_grad_norm, { relative: 1e-4 })
      clearGradients(model)
    })
  })

  test('takes embeddings in place of ids', () => {
    for (const name of ['llama', 'gemma', 'gpt2']) {
      const one = load(name)
      const inputsEmbeds = one.model.embed_tokens.forward(idsOf([prompt]))
      expect(one.forward({ inputsEmbeds })).toBeAllclose(one.forward({ inputIds: idsOf([prompt]) }), { absolute: 0 })
      one.free()
    }
  })

  test('fills a cache in pieces of any size', () => {
    const whole = model.forward({ inputIds: idsOf([prompt]) })
    const rows = new CachedRows(model)
    let start = 0
    for (const size of [1, 5, 1, 10]) {
      const part = rows.forward([prompt.slice(start, start + size)])
      expect(part).toBeAllclose(whole.narrow(1, start, size), { absolute: 2e-5 })
      start += size
    }
    expect(rows.texts[0]!.length).toBe(17)
    rows.cache.truncate(rows.texts[0]!, 6)
    expect(rows.forward([prompt.slice(6)])).toBeAllclose(whole.narrow(1, 6, 11), { absolute: 2e-5 })
    rows.free()
  })

  test('is embedding, norm and head when every branch is left out', () => {
    const removers = model.model.layers.flatMap((block) => [block.attention, block.feedForward])
    for (const branch of removers) branch.rules.push(() => null)
    const ids = idsOf([prompt])
    const wanted = model.logits(model.model.norm.forward(model.model.embed_tokens.forward(ids)))
    expect(model.forward({ inputIds: ids })).toBeAllclose(wanted, { absolute: 0 })
    for (const branch of removers) branch.rules.length = 0
  })

  test('draws dropout only while it has a generator', () => {
    const one = load('gpt2')
    const ids = idsOf([prompt])
    const plain = one.forward({ inputIds: ids }).toArray()
    one.generator = new Generator(3, one.device)
    const dropped = one.forward({ inputIds: ids }).toArray()
    expect(dropped).not.toEqual(plain)
    one.generator = new Generator(3, one.device)
    expect(one.forward({ inputIds: ids }).toArray()).toEqual(dropped)
    one.generator = null
    expect(one.forward({ inputIds: ids }).toArray()).toEqual(plain)
    one.free()
  })

  test('computes in another dtype of weights', () => {
    const exact = model.forward({ inputIds: idsOf([prompt]) })
    const wide = loadDecoder(join(fixtures, 'llama'), { dtype: 'f64', device: DEVICE })
    expect(wide.forward({ inputIds: idsOf([prompt]) })).toBeAllclose(exact, { absolute: 1e-5 })
    const half = loadDecoder(join(fixtures, 'llama'), { dtype: 'bf16', device: DEVICE })
    expect(
      half
        .forward({ inputIds: idsOf([prompt]) })
        .sub(exact)
        .norm()
        .item(),
    ).toBeLessThan(0.03 * exact.norm().item())
    wide.free()
    half.free()
  })

  test('refuses what it cannot compute', () => {
    const ids = idsOf([prompt])
    expect(() => model.forward({ inputIds: ids, positionIds: Int32Array.of(0, 1) })).toThrow(UsageError)
    const segmentIds = new Int32Array(prompt.length)
    expect(() => model.forward({ inputIds: ids, segmentIds: segmentIds.subarray(1) })).toThrow(UnsupportedError)
    // A GPU finds that out in a kernel, and computes nothing more in this process.
    if (DEVICE === 'cpu')
      expect(() => model.forward({ inputIds: idsOf([[model.config.vocabSize]]) })).toThrow(/out of range/)
    const one = load('gpt2')
    const tooLong = Array.from({ length: one.config.maxPositionEmbeddings + 1 }, () => 1)
    expect(() => one.forward({ inputIds: idsOf([tooLong]) })).toThrow(
      /expected at most \d+ tokens \(max_position_embeddings\)/,
    )
    one.free()
  })
})

describe('initialise', () => {
  it('draws matrices of the configured deviation, norms that change nothing, and the same for a seed', () => {
    for (const name of ['llama', 'gemma', 'gpt2']) {
      const { config } = loadDecoder(join(fixtures, name))
      scope(() => {
        const [one, same] = [1, 1].map((seed) => Decoder.fresh(config, { seed })) as [Decoder, Decoder]
        const twins = new Map(same.parameters())
        for (const [path, parameter] of one.parameters()) {
          const values = parameter.toArray()
          expect(twins.get(path)!.toArray()).toEqual(values)
          if (parameter.dim === 1) {
            const value = path.endsWith('.bias') || config.norm.unitOffset ? 0 : 1
            expect(
              values.every((entry) => entry === value),
              path,
            ).toBe(true)
          } else {
            // The sample deviation of n draws is within 4/√(2n) of the true one.
            const deviation = parameter.norm().item() / Math.sqrt(values.length)
            const error = Math.abs(deviation / config.initializerRange - 1)
            expect(error, path).toBeLessThan(4 / Math.sqrt(2 * values.length))
          }
        }
        one.free()
        same.free()
      })
    }
  })
})
