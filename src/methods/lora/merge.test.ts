import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import { NonFiniteError, UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { Linear } from '../../nn/linear.ts'
import { Generator, memoryStats, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { addLora, type LoraOptions, loraLayers, setAdapters, withoutAdapter } from './lora.ts'
import { merge, mergeAndUnload, unload, unmerge } from './merge.ts'

const MODELS = join(import.meta.dirname, '../../../test/fixtures/models')
const ids = Int32Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % 120)
const logits = (model: Decoder): number[] =>
  scope(() => noGrad(() => model.forward({ inputIds: Tensor.from(ids, [2, 12]).to('i64') }).toArray()))

/** A model with an adapter that matters. */
function adapted(options: LoraOptions = {}, name = 'llama', dtype: 'f32' | 'bf16' = 'f32'): Decoder {
  const model = loadDecoder(join(MODELS, name), { dtype })
  addLora(model, options)
  const generator = new Generator(1)
  for (const [, { adapters }] of loraLayers(model))
    for (const { B, magnitude } of adapters.values())
      noGrad(() => {
        ops.normal_(B.detach(), 0, 0.05, generator)
        magnitude?.detach().mul_(1.1)
      })
  return model
}

const CASES: [LoraOptions, string][] = [
  [{}, 'llama'],
  [{ useRslora: true, targetModules: ['q_proj', 'down_proj'] }, 'qwen2'],
  [{ useDora: true }, 'gpt2'],
  [{ targetModules: ['all-linear', 'lm_head'] }, 'llama31-tied'],
]

describe('merge', () => {
  it.each(CASES)('computes the same as the adapter, and unmerges bit for bit, with %j on %s', (options, name) => {
    const model = adapted(options, name)
    const expected = logits(model)
    const base = withoutAdapter(model, () => logits(model))
    merge(model)
    expect(logits(model)).toBeAllclose(expected, { absolute: 2e-5 })
    unmerge(model)
    expect(logits(model)).toEqual(expected)
    expect(withoutAdapter(model, () => logits(model))).toEqual(base)
  })

  it('refuses what makes no sense while adapters are merged', () => {
    const model = adapted()
    merge(model)
    for (const act of [
      () => merge(model),
      () => mergeAndUnload(model),
      () => setAdapters(model, []),
      () => withoutAdapter(model, () => 0),
      () => addLora(model, { adapterName: 'second' }),
    ])
      expect(act).toThrow(/expected adapters that are not merged, got merged ones\. Unmerge them first$/)
    expect(() => merge(loadDecoder(join(MODELS, 'llama')))).toThrow(UsageError)
  })

  it('frees the merged matrices again', () => {
    const model = adapted()
    const before = memoryStats().liveBytes
    merge(model)
    expect(memoryStats().liveBytes).toBeGreaterThan(before)
    unmerge(model)
    expect(memoryStats().liveBytes).toBe(before)
  })
})

describe('mergeAndUnload', () => {
  it.each(CASES)('leaves an ordinary model that saves and loads, with %j on %s', (options, name) => {
    const model = adapted(options, name)
    const expected = logits(model)
    const { pass, report } = mergeAndUnload(model)
    expect(pass).toBe('merge')
    expect(report.lost_to_rounding).toBeLessThan(1e-4)
    expect([...loraLayers(model)]).toEqual([])
    expect([...model.parameters()].every(([path]) => !path.includes('lora') && !path.includes('base_layer'))).toBe(true)
    expect(logits(model)).toBeAllclose(expected, { absolute: 2e-5 })
    const directory = mkdtempSync(join(tmpdir(), 'anneal-merge-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    saveDecoder(model, directory)
    expect(logits(loadDecoder(directory))).toEqual(logits(model))
  })

  it('unties a tied head that was adapted, and keeps one that was not', () => {
    const head = adapted({ targetModules: ['lm_head'] }, 'llama31-tied')
    mergeAndUnload(head)
    expect(head.config.tieWordEmbeddings).toBe(false)
    expect(head.lm_head).toBeInstanceOf(Linear)
    const rest = adapted({}, 'llama31-tied')
    mergeAndUnload(rest)
    expect(rest.config.tieWordEmbeddings).toBe(true)
    expect(rest.lm_head).toBeNull()
  })

  it('takes no more memory than the model had', () => {
    const model = adapted({ targetModules: ['all-linear', 'lm_head'] })
    unload(model)
    const plain = memoryStats().liveBytes
    addLora(model, { targetModules: ['all-linear', 'lm_head'] })
    mergeAndUnload(model)
    expect(memoryStats().liveBytes).toBe(plain)
  })

  it('says how much of the update a coarse base rounds away', () => {
    const model = adapted({}, 'llama', 'bf16')
    for (const [, { adapters }] of loraLayers(model)) adapters.get('default')!.B.detach().mul_(1e-3)
    const { report } = mergeAndUnload(model)
    expect(report.lost_to_rounding).toBeGreaterThan(0.5)
    expect(report.worst_module).toMatch(/_proj$/)
    const fine = adapted({}, 'llama', 'bf16')
    expect(mergeAndUnload(fine, { dtype: 'f32' }).report.lost_to_rounding).toBe(0)
    expect(fine.model.layers[0]!.self_attn!.q_proj.dense().dtype).toBe('f32')
  })

  it('refuses numbers that are not finite and changes nothing', () => {
    const model = adapted()
    const last = [...loraLayers(model)].at(-1)!
    noGrad(() => ops.fill_(last[1].adapters.get('default')!.A.detach().select(0, 1), Number.NaN))
    expect(() => mergeAndUnload(model)).toThrow(NonFiniteError)
    expect(() => merge(model)).toThrow(`adapter default on ${last[0]}: expected finite numbers`)
    expect([...loraLayers(model)].every(([, layer]) => layer.merged === null)).toBe(true)
  })
})

describe('unload', () => {
  it.each(CASES)('gives the base back bit for bit, with %j on %s', (options, name) => {
    const plain = loadDecoder(join(MODELS, name))
    const model = adapted(options, name)
    merge(model)
    unload(model)
    expect([...model.parameters()].map(([path]) => path)).toEqual([...plain.parameters()].map(([path]) => path))
    expect(logits(model)).toEqual(logits(plain))
  })
})
