import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readAdapter, writeAdapter } from '../../checkpoint/adapter/adapter.ts'
import { parseAdapterConfig } from '../../checkpoint/adapter/adapter-config.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { InputError, UnsupportedError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { Generator, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { loadLora, saveLora } from './adapter-files.ts'
import { addLora, loraLayers } from './lora.ts'
import { mergeAndUnload } from './merge.ts'

const FIXTURES = join(import.meta.dirname, '../../../test/fixtures')
const ADAPTERS = ['lora-qv', 'lora-all-rslora', 'lora-dora'] as const

interface Expected {
  input_ids: number[][]
  logits_last: number[][]
  logits_sum_per_position: number[][]
  merged_q_proj0_sum: number
}

const expectedOf = (name: string): Expected =>
  JSON.parse(readFileSync(join(FIXTURES, 'training', name, 'expected.json'), 'utf8'))
const load = (name = 'llama'): Decoder => loadDecoder(join(FIXTURES, 'models', name))
const adapterAt = (name: string): string => join(FIXTURES, 'training', name)

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'anneal-lora-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

function logits(model: Decoder, ids: number[][]): Tensor {
  return noGrad(() => model.forward({ inputIds: Tensor.from(ids.flat(), [ids.length, ids[0]!.length], 'i64') }))
}

/** Moves every adapter weight off its start, so that each one matters. */
function perturb(model: Decoder, seed = 3): void {
  const generator = new Generator(seed)
  for (const [, layer] of loraLayers(model))
    for (const { A, B, magnitude } of layer.adapters.values())
      noGrad(() =>
        scope(() => {
          for (const tensor of [A, B]) tensor.add_(ops.normal_(ops.empty(tensor.shape, 'f32'), 0, 0.1, generator))
          magnitude?.mul_(1.25)
        }),
      )
}

/** The fixture with one key of its configuration changed. */
function changed(name: string, change: Record<string, unknown>): string {
  const directory = temporary()
  cpSync(adapterAt(name), directory, { recursive: true })
  const file = join(directory, 'adapter_config.json')
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...change }))
  return directory
}

