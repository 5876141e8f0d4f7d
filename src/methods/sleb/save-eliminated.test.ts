import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { randomDecoder } from '../../../test/random-decoder.ts'
import { type LineageStep, readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { loadConfig, loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { openModelWeights } from '../../checkpoint/model-directory/model-weights.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import { quantizeModel, quantLinears } from '../../model/quantize-model.ts'
import { withoutBlock } from '../../probe/intervention.ts'
import { noGrad, scope, Tensor } from '../../torch/index.ts'
import { eliminate } from './eliminate.ts'
import { saveEliminated, weightBytes } from './save-eliminated.ts'
import { sleb } from './sleb.ts'
import { type Unit, unitsOf } from './unit.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-eliminated-'))
afterAll(() => rmSync(folder, { recursive: true }))
const fixture = (name: string): string => new URL(`../../../test/fixtures/models/${name}`, import.meta.url).pathname
const step: LineageStep = { pass: 'sleb', options: {}, report: {}, date: new Date(0).toISOString(), annealVersion: '0' }
let count = 0

async function without(source: string, ...names: string[]): Promise<{ target: string; units: Unit[] }> {
  const config = loadConfig(source)
  const all = [
    ...unitsOf(config, 'block', { first: 0, last: 0 }),
    ...unitsOf(config, 'sublayer', { first: 0, last: 0 }),
  ]
  const units = names.map((name) => all.find((unit) => unit.name === name)!)
  const target = join(folder, `${count++}`)
  await saveEliminated(source, units, target, { step })
  return { target, units }
}

function logitsOf(model: ReturnType<typeof loadDecoder>): number[] {
  const ids = Tensor.from([5n, 9n, 42n, 7n, 100n, 3n] as never, [1, 6], 'i64')
  return noGrad(() => scope(() => model.forward({ inputIds: ids }).toArray()))
}

/** The GPT-2 fixture scales attention by the number of the layer, which no config.json can say of one that moved. */
function plainGpt2(): string {
  const source = join(folder, `source-${count++}`)
  cpSync(fixture('gpt2'), source, { recursive: true })
  const file = join(source, 'config.json')
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace(
      '"scale_attn_by_inverse_layer_idx": true',
      '"scale_attn_by_inverse_layer_idx": false',
    ),
  )
  return source
}

/** Ten blocks of a family with what its layers have. */
function tenLayers(more: Record<string, unknown> = {}): string {
  const source = join(folder, `source-${count++}`)
  cpSync(fixture('llama'), source, { recursive: true })
  saveDecoder(randomDecoder(1, { num_hidden_layers: 10, ...more }), source, { dtype: 'bf16' })
  return source
}

