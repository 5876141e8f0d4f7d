import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { InputError, UnsupportedError } from '../../errors.ts'
import { Tensor } from '../../torch/index.ts'
import { openModelWeights } from '../model-directory/model-weights.ts'
import { writeSafetensors } from '../safetensors/safetensors-write.ts'
import { tensorSource } from '../safetensors/tensor-bytes.ts'
import { groupLoraTensors, nameLoraTensors, readAdapter, writeAdapter } from './adapter.ts'
import { formatAdapterConfig, type LoraFile, parseAdapterConfig } from './adapter-config.ts'

const FIXTURES = join(import.meta.dirname, '../../../test/fixtures/training')
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-adapter-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
})

const json = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(FIXTURES, name, 'adapter_config.json'), 'utf8'))

const plain: LoraFile = {
  peft_type: 'LORA',
  base_model_name_or_path: 'some/base',
  r: 2,
  lora_alpha: 4,
  lora_dropout: 0,
  target_modules: ['q_proj'],
  use_rslora: false,
  use_dora: false,
  fan_in_fan_out: false,
  rank_pattern: {},
  alpha_pattern: {},
}

describe('parseAdapterConfig', () => {
  it('reads what PEFT writes', () => {
    expect(parseAdapterConfig(json('lora-all-rslora'), 'f')).toMatchObject({
      peft_type: 'LORA',
      r: 8,
      lora_alpha: 16,
      use_rslora: true,
    })
    expect(parseAdapterConfig(json('prompt-tuning'), 'f')).toMatchObject({
      peft_type: 'PROMPT_TUNING',
      num_virtual_tokens: 6,
      token_dim: 64,
    })
  })

  it('needs no more than the type and the modules, and fills in the defaults of PEFT', () => {
    const config = parseAdapterConfig({ peft_type: 'LORA', target_modules: 'all-linear' }, 'f')
    expect(config).toMatchObject({
      r: 8,
      lora_alpha: 8,
      lora_dropout: 0,
      use_rslora: false,
      use_dora: false,
      rank_pattern: {},
    })
  })

  it.each([
    ['bias', 'lora_only'],
    ['modules_to_save', ['lm_head']],
    ['lora_bias', true],
    ['use_qalora', true],
    ['alora_invocation_tokens', [1, 2]],
    ['trainable_token_indices', [0]],
    ['layer_replication', [[0, 4]]],
    ['target_parameters', ['mlp.experts']],
    ['megatron_config', { x: 1 }],
    ['init_lora_weights', 'pissa'],
    ['init_lora_weights', 'loftq'],
    ['task_type', 'SEQ_CLS'],
    ['a_key_of_next_year', 'on'],
  ])('refuses %s = %j by name, as it would change the result', (key, value) => {
    const act = (): unknown => parseAdapterConfig({ ...json('lora-qv'), [key]: value }, 'dir/adapter_config.json')
    expect(act).toThrow(UnsupportedError)
    expect(act).toThrow(`adapter config in dir/adapter_config.json:${key}: expected`)
    expect(act).toThrow(JSON.stringify(value))
  })

  it.each([
    ['modules_to_save', null],
    ['modules_to_save', []],
    ['a_key_of_next_year', false],
    ['a_key_of_next_year', {}],
    ['init_lora_weights', 'gaussian'],
    ['eva_config', { rho: 2 }],
    ['peft_version', '9.9'],
  ])('takes %s = %j, which changes nothing', (key, value) => {
    expect(parseAdapterConfig({ ...json('lora-qv'), [key]: value }, 'f')).toMatchObject({ r: 4 })
  })

  it.each([
    [[], /expected an object/],
    [null, /expected an object/],
    [{}, /:peft_type: expected LORA or PROMPT_TUNING, got undefined/],
    [{ peft_type: 'PREFIX_TUNING' }, /got "PREFIX_TUNING"/],
    [{ peft_type: 'LORA' }, /:target_modules: /],
    [{ ...plain, r: 0 }, /:r: /],
    [{ ...plain, r: '8' }, /:r: /],
    [{ ...plain, lora_alpha: 'x' }, /:lora_alpha: /],
    [{ ...plain, lora_dropout: 1 }, /:lora_dropout: /],
    [{ ...plain, rank_pattern: { q: -1 } }, /:rank_pattern\.q: /],
    [{ peft_type: 'PROMPT_TUNING', token_dim: 4 }, /:num_virtual_tokens: /],
    [
      { peft_type: 'PROMPT_TUNING', token_dim: 4, num_virtual_tokens: 2, num_transformer_submodules: 2 },
      /num_transformer_submodules: expected 1/,
    ],
  ])('refuses %j', (value, message) => {
    expect(() => parseAdapterConfig(value, 'f')).toThrow(InputError)
    expect(() => parseAdapterConfig(value, 'f')).toThrow(message)
  })

  it('reads again what formatAdapterConfig writes, with every key that other programs look for', () => {
    const text = formatAdapterConfig({ ...plain, rank_pattern: { 'a.b': 3 } })
    expect(parseAdapterConfig(JSON.parse(text), 'f')).toEqual({ ...plain, revision: null, rank_pattern: { 'a.b': 3 } })
    const ours = Object.keys(JSON.parse(text))
    expect(ours).toEqual([...ours].sort())
    const optional = [
      '_config',
      'use_bdlora',
      'use_qalora',
      'qalora_group_size',
      'alora_invocation_tokens',
      'ensure_weight_tying',
    ]
    const theirs = Object.keys(json('lora-qv')).filter((key) => !optional.some((name) => key.endsWith(name)))
    expect(ours).toEqual(expect.arrayContaining(theirs))
  })
})