describe('loadLora', () => {
  it.each(ADAPTERS)('gives the logits of PEFT with %s, as an adapter and merged', (name) => {
    const expected = expectedOf(name)
    const model = load()
    loadLora(model, adapterAt(name))
    const check = (): void => {
      const ours = logits(model, expected.input_ids)
      expect(ours.select(1, -1)).toBeAllclose(expected.logits_last.flat(), { absolute: 1e-4, relative: 0 })
      expect(ours.sum(-1)).toBeAllclose(expected.logits_sum_per_position.flat(), { absolute: 1e-3, relative: 0 })
    }
    check()
    mergeAndUnload(model)
    const merged = model.model.layers[0]!.self_attn!.q_proj.dense()
    expect(merged.sum().item()).toBeCloseTo(expected.merged_q_proj0_sum, 4)
    check()
  })

  it('gives frozen adapters, or trainable ones when asked', () => {
    const model = load()
    loadLora(model, adapterAt('lora-qv'))
    expect([...model.parameters()].some(([, { requiresGrad }]) => requiresGrad)).toBe(false)
    loadLora(model, adapterAt('lora-dora'), { name: 'second', trainable: true })
    const trained = [...model.parameters()].filter(([, { requiresGrad }]) => requiresGrad).map(([path]) => path)
    expect(trained).toContain('model.layers.0.mlp.up_proj.lora_magnitude_vector.second.weight')
    expect(trained.every((path) => path.endsWith('.second.weight'))).toBe(true)
  })

  it('refuses an adapter for another model and changes nothing', () => {
    const model = load('qwen3')
    const before = [...model.parameters()].map(([path]) => path)
    expect(() => loadLora(model, adapterAt('lora-qv'))).toThrow(InputError)
    expect(() => loadLora(model, adapterAt('lora-qv'))).toThrow(
      /model\.layers\.\d\.self_attn\.\w_proj: expected one for a matrix \[\d+, \d+\], got one for \[\d+, \d+\]\. It belongs to another model$/,
    )
    expect(() => loadLora(load('gpt2'), adapterAt('lora-qv'))).toThrow(/expected modules of this model/)
    expect([...model.parameters()].map(([path]) => path)).toEqual(before)
  })

  it('refuses a prompt, a wrong rank, a name that is taken, and a missing directory', () => {
    const model = load()
    expect(() => loadLora(model, adapterAt('prompt-tuning'))).toThrow(/expected a LoRA, got PROMPT_TUNING/)
    expect(() => loadLora(model, changed('lora-qv', { r: 5 }))).toThrow(/expected rank 5 as configured, got 4/)
    expect(() => loadLora(model, changed('lora-qv', { rank_pattern: { '(?P<a>b)': 4 } }))).toThrow(
      /rank_pattern: expected names of modules/,
    )
    expect(() => loadLora(model, join(FIXTURES, 'absent'))).toThrow(InputError)
    loadLora(model, adapterAt('lora-qv'))
    expect(() => loadLora(model, adapterAt('lora-qv'))).toThrow(/default: expected a new name/)
  })

  it('refuses DoRA without magnitudes and magnitudes without DoRA', () => {
    expect(() => loadLora(load(), changed('lora-qv', { use_dora: true }))).toThrow(
      /lora_magnitude_vector, got lora_A, lora_B/,
    )
    expect(() => loadLora(load(), changed('lora-dora', { use_dora: false }))).toThrow(/with use_dora only/)
  })

  it.each([
    ['llama', 'base_model.model.model.embed_tokens.weight'],
    ['llama31-tied', 'base_model.model.model.embed_tokens.base_layer.weight'],
    ['gpt2', 'base_model.model.transformer.wte.weight'],
  ])(
    'leaves out what PEFT copied from the base where the head is a target, unless it differs: %s',
    (name, embedding) => {
      const model = load(name)
      addLora(model, { r: 2, targetModules: ['lm_head'] })
      perturb(model)
      const directory = temporary()
      saveLora(model, directory)
      const { config, tensors } = readAdapter(directory)
      const withCopies = (head: Tensor): string => {
        const other = temporary()
        const copies: [string, Tensor][] = [
          ['base_model.model.lm_head.base_layer.weight', head],
          [embedding, model.model.embed_tokens.dense().to('bf16').to('f32')],
        ]
        writeAdapter(other, config, [...tensors, ...copies])
        return other
      }
      const base = load(name)
      const head = base.head.dense()
      loadLora(base, withCopies(head))
      expect(logits(base, [[1, 7, 42]]).toArray()).toEqual(logits(model, [[1, 7, 42]]).toArray())
      const fresh = load(name)
      const refuse = (copy: Tensor, message: RegExp): void => {
        expect(() => loadLora(fresh, withCopies(copy))).toThrow(InputError)
        expect(() => loadLora(fresh, withCopies(copy))).toThrow(message)
      }
      refuse(head.mul(1.05), /lm_head\.base_layer\.weight: expected a copy of the base's weights, got other values/)
      refuse(ops.cat([head, head]), /expected a copy of the base's \[\d+,\d+\], got \[\d+,\d+\].*vocabulary/)
      expect([...loraLayers(fresh)]).toEqual([])
    },
  )

  it('takes rank and alpha of single modules from the patterns', () => {
    const model = load()
    loadLora(model, changed('lora-qv', { alpha_pattern: { 'layers.1.self_attn.v_proj': 32 } }))
    const alphas = [...loraLayers(model)].map(([path, layer]) => [path, layer.adapters.get('default')!.alpha])
    expect(alphas.filter(([, alpha]) => alpha === 32)).toEqual([['model.layers.1.self_attn.v_proj', 32]])
    expect(alphas.filter(([, alpha]) => alpha === 8)).toHaveLength(5)
    const other = load()
    loadLora(other, changed('lora-qv', { alpha_pattern: { '.*\\.[12]\\..*v_proj': 32, v_proj: 16 } }))
    const found = [...loraLayers(other)].map(([, layer]) => layer.adapters.get('default')!.alpha)
    expect(found.toSorted((a, b) => a - b)).toEqual([8, 8, 8, 16, 32, 32])
  })
})

describe('saveLora', () => {
  it.each(ADAPTERS)('writes %s again as it was', (name) => {
    const model = load()
    loadLora(model, adapterAt(name))
    const directory = temporary()
    saveLora(model, directory, { baseModel: '../../models/llama' })
    expect(readdirSync(directory).sort()).toEqual(['README.md', 'adapter_config.json', 'adapter_model.safetensors'])
    const original = readFileSync(join(adapterAt(name), 'adapter_model.safetensors'))
    expect(readFileSync(join(directory, 'adapter_model.safetensors')).equals(original)).toBe(true)
    const [ours, theirs] = [directory, adapterAt(name)].map((path) =>
      JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8')),
    )
    for (const [key, value] of Object.entries(ours)) {
      if (key === 'peft_version') continue
      if (key === 'target_modules') expect((value as string[]).sort()).toEqual(theirs[key].sort())
      else expect([key, value]).toEqual([key, theirs[key]])
    }
  })

  it.each([
    ['llama', {}],
    ['llama', { useRslora: true, targetModules: ['q_proj', 'lm_head'] }],
    ['llama', { useDora: true, targetModules: 'model\\.layers\\.[01]\\..*(up|down)_proj' }],
    ['llama31-tied', { targetModules: ['all-linear', 'lm_head'] }],
    ['gpt2', {}],
    ['gpt2', { useDora: true, targetModules: ['c_attn', 'c_fc'] }],
    ['gpt2', { useRslora: true, targetModules: ['q_proj', 'v_proj'] }],
    ['gpt-neox', { targetModules: ['query_key_value', 'dense_h_to_4h', 'embed_out'] }],
    ['gpt-neox', { targetModules: ['v_proj'] }],
    ['phi3', { useRslora: true }],
    ['phi3', { targetModules: ['gate_proj'] }],
  ])('reads back on %s what it wrote with %j', (name, options) => {
    const model = load(name)
    addLora(model, { r: 4, ...options })
    perturb(model)
    const ids = expectedIds(name)
    const before = logits(model, ids)
    const directory = temporary()
    saveLora(model, directory)
    const again = load(name)
    expect(logits(again, ids)).not.toBeAllclose(before, { absolute: 1e-3 })
    loadLora(again, directory)
    expect(logits(again, ids)).toBeAllclose(before, { absolute: 5e-5 })
    // What was split on loading joins again as it was.
    const second = temporary()
    saveLora(again, second)
    const weights = (path: string): Buffer => readFileSync(join(path, 'adapter_model.safetensors'))
    expect(weights(second).equals(weights(directory))).toBe(true)
    expect(readFileSync(join(second, 'adapter_config.json'), 'utf8')).toBe(
      readFileSync(join(directory, 'adapter_config.json'), 'utf8'),
    )
  })

  it('reads the head of GPT-NeoX by its old name, too', () => {
    const model = load('gpt-neox')
    addLora(model, { targetModules: ['lm_head'] })
    perturb(model)
    const directory = temporary()
    expect(saveLora(model, directory).notices.join()).toMatch(/Transformers 4 calls this head embed_out/)
    const { tensors } = readAdapter(directory)
    const renamed = Array.from(tensors, ([name, tensor]): [string, Tensor] => [
      name.replace('lm_head', 'embed_out'),
      tensor,
    ])
    const config = parseAdapterConfig(JSON.parse(readFileSync(join(directory, 'adapter_config.json'), 'utf8')), 'f')
    const old = temporary()
    writeAdapter(old, config, renamed)
    const again = load('gpt-neox')
    loadLora(again, old)
    expect(logits(again, expectedIds('gpt-neox'))).toBeAllclose(logits(model, expectedIds('gpt-neox')))
  })

  it('names modules by their shortest unmistakable end', () => {
    const targetsOf = (model: Decoder): string[] => {
      const directory = temporary()
      saveLora(model, directory)
      return JSON.parse(readFileSync(join(directory, 'adapter_config.json'), 'utf8')).target_modules
    }
    const model = load('gpt2')
    addLora(model, { targetModules: ['o_proj', 'c_attn'] })
    expect(targetsOf(model)).toEqual(['attn.c_proj', 'c_attn'])
    const llama = load()
    addLora(llama, { targetModules: ['layers.1.self_attn.q_proj', 'down_proj'] })
    expect(targetsOf(llama)).toEqual(['1.self_attn.q_proj', 'down_proj'])
  })

  it('cannot say DoRA on a part of a fused module', () => {
    const model = load('gpt2')
    addLora(model, { useDora: true, targetModules: ['q_proj'] })
    expect(() => saveLora(model, temporary())).toThrow(UnsupportedError)
    expect(() => saveLora(model, temporary())).toThrow(/expected DoRA on all of .*q_proj, .*v_proj.*Merge instead$/)
  })

  it('says what other programs cannot load', () => {
    const noticesOf = (options: Parameters<typeof addLora>[1]): string => {
      const model = load()
      addLora(model, options)
      return saveLora(model, temporary()).notices.join('\n')
    }
    expect(noticesOf({ r: 16 })).toBe('')
    expect(noticesOf({ r: 4, useDora: true })).toMatch(/^vLLM and llama\.cpp do not load DoRA/)
    expect(noticesOf({ r: 32 })).toMatch(/^vLLM needs --max-lora-rank 32/)
    expect(noticesOf({ r: 4, loraAlpha: 8, useRslora: true })).toMatch(/set lora_alpha to 16 and use_rslora to false/)
    expect(noticesOf({ r: 4, targetModules: ['lm_head'] })).toMatch(/output head/)
  })

  it('keeps several adapters apart', () => {
    const model = load()
    loadLora(model, adapterAt('lora-qv'), { name: 'first' })
    loadLora(model, adapterAt('lora-dora'), { name: 'second' })
    const directory = temporary()
    saveLora(model, directory, { name: 'first' })
    const [ours, theirs] = [directory, adapterAt('lora-qv')].map((path) =>
      readFileSync(join(path, 'adapter_model.safetensors')),
    )
    expect(ours!.equals(theirs!)).toBe(true)
    expect(() => saveLora(model, directory, { name: 'third' })).toThrow(/expected one called third/)
  })
})

function expectedIds(name: string): number[][] {
  const { input_ids } = JSON.parse(readFileSync(join(FIXTURES, 'models', name, 'expected.json'), 'utf8')) as Expected
  return input_ids.map((row) => row.slice(0, 12))
}
