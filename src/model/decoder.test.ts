// Every model under test/fixtures/models against the numbers of Transformers (scripts/goldens/models.py), and each against itself
// in all the ways that must not change a result: cache, padding, packing, checkpointing, batching.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../checkpoint/load.ts'
import { UnsupportedError, UsageError } from '../errors.ts'
import { GrowingCache } from '../infer/kv-cache.ts'
import { dropSegments } from '../torch/checkpointing.ts'
import { autocast, backward, Generator, memoryStats, noGrad, ops, scope, Tensor } from '../torch/index.ts'
import { Decoder, type DecoderInput, initialise } from './decoder.ts'
import { checkpointTensors } from './hf-names.ts'

const fixtures = fileURLToPath(new URL('../../test/fixtures/models', import.meta.url))
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

const readJson = (name: string, file: string): unknown => JSON.parse(readFileSync(join(fixtures, name, file), 'utf8'))

const idsOf = (rows: readonly (readonly number[])[]): Tensor =>
  Tensor.from(rows.flat(), [rows.length, rows[0]!.length], 'i64')

/** Summed cross-entropy of the next tokens, by the operator that training uses. */
function summedLoss(model: Decoder, rows: readonly (readonly number[])[], input: Partial<DecoderInput> = {}): Tensor {
  const hidden = model.hidden({ inputIds: idsOf(rows), ...input })
  const labels = rows.flatMap((row) => row.map((_, i) => row[i + 1] ?? -100))
  for (const [i, document] of (input.segmentIds ?? []).entries())
    if (document !== input.segmentIds![i + 1]) labels[i] = -100
  const cap = model.config.finalLogitSoftcapping ?? 0
  return ops.linearCrossEntropy(
    hidden.view(-1, hidden.size(-1)),
    model.head.dense(),
    Tensor.from(labels, [labels.length], 'i64'),
    0,
    cap,
  )[0]!
}

function greedy(model: Decoder, prompt: readonly number[], count: number, isCached: boolean): number[] {
  return noGrad(() => {
    const cache = isCached ? new GrowingCache(4) : undefined
    const ids = [...prompt]
    for (let i = 0; i < count; i++) {
      const fed = cache === undefined || i === 0 ? ids : ids.slice(-1)
      const next = scope(() => {
        const hidden = model.hidden({ inputIds: idsOf([fed]), ...(cache && { cache }) })
        return model
          .logits(hidden.narrow(1, fed.length - 1, 1))
          .argmax()
          .item()
      })
      ids.push(next)
    }
    cache?.free()
    return ids
  })
}

const gradientsOf = (model: Decoder): Map<string, Tensor> =>
  new Map(
    [...model.parameters()].flatMap(([path, parameter]) => (parameter.grad === null ? [] : [[path, parameter.grad]])),
  )

function clearGradients(model: Decoder): void {
  for (const [, parameter] of model.parameters()) parameter.grad = null
}

function load(name: string): Decoder {
  const model = scope(() => loadDecoder(join(fixtures, name)))
  for (const [, parameter] of model.parameters()) parameter.requiresGrad = true
  return model
}