describe('saveEliminated', () => {
  it('copies the model bit for bit when nothing goes', async () => {
    for (const name of ['llama', 'gpt2', 'phi3', 'gpt-neox', 'llama31-tied', 'gemma2', 'qwen3']) {
      const { target } = await without(fixture(name))
      const [before, after] = [fixture(name), target].map((directory) => openModelWeights(directory).tensors)
      for (const [tensor, info] of after!) {
        const old = before!.get(tensor)!
        expect(info.dtype).toBe(old.dtype)
        const bytes = ({ file, begin, end }: typeof info): Buffer => readFileSync(file).subarray(begin, end)
        expect(bytes(info).equals(bytes(old))).toBe(true)
      }
      expect(logitsOf(loadDecoder(target))).toEqual(logitsOf(loadDecoder(fixture(name))))
    }
  })

  it('gives the model that eliminating in memory gives, in every family', async () => {
    const names = ['llama', 'phi3', 'gpt-neox', 'llama31-tied', 'gemma2', 'gemma3', 'olmo2', 'qwen2-swa', 'smollm3']
    for (const source of [plainGpt2(), ...names.map(fixture)]) {
      const last = loadConfig(source).layers.length - 1
      const ends = [['block 0'], [`block ${last}`], ['attention 1', 'mlp 1'], ['attention 0', `mlp ${last}`]]
      for (const [i, gone] of ends.entries()) {
        const { target, units } = await without(source, ...gone)
        const smaller = loadDecoder(target)
        expect(smaller.config.layers).toHaveLength(i < 3 ? last : last + 1)
        expect(logitsOf(smaller)).toEqual(logitsOf(eliminate(loadDecoder(source), units)))
      }
    }
  })

  it('numbers layers anew and says so in config.json', async () => {
    const types = Array.from({ length: 10 }, (_, i) => (i % 3 === 2 ? 'full_attention' : 'sliding_attention'))
    const window = { model_type: 'qwen2', use_sliding_window: true, sliding_window: 4, layer_types: types }
    const source = tenLayers(window)
    const { target } = await without(source, 'block 2', 'block 3', 'block 7')
    const json = JSON.parse(readFileSync(join(target, 'config.json'), 'utf8'))
    expect(json.num_hidden_layers).toBe(7)
    expect(json.layer_types).toEqual(types.filter((_, i) => ![2, 3, 7].includes(i)))
    expect(json.torch_dtype).toBe('bfloat16')
    expect(json).not.toHaveProperty('per_layer_config')
    const names = [...openModelWeights(target).tensors.keys()]
    const numbers = new Set(names.map((name) => /layers\.(\d+)\./.exec(name)?.[1]).filter(Boolean))
    expect([...numbers].map(Number).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(parse(readFileSync(join(target, 'mergekit.yaml'), 'utf8'))).toEqual({
      merge_method: 'passthrough',
      slices: [
        [0, 2],
        [4, 7],
        [8, 10],
      ].map((range) => ({ sources: [{ model: source, layer_range: range }] })),
      dtype: 'bfloat16',
    })
  })

  it('keeps a block that lost one branch, marked in per_layer_config', async () => {
    const { target } = await without(tenLayers(), 'attention 4', 'mlp 6', 'attention 8', 'mlp 8')
    const json = JSON.parse(readFileSync(join(target, 'config.json'), 'utf8'))
    expect(json.num_hidden_layers).toBe(9)
    expect(json.per_layer_config).toEqual({ 4: { skip: ['attention'] }, 6: { skip: ['mlp'] } })
    expect(existsSync(join(target, 'mergekit.yaml'))).toBe(false)
    // Removing goes on from there.
    const again = await without(target, 'mlp 4', 'block 6')
    const smaller = JSON.parse(readFileSync(join(again.target, 'config.json'), 'utf8'))
    expect([smaller.num_hidden_layers, smaller.per_layer_config]).toEqual([7, undefined])
  })

  it('keeps quantized matrices as they are stored', async () => {
    for (const name of ['llama', 'phi3']) {
      const source = join(folder, `source-${count++}`)
      cpSync(fixture(name), source, { recursive: true })
      const model = loadDecoder(source)
      quantizeModel(model, { format: 'nf4', blockSize: 32 })
      saveDecoder(model, source)
      const { target, units } = await without(source, 'block 0')
      const smaller = loadDecoder(target)
      expect(smaller.config.layers).toHaveLength(model.config.layers.length - 1)
      expect(quantLinears(smaller).size).toBeLessThan(quantLinears(model).size)
      for (const one of units) withoutBlock(one.block).apply(model)
      expect(logitsOf(smaller)).toEqual(logitsOf(model))
      const inputIds = Int32Array.of(5, 9, 42, 7, 100, 3)
      const { after } = await sleb(smaller, [{ rows: 1, length: 6, inputIds, labels: inputIds }], { remove: 0 })
      expect(after).toBeGreaterThan(0)
    }
  })

  it('brings the tokenizer and the lineage along, and counts the bytes that are left', async () => {
    const source = tenLayers()
    writeFileSync(join(source, 'tokenizer.json'), '{}')
    writeFileSync(join(source, 'LICENSE'), 'do what you like')
    writeFileSync(join(source, 'training_args.bin'), 'x')
    const first = await without(source, 'block 5')
    const second = await without(first.target, 'block 2')
    expect(readLineage(second.target).map(({ pass }) => pass)).toEqual(['sleb', 'sleb'])
    for (const name of ['tokenizer.json', 'LICENSE', 'generation_config.json'])
      expect(existsSync(join(second.target, name))).toBe(true)
    expect(existsSync(join(second.target, 'training_args.bin'))).toBe(false)
    expect(weightBytes(source, first.units)).toBe(weightBytes(first.target, []))
    expect(weightBytes(second.target, [])).toBeLessThan(weightBytes(first.target, []))
  })
})
