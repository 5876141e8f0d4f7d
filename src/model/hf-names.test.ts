import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readModelConfig } from './config-read.ts'
import { checkpointModule, checkpointTensors, isIgnoredBuffer, modelParameters, tiedTo } from './hf-names.ts'

const root = 'test/fixtures/models'
const models = readdirSync(root)
const read = (model: string) => readModelConfig(JSON.parse(readFileSync(`${root}/${model}/config.json`, 'utf8')), model)

/** Names and shapes in a safetensors file. */
function shapesInFile(model: string): Record<string, string> {
  const bytes = readFileSync(`${root}/${model}/model.safetensors`)
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString()) as Record<
    string,
    { shape?: number[] }
  >
  return Object.fromEntries(
    Object.entries(header).flatMap(([name, { shape }]) => (shape ? [[name, shape.join('×')]] : [])),
  )
}

const tensorOf = (model: string, name: string) => checkpointTensors(read(model)).find((tensor) => tensor.name === name)!

describe('checkpoint names', () => {
  it.each(models)('are exactly those of %s, with its shapes', (model) => {
    const shapes = Object.fromEntries(checkpointTensors(read(model)).map(({ name, shape }) => [name, shape.join('×')]))
    expect(shapes).toEqual(shapesInFile(model))
  })

  it.each(models)('have the gradients of %s under the same names', (model) => {
    const { grad_norms } = JSON.parse(readFileSync(`${root}/${model}/expected.json`, 'utf8'))
    // Transformers 5 calls GPT-NeoX's head lm_head in memory and embed_out in the file.
    const names = checkpointTensors(read(model)).map(({ name }) => name.replace(/^embed_out/, 'lm_head'))
    expect(Object.keys(grad_norms).sort()).toEqual(names.sort())
  })

  it('hold every parameter once', () => {
    for (const model of models) {
      const paths = checkpointTensors(read(model)).flatMap(({ parts }) => parts.map(({ path }) => path))
      expect(paths.toSorted()).toEqual(
        modelParameters(read(model))
          .map(({ path }) => path)
          .sort(),
      )
      expect(new Set(paths).size).toBe(paths.length)
    }
  })

  it('split Phi-3’s fused rows in order, keys and values being narrower', () => {
    const tensor = tensorOf('phi3', 'model.layers.1.self_attn.qkv_proj.weight')
    expect(tensor).toMatchObject({ interleave: 1, isTransposed: false, shape: [128, 64] })
    expect(tensor.parts).toEqual([
      { path: 'model.layers.1.self_attn.q_proj.weight', shape: [64, 64] },
      { path: 'model.layers.1.self_attn.k_proj.weight', shape: [32, 64] },
      { path: 'model.layers.1.self_attn.v_proj.weight', shape: [32, 64] },
    ])
    expect(tensorOf('phi3', 'model.layers.0.mlp.gate_up_proj.weight').parts[0]!.path).toBe(
      'model.layers.0.mlp.gate_proj.weight',
    )
  })

  it('say that GPT-NeoX fuses by head and GPT-2 transposes matrices only', () => {
    expect(tensorOf('gpt-neox', 'gpt_neox.layers.0.attention.query_key_value.bias')).toMatchObject({
      interleave: 4,
      shape: [192],
    })
    expect(tensorOf('gpt2', 'transformer.h.0.attn.c_attn.weight')).toMatchObject({
      isTransposed: true,
      interleave: 1,
      shape: [64, 192],
    })
    expect(tensorOf('gpt2', 'transformer.h.0.attn.c_attn.bias').isTransposed).toBe(false)
    expect(tensorOf('gpt2', 'transformer.wte.weight').isTransposed).toBe(false)
  })

  it('know the names that older files use', () => {
    expect(tensorOf('gpt-neox', 'embed_out.weight').aliases).toEqual(['lm_head.weight'])
    expect(tensorOf('gpt2', 'transformer.h.1.ln_1.bias').aliases).toEqual(['h.1.ln_1.bias'])
  })

  it('list nothing for a branch that a layer does not have', () => {
    const config = read('gemma2')
    const layers = config.layers.map((layer, i) => (i === 1 ? { ...layer, attention: null } : layer))
    const names = modelParameters({ ...config, layers })
      .map(({ path }) => path)
      .filter((path) => path.startsWith('model.layers.1.'))
    expect(names).toEqual([
      'model.layers.1.pre_feedforward_layernorm.weight',
      'model.layers.1.mlp.gate_proj.weight',
      'model.layers.1.mlp.up_proj.weight',
      'model.layers.1.mlp.down_proj.weight',
      'model.layers.1.post_feedforward_layernorm.weight',
    ])
  })

  it('pass over buffers and a copied tied head, and nothing else', () => {
    expect(isIgnoredBuffer('llama', 'model.layers.0.self_attn.rotary_emb.inv_freq')).toBe(true)
    expect(isIgnoredBuffer('gpt2', 'h.0.attn.bias')).toBe(true)
    expect(isIgnoredBuffer('gpt2', 'transformer.h.0.attn.c_attn.bias')).toBe(false)
    expect(isIgnoredBuffer('gpt_neox', 'gpt_neox.layers.3.attention.masked_bias')).toBe(true)
    expect(isIgnoredBuffer('gpt_neox', 'gpt_neox.layers.3.attention.dense.bias')).toBe(false)
    expect(isIgnoredBuffer('llama', 'model.layers.0.attn.bias')).toBe(false)
    expect(tiedTo(read('llama31-tied'), 'lm_head.weight')).toBe('model.embed_tokens.weight')
    expect(tiedTo(read('llama'), 'lm_head.weight')).toBeUndefined()
  })

  it('translate module paths for adapters made elsewhere', () => {
    expect(checkpointModule('llama', 'model.layers.0.self_attn.q_proj')).toBe('model.layers.0.self_attn.q_proj')
    expect(checkpointModule('gpt2', 'model.layers.0.self_attn.k_proj')).toBe('transformer.h.0.attn.c_attn')
    expect(checkpointModule('gpt_neox', 'lm_head')).toBe('embed_out')
  })
})
