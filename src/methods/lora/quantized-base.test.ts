// LoRA on a quantized base: the same arithmetic as on the dequantized one, and both ways to merge.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { baseFormatsOf } from '../../checkpoint/adapter/adapter.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { dequantizeModel, quantizeModel, quantLinears } from '../../model/quantize-model.ts'
import type { QuantOptions } from '../../nn/quant/format.ts'
import { autocast, backward, Generator, memoryStats, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { languageModeling } from '../../train/objective.ts'
import { loadLora, saveLora } from './adapter-files.ts'
import { addLora, type LoraOptions, loraLayers } from './lora.ts'
import { compareMerges, divergence, loadTrainedOn, mergeQuantized } from './quantized-base.ts'

const LLAMA = join(import.meta.dirname, '../../../test/fixtures/models/llama')
const root = mkdtempSync(join(tmpdir(), 'anneal-qlora-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const ids = Int32Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % 120)
const batch: Batch = { rows: 2, length: 12, inputIds: ids, labels: ids } as Batch
const logits = (model: Decoder): number[] =>
  scope(() => noGrad(() => model.forward({ inputIds: Tensor.from(ids, [2, 12]).to('i64') }).toArray()))

const recorded = (model: Decoder): number[] =>
  scope(() => model.forward({ inputIds: Tensor.from(ids, [2, 12]).to('i64') }).toArray())

/** Gives the adapters values that matter. */
function stir(model: Decoder): Decoder {
  const generator = new Generator(1)
  for (const [, { adapters }] of loraLayers(model))
    for (const { B, magnitude } of adapters.values())
      noGrad(() => {
        ops.normal_(B.detach(), 0, 0.05, generator)
        magnitude?.detach().mul_(1.1)
      })
  return model
}

const trained = (model: Decoder): Map<string, Tensor> =>
  new Map([...model.parameters()].filter(([, parameter]) => parameter.requiresGrad))

function gradientsOf(model: Decoder): Map<string, number[]> {
  scope(() => backward(languageModeling().forward(model, batch).loss))
  return new Map(Array.from(trained(model), ([path, tensor]) => [path, tensor.grad!.toArray()]))
}

const NF4: QuantOptions = { format: 'nf4', doubleQuant: true }
const CASES: [QuantOptions, LoraOptions][] = [
  [NF4, {}],
  [{ format: 'int8' }, { useRslora: true, targetModules: ['q_proj', 'down_proj'] }],
  [{ format: 'int4' }, { useDora: true }],
  [{ format: 'nf2' }, { useDora: true, targetModules: ['o_proj', 'gate_proj'] }],
]

describe('LoRA on a quantized base', () => {
  it.each(CASES)('has the logits and gradients of LoRA on the dequantized base: %j with %j', (format, options) => {
    const model = loadDecoder(LLAMA, { quantize: format })
    const dense = loadDecoder(LLAMA, { quantize: format })
    dequantizeModel(dense)
    for (const each of [model, dense]) {
      addLora(each, options)
      stir(each)
    }
    // As training computes them: where nothing records, x is rounded to 8 bits for int8 and int4.
    expect(recorded(model)).toBeAllclose(recorded(dense), { absolute: 2e-5 })
    const [ours, wanted] = [gradientsOf(model), gradientsOf(dense)]
    expect([...ours.keys()]).toEqual([...wanted.keys()])
    for (const [path, gradient] of ours)
      expect(gradient, path).toBeAllclose(wanted.get(path)!, { absolute: 2e-5, relative: 1e-3 })
    for (const each of [model, dense]) each.free()
  })

  it('computes in bf16 under autocast, and the codes keep their bits', () => {
    const model = loadDecoder(LLAMA, { quantize: NF4 })
    addLora(model)
    stir(model)
    const before = Array.from(quantLinears(model), ([, { weight }]) => weight.codes.toArray())
    const exact = gradientsOf(model)
    for (const tensor of trained(model).values()) tensor.grad = null
    const half = autocast('bf16', () => gradientsOf(model))
    const norm = (values: readonly number[]): number => Math.hypot(...values)
    for (const [path, wanted] of exact)
      expect(norm(half.get(path)!.map((value, i) => value - wanted[i]!)), path).toBeLessThan(0.1 * norm(wanted) + 1e-4)
    expect(Array.from(quantLinears(model), ([, { weight }]) => weight.codes.toArray())).toEqual(before)
    model.free()
  })

  it('is in memory without the dense base', () => {
    const matrices = (model: Decoder): number =>
      [...quantLinears(model).values()].reduce((sum, { weight }) => sum + 2 * weight.shape[0]! * weight.shape[1]!, 0)
    const model = loadDecoder(LLAMA, { quantize: NF4 })
    const stored = [...quantLinears(model).values()].reduce((sum, { weight }) => sum + weight.bytes, 0)
    expect(stored / matrices(model)).toBeLessThanOrEqual(0.3)
    model.free()
  })
})

describe('an adapter of a quantized base', () => {
  /** A base directory, an adapter trained on it as nf4, and what both together compute. */
  function made(options: LoraOptions = {}): { base: string; adapter: string; computed: number[] } {
    const adapter = mkdtempSync(join(root, 'adapter-'))
    const model = loadDecoder(LLAMA, { quantize: NF4 })
    addLora(model, options)
    stir(model)
    const { notices } = saveLora(model, adapter, { baseModel: LLAMA })
    expect(notices.join()).toContain('trained on a base quantized to nf4')
    const computed = logits(model)
    model.free()
    return { base: LLAMA, adapter, computed }
  }

  it('says in its file what its base was, in a place that PEFT passes over', () => {
    const { adapter } = made()
    const formats = baseFormatsOf(adapter)
    expect(formats.get('model.layers.0.self_attn.q_proj')).toEqual({ ...NF4, blockSize: 64, symmetric: true })
    const config = JSON.parse(readFileSync(join(adapter, 'adapter_config.json'), 'utf8'))
    expect(Object.keys(config).filter((key) => /quant|anneal/.test(key))).toEqual([])
    expect(readFileSync(join(adapter, 'README.md'), 'utf8')).toContain('quantized to nf4')
    const model = loadDecoder(LLAMA)
    addLora(model)
    const plain = mkdtempSync(join(root, 'adapter-'))
    saveLora(model, plain)
    expect(baseFormatsOf(plain).size).toBe(0)
  })

  it('is loaded onto the same base again', () => {
    const { base, adapter, computed } = made()
    const model = loadTrainedOn({ baseDirectory: base, adapterDirectory: adapter })
    expect(logits(model)).toBeAllclose(computed, { absolute: 1e-6 })
    model.free()
  })

  it.each([{}, { useDora: true }, { targetModules: ['q_proj'] }] as LoraOptions[])(
    'merged onto the dequantized base computes the same, onto the full-precision one does not: %j',
    (options) => {
      const { base, adapter, computed } = made(options)
      const where = { baseDirectory: base, adapterDirectory: adapter }
      const { model, record } = mergeQuantized('dequantized', where)
      expect(logits(model)).toBeAllclose(computed, { absolute: 5e-5 })
      expect(quantLinears(model).size).toBe(0)
      expect(record.options).toMatchObject({ onto: 'dequantized' })
      const { model: full } = mergeQuantized('full-precision', where)
      const direct = loadDecoder(LLAMA)
      loadLora(direct, adapter)
      expect(logits(full)).toBeAllclose(logits(direct), { absolute: 5e-5 })
      for (const each of [model, full, direct]) each.free()
    },
  )

  it('is compared: no divergence on the weights that training saw, some on the others', async () => {
    const { base, adapter } = made()
    const before = memoryStats().liveBytes
    const compared = await compareMerges({ baseDirectory: base, adapterDirectory: adapter }, [batch])
    // Less, where what other tests dropped is collected meanwhile.
    expect(memoryStats().liveBytes).toBeLessThanOrEqual(before)
    expect(compared.dequantized!.kl).toBeLessThan(1e-6)
    expect(compared['full-precision']!.kl).toBeGreaterThan(10 * Math.abs(compared.dequantized!.kl))
    expect(compared.dequantized!.crossEntropy).toBeCloseTo(compared.dequantized!.referenceCrossEntropy, 5)
    expect(compared.dequantized!.tokens).toBe(22)
  })

  it('on a base that is quantized on disk is merged onto what is there', async () => {
    const stored = mkdtempSync(join(root, 'base-'))
    cpSync(LLAMA, stored, { recursive: true })
    const quantized = loadDecoder(LLAMA)
    quantizeModel(quantized, NF4)
    saveDecoder(quantized, stored)
    quantized.free()
    const { adapter, computed } = made()
    const where = { baseDirectory: stored, adapterDirectory: adapter }
    const { model } = mergeQuantized('dequantized', where)
    expect(logits(model)).toBeAllclose(computed, { absolute: 5e-5 })
    expect(Object.keys(await compareMerges(where, [batch]))).toEqual(['dequantized'])
    expect(() => mergeQuantized('full-precision', where)).toThrow(/expected full-precision weights to merge onto/)
    model.free()
  })

  it('that names no formats needs to be told them', () => {
    const adapter = mkdtempSync(join(root, 'adapter-'))
    const model = loadDecoder(LLAMA)
    addLora(model)
    saveLora(stir(model), adapter)
    model.free()
    const where = { baseDirectory: LLAMA, adapterDirectory: adapter }
    expect(() => loadTrainedOn(where)).toThrow(/names no formats\. Give quantize/)
    const told = loadTrainedOn({ ...where, quantize: { format: 'int8' } })
    expect(quantLinears(told).size).toBeGreaterThan(0)
    told.free()
  })
})

describe('divergence', () => {
  it('is the cross-entropy of the training objective, and the KL by its definition', async () => {
    const [p, q] = [loadDecoder(LLAMA), loadDecoder(LLAMA)]
    quantizeModel(q, { format: 'nf2' })
    const found = await divergence(q, p, [batch])
    const { loss } = noGrad(() => languageModeling().forward(q, batch))
    expect(found.crossEntropy).toBeCloseTo(loss.item() / 22, 5)
    const soft = (model: Decoder): number[][] => {
      const flat = logits(model)
      const width = flat.length / 24
      return Array.from({ length: 24 }, (_, i) => {
        const row = flat.slice(i * width, (i + 1) * width).map(Math.exp)
        const sum = row.reduce((a, b) => a + b)
        return row.map((value) => value / sum)
      })
    }
    const [pRows, qRows] = [soft(p), soft(q)]
    let kl = 0
    for (let i = 0; i < 24; i++)
      if (i % 12 !== 11) for (const [v, prob] of pRows[i]!.entries()) kl += prob * Math.log(prob / qRows[i]![v]!)
    expect(found.kl).toBeCloseTo(kl / 22, 5)
    await expect(divergence(q, p, [])).rejects.toThrow(/expected supervised tokens/)
    for (const each of [p, q]) each.free()
  })
})
