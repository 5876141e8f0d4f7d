// What cannot be said in GGUF, or is not understood there, is an error with the reason; never a file that answers otherwise.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { caseTokenizer } from '../../test/gguf-cases.ts'
import { randomDecoder } from '../../test/random-decoder.ts'
import { tinyTokenizer } from '../../test/tiny-model.ts'
import { InputError, NonFiniteError, UnsupportedError } from '../errors.ts'
import type { Linear } from '../nn/linear.ts'
import { ops, scope } from '../torch/index.ts'
import { writeModelGguf } from './export-model.ts'
import { configFromGguf } from './model-config.ts'
import { modelMetadata } from './model-metadata.ts'
import { preTokenizerName } from './pre-tokenizers.ts'
import type { GgufHeader, GgufTensor } from './read.ts'
import { tensorType } from './tensor-types.ts'
import { tokenizerFromMetadata } from './tokenizer-from-metadata.ts'
import { tokenizerMetadata } from './tokenizer-metadata.ts'
import type { GgufMetadata, GgufValue } from './values.ts'

describe('modelMetadata', () => {
  const YARN = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 }
  it.each([
    ['dynamic rope', { rope_scaling: { type: 'dynamic', factor: 2 } }, /rope_scaling/],
    ['a yarn temperature of its own', { rope_scaling: { ...YARN, attention_factor: 1.3 } }, /attention_factor/],
    ['another activation', { hidden_act: 'relu' }, /hidden_act/],
    [
      'unequal layers in another family',
      { model_type: 'qwen2', per_layer_config: { 1: { intermediate_size: 8 } } },
      /per_layer_config/,
    ],
    ['attention without an MLP', { per_layer_config: { 1: { skip: ['mlp'] } } }, /per_layer_config\.1/],
    ['no attention in the first layer', { per_layer_config: { 0: { skip: ['attention'] } } }, /per_layer_config\.0/],
    ['biases that the family has not', { model_type: 'qwen3', head_dim: 8, attention_bias: true }, /biases/],
    [
      'another pattern of windows',
      { model_type: 'gemma3_text', head_dim: 8, query_pre_attn_scalar: 8, sliding_window_pattern: 2 },
      /layer_types/,
    ],
    ['another attention scale', { model_type: 'gemma2', head_dim: 8, query_pre_attn_scalar: 5 }, /attention scale/],
  ])('refuses %s', (_, config, message) => {
    const model = randomDecoder(1, config)
    expect(() => modelMetadata(model.config)).toThrow(UnsupportedError)
    expect(() => modelMetadata(model.config)).toThrow(message)
    model.free()
  })
  it('cuts the context to the window where llama.cpp has none, and says so', () => {
    const model = randomDecoder(1, { model_type: 'mistral', sliding_window: 24 })
    const { metadata, notices } = modelMetadata(model.config)
    expect(metadata.get('llama.context_length')).toEqual({ type: 'u32', value: 24 })
    expect(notices).toEqual([expect.stringContaining('from 64 to 24')])
    model.free()
  })
})

describe('writeModelGguf', () => {
  it('names the tensor that is not finite, and leaves no file', () => {
    const directory = mkdtempSync(join(tmpdir(), 'anneal-gguf-'))
    const model = randomDecoder(1)
    const weight = (model.model.layers[1]!.mlp!.up_proj as Linear).weight
    scope(() => ops.fill_(weight, Number.NaN))
    const path = join(directory, 'a.gguf')
    expect(() => writeModelGguf(model, path)).toThrow(NonFiniteError)
    expect(() => writeModelGguf(model, path)).toThrow(/blk\.1\.ffn_up\.weight/)
    expect(readdirSync(directory)).toEqual([])
    scope(() => ops.fill_(weight, 1e5))
    expect(() => writeModelGguf(model, path, { format: 'q8_0' })).toThrow(/up to 65504/)
    model.free()
    rmSync(directory, { recursive: true })
  })
})

