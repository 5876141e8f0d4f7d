import { describe, expect, it } from 'vitest'
import { jsonSchemaOf } from './kind.ts'
import { presetConfig } from './presets.ts'
import { CONFIG_KEYS } from './schema.ts'
import { trainKind } from './train-kind.ts'

describe('the JSON Schema of training', () => {
  const schema = jsonSchemaOf(trainKind) as {
    properties: Record<string, { description?: string; default?: unknown }>
    required: string[]
    additionalProperties: boolean
  }

  it('keeps its shape', async () => {
    await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot('__snapshots__/config.schema.json')
  })

  it('describes every key, allows no others and requires what has no default', () => {
    expect(Object.keys(schema.properties)).toEqual(CONFIG_KEYS)
    for (const [key, property] of Object.entries(schema.properties)) expect(property.description, key).toMatch(/\.\)?$/)
    expect(schema.additionalProperties).toBe(false)
    expect(schema.required).toEqual(['stage', 'dataset', 'output_dir'])
  })
})

describe('presets', () => {
  // Llama: embeddings V·D (tied), per layer q and o D·D each, k and v D·(kv·h), three MLP matrices D·I, two norms D.
  function parameters(config: Record<string, unknown>, vocabulary: number): number {
    const of = (key: string) => config[key] as number
    const [width, inner, layers] = [of('hidden_size'), of('intermediate_size'), of('num_hidden_layers')]
    const keyValue = of('num_key_value_heads') * of('head_dim')
    const layer = 2 * width * width + 2 * width * keyValue + 3 * width * inner + 2 * width
    return vocabulary * width + layers * layer + width
  }

  it('have the sizes that they claim', () => {
    expect(parameters(presetConfig('tiny'), 512)).toBe(1_173_120)
    expect(parameters(presetConfig('small'), 8192)).toBe(22_029_696)
    expect(parameters(presetConfig('base'), 49_152)).toBe(134_515_008) // SmolLM2-135M
  })

  it('are copies, so that a caller cannot change the next one', () => {
    presetConfig('tiny').hidden_size = 1
    expect(presetConfig('tiny').hidden_size).toBe(128)
  })
})
