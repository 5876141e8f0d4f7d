// config.json as Transformers writes it, by scripts/goldens/configs.py, and the text part of wrappers.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { UnsupportedError } from '../errors.ts'
import { readModelConfig } from './config-read.ts'
import { writeModelConfig } from './config-write.ts'
import { textPartNotices } from './text-part.ts'

interface Case {
  name: string
  json: { text_config?: object; model_type: string }
  sizes: {
    vocab_size: number
    hidden_size: number
    layers: number
    heads: number
    key_value_heads: number
    head_dim: number
    windows: (number | null)[] | null
    text?: string
  }
}

const cases = JSON.parse(readFileSync('test/fixtures/configs.json', 'utf8')) as Case[]

describe('configurations that Transformers writes', () => {
  it.each(cases.map(({ name, ...rest }) => [name, rest] as const))(
    'reads %s as its class does',
    (name, { json, sizes }) => {
      const config = readModelConfig(json, name)
      const { attention } = config.layers[0]!
      expect({
        vocab_size: config.vocabSize,
        hidden_size: config.hiddenSize,
        layers: config.layers.length,
        heads: attention!.numAttentionHeads,
        key_value_heads: attention!.numKeyValueHeads,
        head_dim: attention!.headDim,
        text: sizes.text && config.modelType,
      }).toEqual({ text: undefined, ...sizes, windows: undefined })
      if (sizes.windows !== null)
        expect(config.layers.map((layer) => layer.attention!.slidingWindow)).toEqual(sizes.windows)
      expect(config.wrapperType).toBe(sizes.text && json.model_type)
    },
  )
})

describe('textPartOf', () => {
  const text_config = {
    model_type: 'qwen2',
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    vocab_size: 300,
    eos_token_id: 7,
    bos_token_id: null,
  }
  const wrapper = {
    model_type: 'llava_onevision',
    architectures: ['LlavaOnevisionForConditionalGeneration'],
    vision_config: { x: 1 },
    image_token_index: 299,
    torch_dtype: 'bfloat16',
    bos_token_id: 5,
    eos_token_id: 6,
    text_config,
  }

  it('takes from the wrapper what it says once for all parts, and nothing else', () => {
    const config = readModelConfig(wrapper, 'config.json')
    expect(config).toMatchObject({ modelType: 'qwen2', dtype: 'bfloat16', bosTokenId: 5, eosTokenIds: [7] })
    expect(textPartNotices(config)).toEqual([
      expect.stringMatching(/^a llava_onevision model: its text part \(qwen2\)/),
    ])
    const written = writeModelConfig(config)
    expect(written).toMatchObject({ model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'], vocab_size: 300 })
    expect(Object.keys(written).join()).not.toMatch(/vision|image|text_config/)
    expect(readModelConfig(written, 'again').wrapperType).toBeUndefined()
  })

  it('says where a wrong key is', () => {
    const wrong = { ...wrapper, text_config: { ...text_config, hidden_size: 'x' } }
    expect(() => readModelConfig(wrong, 'c.json')).toThrow(/c\.json: text_config\.hidden_size: expected/)
  })

  it.each<[string, object, RegExp]>([
    [
      'a text part of an unknown kind',
      { text_config: { model_type: 'cohere2' } },
      /got "llava_onevision"\. Its text part is a "cohere2"/,
    ],
    ['an encoder and a decoder', { is_encoder_decoder: true }, /is_encoder_decoder/],
    ['PaliGemma, whose prompts see ahead', { model_type: 'paligemma', text_config: { model_type: 'gemma' } }, /causal/],
    [
      'quantized weights',
      { quantization_config: { quant_method: 'awq' } },
      /quant_method: expected "anneal", got "awq"/,
    ],
    [
      "weights in MLX's format",
      { quantization: { group_size: 64, bits: 4 } },
      /format of MLX .*mlx_lm\.convert --dequantize/,
    ],
  ])('refuses %s', (_, change, message) => {
    expect(() => readModelConfig({ ...wrapper, ...change }, 'config.json')).toThrow(UnsupportedError)
    expect(() => readModelConfig({ ...wrapper, ...change }, 'config.json')).toThrow(message)
  })
})