describe('tensorType', () => {
  const weight = (name: string, shape: number[], path = 'x.weight'): Parameters<typeof tensorType>[0] => ({
    name,
    shape,
    parts: [{ path, shape }],
    heads: 0,
    hasOffset: false,
  })
  const context = { format: 'q4_k', numLayers: 8, isTied: false, quantized: new Map() } as const
  it('gives more bits to the head, and to values and down projections of some layers, as llama.cpp does', () => {
    expect(tensorType(weight('output.weight', [100, 256]), context)).toBe('Q6_K')
    expect(tensorType(weight('token_embd.weight', [100, 256]), context)).toBe('Q4_K')
    expect(tensorType(weight('token_embd.weight', [100, 256]), { ...context, isTied: true })).toBe('Q6_K')
    const types = Array.from({ length: 8 }, (_, i) =>
      tensorType(weight(`blk.${i}.ffn_down.weight`, [256, 512]), context),
    )
    // Layers 0 and 7 are the outer eighths; between them every third, counted from the first inner one.
    expect(types).toEqual(['Q6_K', 'Q4_K', 'Q4_K', 'Q6_K', 'Q4_K', 'Q4_K', 'Q6_K', 'Q6_K'])
  })
  it('takes smaller blocks, then none, for rows that do not fit', () => {
    expect(tensorType(weight('blk.0.attn_q.weight', [64, 64]), context)).toBe('Q5_0')
    expect(tensorType(weight('blk.0.attn_q.weight', [48, 48]), context)).toBe('F16')
    expect(tensorType(weight('blk.0.attn_norm.weight', [256]), context)).toBe('F32')
  })
  it('follows the plan of a model that is quantized already', () => {
    const quantized = new Map([
      ['model.layers.0.mlp.up_proj', 'int8'],
      ['model.layers.1.mlp.up_proj', 'nf2'],
    ] as const)
    const plan = { ...context, format: 'f16', quantized } as const
    const typeOf = (layer: number): string =>
      tensorType(weight(`blk.${layer}.ffn_up.weight`, [64, 256], `model.layers.${layer}.mlp.up_proj.weight`), plan)
    expect([typeOf(0), typeOf(1), typeOf(2)]).toEqual(['Q8_0', 'Q4_K', 'F16'])
  })
})

describe('tokenizers', () => {
  const facts = { vocabSize: 100_000, eosTokenIds: [], file: 'tokenizer.json' }
  it.each(['bloom', 'deepseek', 'falcon', 'prefix-space', 'unigram', 'wordpiece'])(
    'of %s are refused with advice',
    (name) => {
      expect(() => tokenizerMetadata(caseTokenizer(name), facts)).toThrow(UnsupportedError)
    },
  )
  it('with more ids than the embedding has rows are refused', () => {
    expect(() => tokenizerMetadata(tinyTokenizer(), { ...facts, vocabSize: 260 })).toThrow(/Resize/)
  })
  it('with an odd setting beside a known pre-tokenizer are refused', () => {
    const json = caseTokenizer('gpt2').toJson()
    expect(() => preTokenizerName({ ...json, model: { ...json.model, ignore_merges: true } }, 'f')).toThrow(
      /ignore_merges/,
    )
    expect(() => preTokenizerName({ ...json, normalizer: { type: 'Lowercase' } }, 'f')).toThrow(/normalizer/)
  })
  it('fill ids without token up, name an end, and keep chat template and start token', () => {
    const metadata = tokenizerMetadata(tinyTokenizer('{{ messages }}'), {
      ...facts,
      vocabSize: 263,
      eosTokenIds: [2, 4],
    })
    const at = (key: string): unknown => metadata.get(`tokenizer.ggml.${key}`)?.value
    expect((at('tokens') as string[]).slice(260)).toEqual(
      ['ÿ', '[PAD261]', '[PAD262]'].map((token, i) => (i === 0 ? expect.any(String) : token)),
    )
    expect([at('bos_token_id'), at('eos_token_id'), at('eot_token_id'), at('add_bos_token')]).toEqual([1, 2, 4, true])
    expect(metadata.get('tokenizer.chat_template')?.value).toBe('{{ messages }}')
  })
})