describe('readAdapter', () => {
  it('gives tensors in f32 that do not depend on the file', () => {
    cpSync(join(FIXTURES, 'lora-qv'), directory, { recursive: true })
    const { config, tensors } = readAdapter(directory)
    expect(config.peft_type).toBe('LORA')
    const A = tensors.get('base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight')!
    const before = A.toArray()
    rmSync(join(directory, 'adapter_model.safetensors'))
    expect([A.dtype, A.shape]).toEqual(['f32', [4, 64]])
    expect(A.toArray()).toEqual(before)
  })

  it('refuses pickled weights, a missing file, and text that is not JSON', () => {
    expect(() => readAdapter(directory)).toThrow(InputError)
    writeFileSync(join(directory, 'adapter_config.json'), '{')
    expect(() => readAdapter(directory)).toThrow(/expected JSON/)
    writeFileSync(join(directory, 'adapter_config.json'), formatAdapterConfig(plain))
    expect(() => readAdapter(directory)).toThrow(/expected adapter_model\.safetensors/)
    writeFileSync(join(directory, 'adapter_model.bin'), Buffer.from([0x80, 2]))
    expect(() => readAdapter(directory)).toThrow(/pickle formats are never read/)
  })
})

describe('groupLoraTensors', () => {
  const key = (rest: string): string => `base_model.model.model.layers.0.self_attn.q_proj.${rest}`
  const of = (shapes: Record<string, number[]>): Map<string, Tensor> =>
    new Map(
      Object.entries(shapes).map(([name, shape]) => [
        name,
        Tensor.from(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape),
      ]),
    )
  const whole = { [key('lora_A.weight')]: [2, 4], [key('lora_B.weight')]: [3, 2] }

  it('sorts matrices by module, and names them again', () => {
    const tensors = of({ ...whole, [key('lora_magnitude_vector')]: [3] })
    const groups = groupLoraTensors({ config: { ...plain, use_dora: true }, tensors }, 'dir')
    expect([...groups.keys()]).toEqual(['model.layers.0.self_attn.q_proj'])
    expect([...nameLoraTensors(groups)].map(([name]) => name).sort()).toEqual([...tensors.keys()].sort())
  })

  it('takes a magnitude under its older name', () => {
    const tensors = of({ ...whole, [key('lora_magnitude_vector.weight')]: [3] })
    const groups = groupLoraTensors({ config: { ...plain, use_dora: true }, tensors }, 'dir')
    expect([...groups.values()][0]!.magnitude?.shape).toEqual([3])
  })

  it.each<[Record<string, number[]>, RegExp]>([
    [{}, /dir: expected tensors, got none/],
    [
      { ...whole, 'base_model.model.lm_head.weight': [3, 4] },
      /base_model\.model\.lm_head\.weight: expected lora_A, lora_B or a magnitude/,
    ],
    [{ ...whole, [key('lora_embedding_A')]: [3, 4] }, /lora_embedding_A: expected/],
    [{ ...whole, 'lora_A.weight': [2, 4] }, /lora_A\.weight: expected/],
    [{ [key('lora_A.weight')]: [2, 4] }, /q_proj: expected lora_A, lora_B .* got lora_A$/],
    [{ ...whole, [key('lora_magnitude_vector')]: [3] }, /with use_dora only/],
    [{ ...whole, [key('lora_B.weight')]: [3, 5] }, /expected lora_A \[r, in\].* got \[2,4\], \[3,5\]/],
    [{ ...whole, [key('lora_A.weight')]: [8] }, /got \[8\], \[3,2\]/],
  ])('refuses %j', (shapes, message) => {
    const act = (): unknown => groupLoraTensors({ config: plain, tensors: of(shapes) }, 'dir')
    expect(act).toThrow(InputError)
    expect(act).toThrow(message)
  })
})

describe('writeAdapter', () => {
  it('writes the files of PEFT and replaces those of an earlier save', () => {
    const tensor = (value: number): Tensor => Tensor.from([value, value], [1, 2])
    writeSafetensors(join(directory, 'adapter_model-00001-of-00002.safetensors'), [tensorSource('old', tensor(0))])
    const files = writeAdapter(directory, plain, [['base_model.model.x.lora_A.weight', tensor(1)]], ['a notice'])
    expect(files.map(({ path }) => path.slice(directory.length + 1))).toEqual([
      'adapter_model.safetensors',
      'adapter_config.json',
      'README.md',
    ])
    expect(openModelWeights(directory, 'adapter_model').metadata.get('format')).toBe('pt')
    expect(readAdapter(directory).tensors.get('base_model.model.x.lora_A.weight')!.toArray()).toEqual([1, 1])
    const readme = readFileSync(join(directory, 'README.md'), 'utf8')
    expect(readme).toMatch(/^---\nbase_model: "some\/base"\nlibrary_name: peft\n/)
    expect(readme).toContain('- a notice')
  })
})
