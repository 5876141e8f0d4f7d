// Quantized models through their files: what is written, that it loads as the same model, and what damage is said.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import type { Decoder } from '../../model/decoder.ts'
import { dequantizeModel, quantizeModel, quantLinears } from '../../model/quantize-model.ts'
import type { QuantOptions } from '../../nn/quant/format.ts'
import { memoryStats, noGrad, scope, Tensor } from '../../torch/index.ts'
import { readHeader } from '../safetensors/safetensors.ts'
import { loadDecoder } from './load.ts'
import { saveDecoder } from './save.ts'

const root = mkdtempSync(join(tmpdir(), 'anneal-quantized-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../../test/fixtures/models/${name}`, import.meta.url))
let count = 0
const folder = (from?: string): string => {
  const path = join(root, `${count++}`)
  cpSync(from ?? fixture('llama'), path, { recursive: true })
  return path
}

const logits = (model: Decoder): number[] =>
  noGrad(() => scope(() => model.forward({ inputIds: Tensor.from([1, 7, 42, 9, 3], [1, 5], 'i64') }).toArray()))

/** Quantizes a fixture, saves it, and gives back the folder and what the model computed. */
function quantized(name: string, plan: Parameters<typeof quantizeModel>[1]): { path: string; before: number[] } {
  const model = loadDecoder(fixture(name))
  quantizeModel(model, plan)
  const path = folder(fixture(name))
  saveDecoder(model, path)
  const before = logits(model)
  model.free()
  return { path, before }
}

describe('a quantized model directory', () => {
  it.each(['llama', 'llama-biases', 'llama31-tied', 'phi3', 'gpt2', 'gpt-neox', 'gemma3'])(
    'loads as the model that was saved: %s',
    (name) => {
      const { path, before } = quantized(name, { format: 'nf4', doubleQuant: true })
      const model = loadDecoder(path)
      expect(logits(model)).toEqual(before)
      const again = folder(path)
      saveDecoder(model, again)
      expect(readFileSync(join(again, 'model.safetensors')).equals(readFileSync(join(path, 'model.safetensors')))).toBe(
        true,
      )
      model.free()
    },
  )

  it('is what loading with `quantize` gives, which holds one dense matrix at a time', () => {
    const { before } = quantized('llama', { format: 'nf4' })
    const model = loadDecoder(fixture('llama'), { quantize: { format: 'nf4' } })
    expect(logits(model)).toEqual(before)
    expect(quantLinears(model).size).toBeGreaterThan(0)
    model.free()
  })

  it('mixes formats by module, parts of one fused tensor, dense ones and the head of a tied model', () => {
    const plan = new Map<string, QuantOptions>([
      ['model.layers.0.self_attn.q_proj', { format: 'int8' }],
      ['model.layers.0.self_attn.v_proj', { format: 'nf2' }],
      ['model.layers.1.mlp.down_proj', { format: 'int4', symmetric: false, blockSize: 64 }],
      ['lm_head', { format: 'int8' }],
    ])
    for (const name of ['phi3', 'gpt2', 'llama31-tied']) {
      const { path, before } = quantized(name, plan)
      const model = loadDecoder(path)
      expect(logits(model), name).toEqual(before)
      expect([...quantLinears(model)].map(([module, { weight }]) => [module, weight.spec]).sort()).toHaveLength(4)
      expect(model.config.tieWordEmbeddings).toBe(loadDecoder(fixture(name)).config.tieWordEmbeddings)
      model.free()
    }
  })

  it('names the formats in config.json and the parts by module', () => {
    const { path } = quantized('llama', { format: 'nf4', doubleQuant: true })
    const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8'))
    expect(config.quantization_config.quant_method).toBe('anneal')
    expect(config.quantization_config.modules['model.layers.0.self_attn.q_proj']).toEqual({
      format: 'nf4',
      block_size: 64,
      double_quant: true,
    })
    const { tensors } = readHeader(join(path, 'model.safetensors'))
    const ofQueries = [...tensors.keys()].filter((key) => key.startsWith('model.layers.0.self_attn.q_proj.'))
    expect(ofQueries.map((key) => key.replace('model.layers.0.self_attn.q_proj.', '')).sort()).toEqual([
      'weight.codes',
      'weight.scale_offset',
      'weight.scale_scales',
      'weight.scales',
    ])
  })

  it('becomes an ordinary one that computes the same', () => {
    const { path, before } = quantized('phi3', { format: 'nf4' })
    const model = loadDecoder(path)
    dequantizeModel(model)
    const plain = folder(fixture('phi3'))
    saveDecoder(model, plain)
    model.free()
    expect(readFileSync(join(plain, 'config.json'), 'utf8')).not.toContain('quantization_config')
    const dense = loadDecoder(plain)
    expect(logits(dense)).toBeAllclose(before, { absolute: 1e-4, relative: 1e-4 })
    expect(quantLinears(dense).size).toBe(0)
    dense.free()
  })

  it('leaves no tensors behind', () => {
    const { path } = quantized('llama', { format: 'nf4', doubleQuant: true })
    scope(() => loadDecoder(path).free())
    const before = memoryStats().liveBytes
    for (let i = 0; i < 3; i++) scope(() => loadDecoder(path).free())
    expect(memoryStats().liveBytes).toBe(before)
  })
})

describe('a damaged quantized model directory', () => {
  const base = quantized('llama', { format: 'nf4', doubleQuant: true }).path
  const changed = (
    change: (modules: Record<string, Record<string, unknown>>, config: Record<string, never>) => void,
  ) => {
    const path = folder(base)
    const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8'))
    change(config.quantization_config.modules, config)
    writeFileSync(join(path, 'config.json'), JSON.stringify(config))
    return () => loadDecoder(path)
  }
  const queries = 'model.layers.0.self_attn.q_proj'

  it.each([
    [
      'another block size',
      (modules) => Object.assign(modules[queries]!, { block_size: 128 }),
      /codes|scales.*expected shape \[\d+\]/,
    ],
    [
      'another format',
      (modules) => Object.assign(modules[queries]!, { format: 'nf2' }),
      /q_proj\.weight\.codes: expected shape/,
    ],
    [
      'no double quantization',
      (modules) => Object.assign(modules[queries]!, { double_quant: false }),
      /scales: expected f32 .*, got u8/,
    ],
    [
      'an unknown format',
      (modules) => Object.assign(modules[queries]!, { format: 'fp4' }),
      /modules\.model\.layers\.0\.self_attn\.q_proj\.format/,
    ],
    [
      'an impossible block size',
      (modules) => Object.assign(modules[queries]!, { block_size: 7 }),
      /q_proj: blockSize: expected a multiple of 32/,
    ],
    ['an unknown key', (modules) => Object.assign(modules[queries]!, { zeros: 1 }), /zeros/],
    [
      'a module too many',
      (modules) => Object.assign(modules, { 'model.layers.9.mlp.up_proj': { format: 'int8' } }),
      /expected matrices of this model, got model\.layers\.9/,
    ],
    [
      'a module too few',
      (modules) => delete modules[queries],
      /expected a tensor model\.layers\.0\.self_attn\.q_proj\.weight \[/,
    ],
    [
      'a list of modules',
      (_, config: Record<string, never>) =>
        Object.assign(config, { quantization_config: { quant_method: 'anneal', modules: [] } }),
      /quantization_config\.modules/,
    ],
  ] as [string, (modules: Record<string, Record<string, unknown>>, config: Record<string, never>) => void, RegExp][])(
    'with %s is one line',
    (_, change, message) => {
      let error: unknown
      try {
        changed(change)()
      } catch (caught) {
        error = caught
      }
      expect((error as Error).message).toMatch(message)
      expect((error as Error).message).not.toContain('\n')
      expect(error).toHaveProperty('exitCode', 3)
    },
  )

  it('with a truncated file is one line', () => {
    const path = folder(base)
    const file = join(path, 'model.safetensors')
    writeFileSync(file, readFileSync(file).subarray(0, -100))
    expect(() => loadDecoder(path)).toThrow(/model\.safetensors/)
  })

  it.each(['gptq', 'awq', 'compressed-tensors', 'bitsandbytes', undefined])(
    'refuses the method %s by name',
    (method) => {
      const load = changed((_, config) =>
        Object.assign(config, { quantization_config: { ...(method && { quant_method: method }), bits: 4 } }),
      )
      expect(load).toThrow(
        `quantization_config.quant_method: expected "anneal", got ${method === undefined ? 'nothing' : JSON.stringify(method)}. Load the`,
      )
    },
  )

  it('is not quantized a second time', () => {
    expect(() => loadDecoder(base, { quantize: { format: 'int8' } })).toThrow(
      /expected full-precision weights to quantize/,
    )
    const model = loadDecoder(base)
    expect(() => quantizeModel(model, new Map([[queries, { format: 'int8' }]]))).toThrow(/expected a dense matrix/)
    model.free()
  })
})