describe('configFromGguf', () => {
  const TENSOR: GgufTensor = { type: 'F32', shape: [261, 16], begin: 0, end: 0 }
  const header = (more: Record<string, GgufValue>): GgufHeader => {
    const metadata: GgufMetadata = new Map<string, GgufValue>(
      Object.entries({
        'general.architecture': { type: 'string', value: 'llama' },
        'llama.block_count': { type: 'u32', value: 2 },
        'llama.embedding_length': { type: 'u32', value: 16 },
        'llama.context_length': { type: 'u32', value: 64 },
        'llama.feed_forward_length': { type: 'u32', value: 24 },
        'llama.attention.head_count': { type: 'u32', value: 2 },
        'llama.attention.layer_norm_rms_epsilon': { type: 'f32', value: Math.fround(1e-5) },
        ...more,
      } as Record<string, GgufValue>),
    )
    return { file: 'a.gguf', version: 3, alignment: 32, metadata, tensors: new Map([['token_embd.weight', TENSOR]]) }
  }
  it('reads what the metadata says, with decimals as they were written', () => {
    const config = configFromGguf(header({}))
    expect([
      config.modelType,
      config.layers.length,
      config.vocabSize,
      config.norm.eps,
      config.tieWordEmbeddings,
    ]).toEqual(['llama', 2, 261, 1e-5, true])
  })
  it.each([
    ['another architecture', { 'general.architecture': { type: 'string', value: 'rwkv6' } }, /general\.architecture/],
    ['an adapter', { 'general.type': { type: 'string', value: 'adapter' } }, /general\.type/],
    ['a missing width', { 'llama.embedding_length': { type: 'string', value: '16' } }, /embedding_length/],
    ['a billion layers', { 'llama.block_count': { type: 'u32', value: 1e9 } }, /block_count/],
    ['zero heads', { 'llama.attention.head_count': { type: 'u32', value: 0 } }, /num_attention_heads/],
    [
      'a list of another length',
      { 'llama.attention.head_count': { type: 'array', of: 'i32', value: [2] } },
      /head_count/,
    ],
    [
      'one part of a split model',
      { 'split.count': { type: 'u16', value: 3 }, 'split.no': { type: 'u16', value: 1 } },
      /part 2 of 3/,
    ],
    ['tokens that see what comes after them', { 'llama.attention.causal': { type: 'bool', value: false } }, /causal/],
    ['values of another size', { 'llama.attention.value_length': { type: 'u32', value: 4 } }, /value_length/],
    ['half of a head rotated', { 'llama.rope.dimension_count': { type: 'u32', value: 4 } }, /dimension_count/],
    ['a temperature of the attention', { 'llama.rope.scaling.attn_factor': { type: 'f32', value: 2 } }, /attn_factor/],
    ['an unknown rotation', { 'llama.rope.scaling.type': { type: 'string', value: 'su' } }, /scaling\.type/],
  ] as [string, Record<string, GgufValue>, RegExp][])('refuses %s', (_, more, message) => {
    expect(() => configFromGguf(header(more))).toThrow(InputError)
    expect(() => configFromGguf(header(more))).toThrow(message)
  })
  it('reads a factor without a type as linear, and the first spelling of it', () => {
    const rope = (more: Record<string, GgufValue>): unknown => configFromGguf(header(more)).layers[0]!.attention!.rope
    const linear = { type: 'linear', factor: 4 }
    expect(rope({ 'llama.rope.scaling.factor': { type: 'f32', value: 4 } })).toMatchObject(linear)
    expect(rope({ 'llama.rope.scale_linear': { type: 'f32', value: 4 } })).toMatchObject(linear)
    expect(rope({})).toMatchObject({ type: 'default' })
    const none: GgufValue = { type: 'string', value: 'none' }
    expect(
      rope({ 'llama.rope.scaling.type': none, 'llama.rope.scaling.factor': { type: 'f32', value: 4 } }),
    ).toMatchObject({ type: 'default' })
  })
  it('refuses divisors of frequencies by the hundred thousand', () => {
    const directory = mkdtempSync(join(tmpdir(), 'anneal-gguf-'))
    const file = join(directory, 'a.gguf')
    writeFileSync(file, Buffer.alloc(4 * 400_000, 1))
    const { tensors, ...rest } = header({})
    tensors.set('rope_freqs.weight', { type: 'F32', shape: [400_000], begin: 0, end: 4 * 400_000 })
    expect(() => configFromGguf({ ...rest, file, tensors })).toThrow(UnsupportedError)
    rmSync(directory, { recursive: true })
  })
  it('refuses a tokenizer that it cannot rebuild, by name', () => {
    const tokens: GgufValue = { type: 'array', of: 'string', value: ['a', 'b'] }
    const tokenizer = (model: string, pre: string): GgufHeader =>
      header({
        'tokenizer.ggml.model': { type: 'string', value: model },
        'tokenizer.ggml.pre': { type: 'string', value: pre },
        'tokenizer.ggml.tokens': tokens,
      })
    expect(() => tokenizerFromMetadata(tokenizer('t5', ''))).toThrow(/tokenizer\.ggml\.model/)
    expect(() => tokenizerFromMetadata(tokenizer('gpt2', 'dbrx'))).toThrow(/tokenizer\.ggml\.pre: .*dbrx/)
    expect(() => tokenizerFromMetadata(tokenizer('llama', ''))).toThrow(/tokenizer\.ggml\.scores/)
  })
})