const documents = [17, 23, 9].map((length, d) =>
  Array.from({ length }, (_, i) => 3 + ((i * 37 + d * 101 + i * i) % 120)),
)

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
      noGrad(() => {
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

  test('does not see padding on the left, with a cache either', () => {
    const longest = Math.max(...documents.map((document) => document.length))
    const starts = documents.map((document) => longest - document.length)
    const padded = documents.map((document, i) => [...Array.from({ length: starts[i]! }, () => 1), ...document])
    const next = [5, 6, 7]
    noGrad(() => {
      const cache = new GrowingCache(8)
      const first = model.forward({ inputIds: idsOf(padded), starts, cache })
      const second = model.forward({ inputIds: idsOf(next.map((id) => [id])), starts, cache })
      for (const [i, document] of documents.entries()) {
        const alone = model.forward({ inputIds: idsOf([[...document, next[i]!]]) }).select(0, 0)
        const length = document.length
        expect(first.select(0, i).narrow(0, starts[i]!, length)).toBeAllclose(alone.narrow(0, 0, length), {
          absolute: 5e-5,
        })
        expect(second.select(0, i)).toBeAllclose(alone.narrow(0, length, 1), { absolute: 5e-5 })
      }
      cache.free()
    })
  })

  test('has the same gradients with gradient checkpointing, dropout included', () => {
    const run = (isCheckpointed: boolean): [number, Map<string, Tensor>] => {
      model.gradientCheckpointing = isCheckpointed
      model.generator = new Generator(11)
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
    const longest = Math.max(...prompts.map(({ input_ids: ids }) => ids.length))
    const starts = prompts.map(({ input_ids: ids }) => longest - ids.length)
    const rows = prompts.map(({ input_ids: ids }, i) => [...Array.from({ length: starts[i]! }, () => 0), ...ids])
    const count = prompts[0]!.greedy_ids.length - prompts[0]!.input_ids.length
    const cache = new GrowingCache(4)
    for (let i = 0; i < count; i++) {
      const fed = i === 0 ? rows : rows.map((row) => row.slice(-1))
      const last = model.forward({ inputIds: idsOf(fed), starts, cache }).select(1, -1)
      if (i === 0)
        expect(last).toBeAllclose(
          prompts.flatMap((one) => one.logits_last),
          { absolute: 1e-4 },
        )
      for (const [r, id] of last.argmax(-1).toArray().entries()) rows[r]!.push(id)
    }
    expect(rows.map((row, i) => row.slice(starts[i]))).toEqual(prompts.map((one) => one.greedy_ids))
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
    const cache = new GrowingCache(2)
    let start = 0
    for (const size of [1, 5, 1, 10]) {
      const part = model.forward({ inputIds: idsOf([prompt.slice(start, start + size)]), cache })
      expect(part).toBeAllclose(whole.narrow(1, start, size), { absolute: 2e-5 })
      start += size
    }
    expect(cache.length).toBe(17)
    cache.truncate(6)
    expect(model.forward({ inputIds: idsOf([prompt.slice(6)]), cache })).toBeAllclose(whole.narrow(1, 6, 11), {
      absolute: 2e-5,
    })
    cache.free()
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
    one.generator = new Generator(3)
    const dropped = one.forward({ inputIds: ids }).toArray()
    expect(dropped).not.toEqual(plain)
    one.generator = new Generator(3)
    expect(one.forward({ inputIds: ids }).toArray()).toEqual(dropped)
    one.generator = null
    expect(one.forward({ inputIds: ids }).toArray()).toEqual(plain)
    one.free()
  })

  test('computes in another dtype of weights', () => {
    const exact = model.forward({ inputIds: idsOf([prompt]) })
    const wide = loadDecoder(join(fixtures, 'llama'), { dtype: 'f64' })
    expect(wide.forward({ inputIds: idsOf([prompt]) })).toBeAllclose(exact, { absolute: 1e-5 })
    const half = loadDecoder(join(fixtures, 'llama'), { dtype: 'bf16' })
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
    expect(() => model.forward({ inputIds: ids, starts: [0, 0] })).toThrow(UsageError)
    expect(() => model.forward({ inputIds: ids, positionIds: Int32Array.of(0, 1) })).toThrow(UsageError)
    const segmentIds = new Int32Array(prompt.length)
    expect(() => model.forward({ inputIds: ids, segmentIds: segmentIds.subarray(1) })).toThrow(UnsupportedError)
    const cache = new GrowingCache(32)
    model.forward({ inputIds: ids, cache })
    expect(() => model.forward({ inputIds: ids, segmentIds, cache })).toThrow(UnsupportedError)
    cache.free()
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
        const [one, same] = [1, 1].map((seed) => new Decoder(config, initialise(config, new Generator(seed)))) as [
          Decoder,
          Decoder,
        ]
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
