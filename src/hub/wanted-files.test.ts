import { describe, expect, it } from 'vitest'
import type { RepoFile } from './cache.ts'
import { isNeeded, shardsOf, wantedFiles } from './wanted-files.ts'

const files = (...paths: string[]): RepoFile[] => paths.map((path) => ({ path, size: 1, etag: '0'.repeat(40) }))
const wanted = (paths: string[], part?: string, need?: 'tokenizer'): string[] =>
  wantedFiles(files(...paths), part, part === undefined ? 'org/x' : `org/x:${part}`, need).files.map(({ path }) => path)

describe('wantedFiles', () => {
  it('takes safetensors and what belongs to them, and no other weights', () => {
    const needed = [
      'config.json',
      'generation_config.json',
      'tokenizer.json',
      'tokenizer.model',
      'vocab.txt',
      'merges.txt',
      'chat_template.jinja',
      'additional_chat_templates/rag.jinja',
      '1_Pooling/config.json',
      'modules.json',
      'lineage.json',
      'README.md',
      'LICENSE.txt',
    ]
    const others = [
      'pytorch_model.bin',
      'pytorch_model.bin.index.json',
      'consolidated.00.pth',
      'consolidated.safetensors',
      'tf_model.h5',
      'flax_model.msgpack',
      'onnx/model.onnx',
      'original/params.json',
      'model.fp16.safetensors',
      'model-Q4_K_M.gguf',
      'training_args.bin',
      'trainer_state.json',
      'figure.png',
      'run.py',
      '.gitattributes',
      'checkpoint-5/config.json',
    ]
    expect(wanted([...others, ...needed, 'model.safetensors'])).toEqual([...needed, 'model.safetensors'])
    expect(wanted(['adapter_config.json', 'adapter_model.safetensors', 'adapter_model.bin'])).toEqual([
      'adapter_config.json',
      'adapter_model.safetensors',
    ])
    expect(wanted(['model.safetensors', 'tokenizer.json', 'config.json'], undefined, 'tokenizer')).toEqual([
      'tokenizer.json',
      'config.json',
    ])
  })
  const GGUFS = [
    'm-Q4_K_M.gguf',
    'm.q8_0.gguf',
    'm-UD-IQ2_XXS.gguf',
    'BF16/m-BF16-00002-of-00002.gguf',
    'BF16/m-BF16-00001-of-00002.gguf',
    'Q6_K/model.gguf',
    'mmproj-F16.gguf',
    'README.md',
  ]
  it.each([
    ['Q4_K_M', ['m-Q4_K_M.gguf']],
    ['q4_k_m', ['m-Q4_K_M.gguf']],
    ['Q8_0', ['m.q8_0.gguf']],
    ['UD-IQ2_XXS', ['m-UD-IQ2_XXS.gguf']],
    ['bf16', ['BF16/m-BF16-00001-of-00002.gguf', 'BF16/m-BF16-00002-of-00002.gguf']],
    ['Q6_K', ['Q6_K/model.gguf']],
    ['BF16/m-BF16-00001-of-00002.gguf', ['BF16/m-BF16-00001-of-00002.gguf', 'BF16/m-BF16-00002-of-00002.gguf']],
    ['m-Q4_K_M.gguf', ['m-Q4_K_M.gguf']],
    ['README.md', ['README.md']],
  ])(':%s is one model, with all its files', (part, expected) => {
    expect(wanted(GGUFS, part)).toEqual(expected)
  })
  it('takes the one GGUF model of a repository, and lists several', () => {
    expect(wanted(['m-Q4_0.gguf', 'README.md'])).toEqual(['m-Q4_0.gguf'])
    expect(() => wanted(GGUFS)).toThrow(
      'org/x: expected one model, got 5 GGUF files. Name one: org/x:Q4_K_M, org/x:q8_0, org/x:UD-IQ2_XXS, org/x:BF16, org/x:Q6_K',
    )
    expect(() => wanted(GGUFS, 'Q3_K_S')).toThrow(
      "org/x:Q3_K_S: expected a file or quantization of the repository after :, got 'Q3_K_S'. There are org/x:Q4_K_M,",
    )
    expect(() => wanted(['a-Q4_0.gguf', 'b-Q4_0.gguf'], 'Q4_0')).toThrow(
      'expected one model of this quantization, got 2. Name one: org/x:a-Q4_0.gguf, org/x:b-Q4_0.gguf',
    )
  })
  it('takes no pickle, and says what to do', () => {
    expect(() => wanted(['config.json', 'pytorch_model.bin'])).toThrow(
      /^org\/x: expected weights as safetensors, got pickles alone \(pytorch_model\.bin\).*convert it with Transformers/,
    )
    expect(() => wanted(['model.safetensors', 'pytorch_model.bin'], 'pytorch_model.bin')).toThrow('got a pickle')
  })
  it('takes one file before an index, a tokenizer where anything will do, and a folder as if it were the repository', () => {
    const index = 'model.safetensors.index.json'
    expect(wanted(['config.json', 'model.safetensors', index, 'model-00001-of-00001.safetensors'])).toEqual([
      'config.json',
      'model.safetensors',
    ])
    const only = files('tokenizer.json', 'tokenizer_config.json', 'run.py')
    expect(wantedFiles(only, undefined, 'org/x', 'any').files).toEqual(only.slice(0, 2))
    expect(() => wantedFiles(only, undefined, 'org/x')).toThrow('expected model.safetensors')
    const nested = files(
      'checkpoint-10/config.json',
      `checkpoint-10/${index}`,
      'checkpoint-10/a.safetensors',
      'a.safetensors',
    )
    const inFolder = wantedFiles(nested, 'checkpoint-10', 'org/x:checkpoint-10')
    expect(inFolder).toEqual({ files: nested.slice(0, 2), index: nested[1], entry: 'checkpoint-10' })
    expect(shardsOf({ weight_map: { a: 'a.safetensors' } }, inFolder.index!, nested, 'org/x')).toEqual([nested[2]])
    expect(isNeeded('checkpoint-10/config.json', inFolder)).toBe(true)
    expect(isNeeded('checkpoint-10/README.md', inFolder)).toBe(false)
    expect(() => wanted(['data/x.txt'], 'data')).toThrow(/^org\/x:data: expected model\.safetensors/)
  })
  it('says what is there instead', () => {
    expect(() => wanted(['README.md'])).toThrow(
      /^org\/x: expected model\.safetensors, .* or a \.gguf file, got README\.md$/,
    )
    expect(() => wanted([])).toThrow('got no files')
    expect(() => wanted(['README.md', 'config.json'], 'confg.json')).toThrow("Did you mean 'config.json'?")
  })
})

it('takes of an index what is there, and nothing by another name', () => {
  const there = files('model-00001-of-00001.safetensors', 'pytorch_model.bin')
  const index = files('model.safetensors.index.json')[0]!
  expect(shardsOf({ weight_map: { a: there[0]!.path, b: there[0]!.path } }, index, there, 'org/x')).toEqual([there[0]])
  for (const wrong of ['../../etc/passwd', 'pytorch_model.bin', 'missing.safetensors', 5])
    expect(() => shardsOf({ weight_map: { a: wrong } }, index, there, 'org/x')).toThrow(
      /^org\/x, model\.safetensors\.index\.json: expected shards that are there, got/,
    )
})
