import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnnealError, InputError, UnsupportedError } from '../errors.ts'
import type { JsonObject } from './config-fields.ts'
import { readModelConfig } from './config-read.ts'
import { formatModelConfig, writeModelConfig } from './config-write.ts'

const root = 'test/fixtures/models'
const models = readdirSync(root)
const json = (model: string, file = 'config.json'): JsonObject =>
  JSON.parse(readFileSync(`${root}/${model}/${file}`, 'utf8'))
const read = (value: unknown) => readModelConfig(value, 'config.json')
const llama = json('llama')
/** What the model computes: everything but the object that was read. */
const meaning = (value: unknown) => ({ ...read(value), raw: {} })

describe('readModelConfig', () => {
  it('reads a Llama', () => {
    const config = read(llama)
    expect(config).toMatchObject({
      modelType: 'llama',
      vocabSize: 320,
      hiddenSize: 64,
      tieWordEmbeddings: false,
      dtype: 'float32',
    })
    expect(config.layers).toHaveLength(3)
    expect(config.layers[1]).toEqual({
      attention: {
        numAttentionHeads: 4,
        numKeyValueHeads: 2,
        headDim: 16,
        scale: 0.25,
        logitSoftcapping: null,
        slidingWindow: null,
        rope: { type: 'default', theta: 10_000, rotaryDim: 16 },
        qkNorm: 'none',
        hasQkvBias: false,
        hasOutputBias: false,
      },
      mlp: { intermediateSize: 176, activation: 'silu', isGated: true, hasBias: false, hasOutputBias: false },
    })
  })

  it.each(models.filter((model) => model !== 'llama'))(
    'reads %s alike from the spellings of Transformers 4 and 5',
    (model) => {
      expect(meaning(json(model, 'config-v4.json'))).toEqual(meaning(json(model)))
    },
  )

  it('gives every layer the window of its family', () => {
    const windows = (model: string) => read(json(model)).layers.map((layer) => layer.attention?.slidingWindow)
    expect(windows('mistral-swa')).toEqual([12, 12, 12])
    expect(windows('qwen2')).toEqual([null, null, null])
    expect(windows('qwen2-swa')).toEqual([null, 9, 9])
    expect(windows('gemma2')).toEqual([10, null, 10])
    expect(windows('gemma3')).toEqual([10, 10, null, 10])
  })

  it('tells a missing key, which has the default of its class, from null, which switches off', () => {
    const gemma2 = json('gemma2')
    const { sliding_window: _, final_logit_softcapping: __, ...missing } = gemma2
    expect(read(missing).finalLogitSoftcapping).toBe(30)
    expect(read(missing).layers[0]!.attention!.slidingWindow).toBe(4096)
    expect(read({ ...gemma2, final_logit_softcapping: null }).finalLogitSoftcapping).toBeNull()
    expect(read({ ...json('mistral-swa'), sliding_window: null }).layers[0]!.attention!.slidingWindow).toBeNull()
  })

  it('leaves some layers of SmolLM3 without rotation and rotates the local layers of Gemma 3 their own way', () => {
    const rotates = read(json('smollm3')).layers.map((layer) => layer.attention!.rope !== null)
    expect(rotates).toEqual([true, true, false, true])
    const thetas = read(json('gemma3')).layers.map((layer) => layer.attention!.rope!.theta)
    expect(thetas).toEqual([1e4, 1e4, 1e6, 1e4])
  })

  it('scales attention as the family does', () => {
    expect(read(json('gemma2')).layers[0]!.attention!.scale).toBeCloseTo(20 ** -0.5, 12)
    // GPT-2 with scale_attn_by_inverse_layer_idx: 1/√16, then half of it.
    expect(read(json('gpt2')).layers.map((layer) => layer.attention!.scale)).toEqual([0.25, 0.125])
  })

  it('reads ids that are lists, and -1 as none', () => {
    expect(read({ ...llama, eos_token_id: [2, 5], pad_token_id: -1 })).toMatchObject({
      eosTokenIds: [2, 5],
      padTokenId: null,
    })
  })

  it.each<[string, object]>([
    ['null for a key of another family', { sliding_window: null, num_experts: null, clip_qkv: null }],
    ['a feature that is switched off', { use_sliding_window: false, sliding_window: 4096, max_window_layers: 28 }],
    ['layers that are all alike', { layer_types: Array(3).fill('full_attention') }],
    ['"auto" for a dtype', { dtype: 'auto', torch_dtype: 'auto' }],
    ['experts that there are not', { num_experts: 0, norm_topk_prob: true, mlp_only_layers: [] }],
    ['dropout that is none', { resid_pdrop: 0.0, hidden_dropout: 0 }],
    ['a bias that is none', { qkv_bias: false }],
    ['a multiplication by one', { residual_multiplier: 1.0 }],
  ])('accepts %s', (_, settings) => {
    const { dtype, ...expected } = meaning(llama)
    expect(meaning({ ...llama, ...settings })).toEqual({ ...expected, dtype: 'dtype' in settings ? null : dtype })
  })

  it.each<[string, object]>([
    ['a window', { sliding_window: 8, use_sliding_window: true }],
    ['layers with a window', { layer_types: ['full_attention', 'sliding_attention', 'full_attention'] }],
    ['experts', { num_experts: 8 }],
    ['dropout', { resid_pdrop: 0.1 }],
    ['a bias', { qkv_bias: true }],
    ['a multiplier', { residual_multiplier: 0.22 }],
    ['something that nobody knows', { use_new_thing: false }],
  ])('refuses %s that the family does not have', (_, settings) => {
    expect(() => read({ ...llama, ...settings })).toThrow(UnsupportedError)
  })

  it('takes as many key heads as query heads for null, and the default of the class for a missing key', () => {
    const mistral = json('mistral-swa')
    const heads = (value: object) => read(value).layers[0]!.attention!.numKeyValueHeads
    const { num_key_value_heads: _, ...rest } = mistral
    const missing = { ...rest, num_attention_heads: 16, head_dim: 4 }
    expect(heads({ ...missing, num_key_value_heads: null })).toBe(16)
    expect(heads(missing)).toBe(8)
    expect(read({ ...mistral, head_dim: null }).layers[0]!.attention!.headDim).toBe(
      (mistral.hidden_size as number) / (mistral.num_attention_heads as number),
    )
  })

  it('reads the overrides of single layers', () => {
    const per_layer_config = {
      '1': { intermediate_size: 96, num_attention_heads: 2, num_key_value_heads: 1 },
      '02': { skip: ['attention'] },
    }
    const config = read({ ...llama, per_layer_config })
    expect(config.layers[0]!.mlp!.intermediateSize).toBe(176)
    expect(config.layers[1]!.mlp!.intermediateSize).toBe(96)
    expect(config.layers[1]!.attention).toMatchObject({ numAttentionHeads: 2, numKeyValueHeads: 1, headDim: 16 })
    expect(config.layers[2]!.attention).toBeNull()
  })

  it.each<[string, object, RegExp]>([
    ['model_type', { model_type: 'bert' }, /model_type: expected one of llama, .*got "bert"/],
    ['model_type', { model_type: '__proto__' }, /got "__proto__"/],
    [
      'an unknown key',
      { some_new_scale: 0.5 },
      /some_new_scale: expected a key known for model_type "llama", got 0\.5/,
    ],
    ['a key of another family', { sliding_window: 8 }, /sliding_window/],
    [
      'quantized weights',
      { quantization_config: { quant_method: 'gptq' } },
      /quantization_config.*Load the unquantized/,
    ],
    ['another head', { architectures: ['LlamaForSequenceClassification'] }, /architectures: expected LlamaForCausalLM/],
    ['an activation', { hidden_act: 'mish' }, /hidden_act: expected one of .*got "mish"/],
    ['an encoder', { is_encoder_decoder: true }, /is_encoder_decoder/],
    ['interleaved rotation', { rope_interleaved: true }, /rope_interleaved/],
    ['a layer override', { per_layer_config: { '0': { head_dim: 8 } } }, /per_layer_config\.0\.head_dim/],
  ])('refuses %s that it does not implement', (_, settings, message) => {
    expect(() => read({ ...llama, ...settings })).toThrow(UnsupportedError)
    expect(() => read({ ...llama, ...settings })).toThrow(message)
  })

  it.each<[string, object, RegExp]>([
    ['hidden_size', { hidden_size: null }, /hidden_size: expected a number from 1 to 16777216, got nothing/],
    ['hidden_size', { hidden_size: '64' }, /hidden_size: .*got "64"/],
    ['hidden_size', { hidden_size: 64.5 }, /hidden_size: expected a whole number/],
    ['num_hidden_layers', { num_hidden_layers: 1e9 }, /num_hidden_layers: expected a number from 1 to 4096/],
    ['num_attention_heads', { num_attention_heads: 0 }, /num_attention_heads/],
    [
      'num_key_value_heads',
      { num_key_value_heads: 3 },
      /num_key_value_heads: expected a divisor of the 4 attention heads, got 3/,
    ],
    [
      'a head size that does not divide',
      { num_attention_heads: 5, head_dim: null },
      /hidden_size: expected a multiple of the 5/,
    ],
    ['tie_word_embeddings', { tie_word_embeddings: 'yes' }, /tie_word_embeddings: expected true or false/],
    ['rms_norm_eps', { rms_norm_eps: 0 }, /rms_norm_eps: expected a number above 0, got 0/],
    ['eos_token_id', { eos_token_id: 'two' }, /eos_token_id/],
    ['dtype', { dtype: 'int4' }, /dtype: expected one of float32/],
    ['per_layer_config', { per_layer_config: { '3': {} } }, /per_layer_config\.3: expected each layer from 0 to 2/],
  ])('refuses a wrong %s', (_, settings, message) => {
    expect(() => read({ ...llama, ...settings })).toThrow(InputError)
    expect(() => read({ ...llama, ...settings })).toThrow(message)
  })

  it('refuses windows that are asked for and switched off', () => {
    expect(() => read({ ...json('qwen2-swa'), use_sliding_window: false })).toThrow(/sliding_window: expected a window/)
    expect(() => read({ ...json('gemma2'), layer_types: ['full_attention'] })).toThrow(
      /layer_types: expected 3 entries, got 1/,
    )
    expect(() =>
      read({ ...json('gemma2'), layer_types: ['chunked_attention', 'full_attention', 'full_attention'] }),
    ).toThrow(/layer_types/)
  })

  it.each([null, 7, 'text', [], undefined])('refuses %j instead of an object', (value) => {
    expect(() => read(value)).toThrow(/top level: expected an object/)
  })

  it.each([
    ['of many', Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${'k'.repeat(30)}${i}`, -1e100]))],
    ['with a long name', { ['z'.repeat(900)]: 1 }],
    ['that are texts', 'x'.repeat(3000)],
    ['that are lists', Array(3000).fill('y')],
  ])('tells of values %s in short lines', (_, value) => {
    for (const key of [...Object.keys(llama), 'a key nobody knows']) {
      for (const each of [value, { inner: value }]) {
        let message = ''
        try {
          read({ ...llama, [key]: each })
        } catch (error) {
          message = (error as Error).message
        }
        expect(message.length, `${key}: ${message}`).toBeLessThan(500)
      }
    }
  })

  it('answers any change of any key with a description or a one-line error', () => {
    const bases = models.map((model) => json(model))
    const numRuns = process.env.ANNEAL_LONG === '1' ? 200_000 : 3_000
    const property = fc.property(
      fc.constantFrom(...bases),
      fc.nat(),
      fc.oneof(fc.jsonValue(), fc.integer(), fc.constantFrom(0, -1, 1e308, 2 ** 53, '', {}, [], null, true)),
      (base, pick, value) => {
        const keys = Object.keys(base)
        const changed = { ...base, [keys[pick % keys.length]!]: value }
        try {
          expect(read(changed).layers.length).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toBeInstanceOf(AnnealError)
          expect((error as Error).message).toMatch(/^model config in config\.json: .+$/)
          expect((error as Error).message.length).toBeLessThan(600)
        }
      },
    )
    fc.assert(property, { numRuns })
  })
})

describe('writeModelConfig', () => {
  it.each(models)('keeps what %s means, in the spelling of Transformers 4', (model) => {
    const written = writeModelConfig(read(json(model)))
    expect(written).not.toHaveProperty('rope_parameters')
    expect(written).toHaveProperty('torch_dtype', 'float32')
    expect(meaning(JSON.parse(JSON.stringify(written)))).toEqual(meaning(json(model)))
    expect(written).toHaveProperty('use_cache', true)
  })

  it.each(models.filter((model) => model !== 'gpt2'))('follows %s when layers are removed', (model) => {
    const config = read(json(model))
    const kept = { ...config, layers: config.layers.slice(-1) }
    const written = writeModelConfig(kept)
    expect(meaning(written)).toEqual({ ...kept, raw: {} })
  })

  it('keeps unequal layers under per_layer_config', () => {
    const config = read(llama)
    const layers = config.layers.map((layer, i) => ({
      attention: i === 2 ? null : { ...layer.attention!, numAttentionHeads: i === 1 ? 2 : 4, numKeyValueHeads: 2 },
      mlp: i === 0 ? null : { ...layer.mlp!, intermediateSize: i === 1 ? 100 : 176 },
    }))
    const written = writeModelConfig({ ...config, layers })
    expect(written.per_layer_config).toMatchObject({ '0': { skip: ['mlp'] }, '2': { skip: ['attention'] } })
    expect(meaning(written)).toEqual({ ...config, layers, raw: {} })
  })

  it.each(models)('keeps a bias on the output matrices alone, for %s', (model) => {
    const config = read(json(model))
    const biased = config.layers.map(({ attention, mlp }, i) => ({
      attention: { ...attention!, hasOutputBias: i === 0 || attention!.hasOutputBias },
      mlp: { ...mlp!, hasOutputBias: true },
    }))
    const written = writeModelConfig({ ...config, layers: biased })
    expect(meaning(written)).toEqual({ ...config, layers: biased, raw: {} })
    // Taken away again, the keys go too.
    const again = writeModelConfig({ ...read(written), layers: config.layers })
    expect(meaning(again)).toEqual({ ...config, raw: {} })
    expect(JSON.stringify(again)).not.toContain('output_bias')
  })

  it.each(['gpt2', 'gpt-neox'])('keeps fewer heads in every layer of %s, whose files have no head_dim', (model) => {
    const config = read(json(model))
    const layers = config.layers.map(({ attention, mlp }) => ({
      attention: { ...attention!, numAttentionHeads: 3, numKeyValueHeads: 3 },
      mlp,
    }))
    const written = writeModelConfig({ ...config, layers })
    expect(written).toMatchObject({ [model === 'gpt2' ? 'n_head' : 'num_attention_heads']: 4 })
    expect(meaning(written)).toEqual({ ...config, layers, raw: {} })
  })

  it('refuses what config.json cannot say, here a scale that follows from the place of a removed layer', () => {
    const config = read(json('gpt2'))
    expect(() => writeModelConfig({ ...config, layers: config.layers.slice(1) })).toThrow(
      /model config to write: layers/,
    )
    expect(() => writeModelConfig({ ...config, embeddingScale: 2 })).toThrow(UnsupportedError)
  })

  it('writes changed sizes and ids', () => {
    const written = writeModelConfig({
      ...read(llama),
      vocabSize: 400,
      eosTokenIds: [2, 7],
      tieWordEmbeddings: true,
      dtype: 'bfloat16',
    })
    expect(written).toMatchObject({
      vocab_size: 400,
      eos_token_id: [2, 7],
      tie_word_embeddings: true,
      torch_dtype: 'bfloat16',
    })
  })
})

describe('formatModelConfig', () => {
  it('keeps the decimal point of floats and of nothing else', () => {
    const text = formatModelConfig({
      rope_theta: 10_000,
      rope_scaling: { factor: 2, type: 'a\n"factor": 3' },
      hidden_size: 64,
      rms_norm_eps: 1e-6,
    })
    expect(text).toContain('"rope_theta": 10000.0,')
    expect(text).toContain('"factor": 2.0,')
    expect(text).toContain('"hidden_size": 64,')
    expect(text).toContain('\\"factor\\": 3"')
    expect(JSON.parse(text)).toMatchObject({ rope_theta: 10_000, rms_norm_eps: 1e-6 })
  })
})
