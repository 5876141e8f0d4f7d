import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../../test/tiny-model.ts'
import { check } from '../check/check.ts'
import { readHeader } from '../checkpoint/safetensors/safetensors.ts'
import { writeSafetensors } from '../checkpoint/safetensors/safetensors-write.ts'
import type { GgufValue } from '../gguf/values.ts'
import { writeGguf } from '../gguf/write.ts'
import { command } from './check.ts'

let base: string
let remove: () => void
let scratch: string
beforeAll(async () => {
  ;({ directory: base, remove } = await tinyModelDirectory({
    chatTemplate: TINY_CHAT_TEMPLATE,
    generationConfig: { eos_token_id: [2, 4] },
  }))
  scratch = mkdtempSync(join(tmpdir(), 'anneal-check-'))
})
afterAll(() => {
  remove()
  rmSync(scratch, { recursive: true })
})

type Json = Record<string, unknown>

interface StoredTensor {
  shape: number[]
  bytes: Buffer
}

/** A copy of the good directory with one file changed. */
function changed(name: string, file: string, change: (json: Json) => Json): string {
  const directory = join(scratch, name)
  cpSync(base, directory, { recursive: true })
  const path = join(directory, file)
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')))))
  return directory
}

/** The weights of the good directory, changed and written again. */
function reweighed(
  name: string,
  change: (tensors: Map<string, StoredTensor>) => void,
  metadata?: Record<string, string>,
): string {
  const directory = join(scratch, name)
  cpSync(base, directory, { recursive: true })
  const path = join(directory, 'model.safetensors')
  const data = readFileSync(path)
  const tensors = new Map(
    Array.from(readHeader(path).tensors, ([key, { shape, begin, end }]): [string, StoredTensor] => [
      key,
      { shape: [...shape], bytes: data.subarray(begin, end) },
    ]),
  )
  change(tensors)
  const sources = Array.from(tensors, ([key, { shape, bytes }]) => ({ name: key, dtype: 'F32' as const, shape, bytes }))
  writeSafetensors(path, sources, metadata ?? { format: 'pt' })
  return directory
}

const found = async (path: string, ...consumer: Parameters<typeof check>[1][]): Promise<string[]> =>
  (await check(path, ...consumer)).map(({ severity, where, message }) => `${severity} ${where} ${message}`)

describe('anneal check', () => {
  it('finds one fault in a config.json that is no JSON, and not what cannot be read for it', async () => {
    const directory = join(scratch, 'unparsable')
    cpSync(base, directory, { recursive: true })
    writeFileSync(join(directory, 'config.json'), '{"model_type": ')
    const errors = (await found(directory)).filter((line) => line.startsWith('error'))
    expect(errors).toEqual([expect.stringMatching(/^error config\.json .*JSON/)])
  })

  it('says of a folder that it is no model, and which one in it is', async () => {
    const folder = join(scratch, 'no-model')
    cpSync(base, join(folder, 'tiny'), { recursive: true })
    writeFileSync(join(folder, 'notes.txt'), 'x')
    const { code, out, err } = await runCommand(command, [folder])
    expect([code, out]).toEqual([3, ''])
    expect(err).toBe(
      `error: ${folder}: expected a model or an adapter, got a folder without config.json, adapter_config.json and weights: this is no model. Perhaps ${join(folder, 'tiny')} is meant\n`,
    )
    // What has a part of a model is one that lacks the rest.
    const part = join(scratch, 'part')
    cpSync(join(base, 'config.json'), join(part, 'config.json'))
    expect(await found(part)).toContainEqual(expect.stringMatching(/^error model\.safetensors /))
  })

  it('has nothing but the spelling of Transformers 5 to say about a good directory', async () => {
    const { code, out, err } = await runCommand(command, [base])
    expect(code).toBe(0)
    expect(err).toContain('0 errors, 0 warnings')
    expect(out).toContain('config.json:rope_parameters')
  })
  it('gives one JSON object a finding, and exit code 3 for errors', async () => {
    const directory = changed('no-type', 'config.json', ({ model_type: _, ...json }) => json)
    const { code, out } = await runCommand(command, [directory, '--json'])
    expect(code).toBe(3)
    const findings = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(findings).toContainEqual(expect.objectContaining({ severity: 'error', where: 'config.json:model_type' }))
  })
  it('finds what keeps answers from ending', async () => {
    const directory = changed('no-end', 'generation_config.json', () => ({ eos_token_id: 2 }))
    expect(await found(directory)).toContainEqual(
      expect.stringMatching(/^warning generation_config\.json:eos_token_id without 4 \(<\|im_end\|>\)/),
    )
    const outside = changed('outside', 'generation_config.json', () => ({ eos_token_id: [2, 4, 5000] }))
    expect(await found(outside)).toContainEqual(expect.stringMatching(/^error .*below 320.*5000/))
  })
  it('finds templates that differ, and merges that old readers refuse', async () => {
    const directory = changed('template', 'tokenizer_config.json', (json) => ({ ...json, chat_template: 'other' }))
    expect(await found(directory)).toContainEqual(
      expect.stringMatching(/^warning chat_template\.jinja another template/),
    )
    const pairs = changed('pairs', 'tokenizer.json', (json) => {
      const model = json.model as Json
      return { ...json, model: { ...model, vocab: { ...(model.vocab as Json), ab: 261 }, merges: [['a', 'b']] } }
    })
    expect(await found(pairs)).toContainEqual(expect.stringMatching(/^notice tokenizer\.json:model\.merges/))
  })
  it('finds more ids than rows of the embedding', async () => {
    const directory = changed('rows', 'tokenizer.json', (json) => ({
      ...json,
      added_tokens: [...(json.added_tokens as Json[]), { id: 400, content: '<new>', special: true }],
    }))
    expect(await found(directory)).toContainEqual(
      'notice tokenizer.json the model has no rows for "<new>" of its tokenizer: text with it is refused',
    )
    const ordinary = changed('ordinary-rows', 'tokenizer.json', (json) => {
      const { vocab, ...model } = json.model as Json
      return { ...json, model: { ...model, vocab: { ...(vocab as Json), new: 400 } } }
    })
    expect(await found(ordinary)).toContainEqual(expect.stringMatching(/^error tokenizer\.json 401 ids for 320 rows/))
  })
  it('finds lost, empty, misshapen and foreign tensors', async () => {
    const lost = reweighed('lost', (tensors) => tensors.delete('lm_head.weight'))
    expect(await found(lost)).toContainEqual(
      expect.stringMatching(
        /^error model\.safetensors:lm_head\.weight missing \[320,64\], and tie_word_embeddings is false/,
      ),
    )
    const empty = reweighed('empty', (tensors) => tensors.set('lm_head.weight', { shape: [0], bytes: Buffer.alloc(0) }))
    expect(await found(empty)).toContainEqual(expect.stringMatching(/lm_head\.weight an empty tensor/))
    const shaped = reweighed('shaped', (tensors) => {
      tensors.get('model.norm.weight')!.shape = [8, 8]
    })
    expect(await found(shaped)).toContainEqual(
      expect.stringMatching(/model\.norm\.weight expected \[64\] as in config\.json, got \[8,8\]/),
    )
    const foreign = reweighed('foreign', (tensors) =>
      tensors.set('model.extra', { shape: [1], bytes: Buffer.alloc(4) }),
    )
    expect(await found(foreign)).toContainEqual(expect.stringMatching(/model\.extra not a tensor of this architecture/))
  })
  it('finds tokens that stand beside tokenizer.json only', async () => {
    const directory = changed('beside', 'tokenizer_config.json', ({ added_tokens_decoder: _, ...json }) => ({
      ...json,
      extra_special_tokens: ['<|tool|>'],
    }))
    expect(await found(directory)).toContainEqual(
      expect.stringMatching(/^notice tokenizer\.json:added_tokens without 1 tokens \("<\|tool\|>"\)/),
    )
    expect((await found(base)).join()).not.toContain('tokenizer.json:added_tokens')
  })
  it('finds weights that are not numbers', async () => {
    const directory = reweighed('nan', (tensors) => {
      for (const { bytes } of tensors.values()) bytes.fill(0xff)
    })
    expect(await found(directory)).toContainEqual(
      expect.stringMatching(/^error model\.safetensors:.* holds NaN or infinity, and \d+ more tensors/),
    )
  })
  it('finds the file of an older save beside the shards of another', async () => {
    const directory = reweighed('two-sets', () => {})
    cpSync(join(directory, 'model.safetensors'), join(directory, 'model-00001-of-00002.safetensors'))
    const index = { weight_map: { 'model.norm.weight': 'model-00001-of-00002.safetensors' } }
    writeFileSync(join(directory, 'model.safetensors.index.json'), JSON.stringify(index))
    expect(await found(directory)).toContainEqual(
      expect.stringMatching(
        /^warning model\.safetensors two sets of weights: model\.safetensors is taken.*Remove those of the older save/,
      ),
    )
    rmSync(join(directory, 'model-00001-of-00002.safetensors'))
    expect((await found(directory)).filter((line) => line.startsWith('error'))).toEqual([])
  })
  it('finds weights without the entry that Transformers insists on', async () => {
    const directory = reweighed('no-format', () => {}, {})
    expect(await found(directory, 'transformers')).toContainEqual(
      expect.stringMatching(/^error .*__metadata__\.format/),
    )
  })
  it('tells a needless copy of a tied embedding from a head of its own', async () => {
    const tied = (name: string, head: string): string => {
      const directory = reweighed(name, (tensors) => tensors.set('lm_head.weight', tensors.get(head)!))
      const path = join(directory, 'config.json')
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), tie_word_embeddings: true }))
      return directory
    }
    expect(await found(tied('copy', 'model.embed_tokens.weight'))).toContainEqual(
      expect.stringMatching(/^notice .*lm_head\.weight a copy/),
    )
    expect(await found(tied('own', 'lm_head.weight'))).toContainEqual(
      expect.stringMatching(/^error .*lm_head\.weight other values/),
    )
  })
  it('says which programs do not load layers of unequal sizes', async () => {
    const directory = changed('unequal', 'config.json', (json) => ({
      ...json,
      per_layer_config: { 1: { num_attention_heads: 2 } },
    }))
    expect(await found(directory, 'vllm')).toContainEqual(expect.stringMatching(/^error config\.json:per_layer_config/))
    expect((await found(directory, 'llama.cpp')).join('\n')).not.toContain('per_layer_config')
  })
  it('checks what it can of an architecture that Anneal does not run', async () => {
    const directory = changed('mixtral', 'config.json', (json) => ({ ...json, model_type: 'mixtral' }))
    const lines = await found(directory)
    expect(lines).toContainEqual(expect.stringMatching(/^warning config\.json Anneal does not run this/))
    expect(lines.filter((line) => line.startsWith('error'))).toEqual([])
  })
  it('judges adapters for the program that is to load them', async () => {
    const dora = new URL('../../test/fixtures/training/lora-dora', import.meta.url).pathname
    expect(await found(dora, 'vllm')).toContainEqual(expect.stringMatching(/^error adapter_config\.json:use_dora/))
    expect((await found(dora, 'peft')).filter((line) => line.startsWith('error'))).toEqual([])
    const directory = join(scratch, 'adapter')
    cpSync(new URL('../../test/fixtures/training/lora-qv', import.meta.url), directory, { recursive: true })
    const path = join(directory, 'adapter_config.json')
    writeFileSync(
      path,
      JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), r: 3, modules_to_save: ['lm_head'] }),
    )
    const lines = await found(directory, 'llama.cpp')
    expect(lines).toContainEqual(expect.stringMatching(/^error .*modules_to_save/))
    expect((await found(directory, 'peft')).join('\n')).not.toMatch(/error .*modules_to_save/)
    expect(lines).toContainEqual(expect.stringMatching(/rank \d+, but adapter_config\.json says r 3/))
  })
  it('finds what is wrong with a GGUF file that still loads', async () => {
    const file = join(scratch, 'bad.gguf')
    const u32 = (value: number) => ({ type: 'u32', value }) as const
    writeGguf(
      file,
      new Map<string, GgufValue>([
        ['general.architecture', { type: 'string', value: 'llama' }],
        ['tokenizer.ggml.model', { type: 'string', value: 'gpt2' }],
        ['tokenizer.ggml.tokens', { type: 'array', of: 'string', value: ['a', 'b'] }],
        ['tokenizer.ggml.bos_token_id', u32(7)],
      ]),
      [{ name: 'blk.0.attn_norm.weight', type: 'F16', shape: [2], bytes: () => new Uint8Array(4) }],
    )
    const lines = await found(file)
    expect(lines).toContainEqual(expect.stringMatching(/^warning blk\.0\.attn_norm\.weight a vector in F16/))
    expect(lines).toContainEqual(expect.stringMatching(/^error tokenizer\.ggml\.pre missing/))
    expect(lines).toContainEqual(
      expect.stringMatching(/^error tokenizer\.ggml\.bos_token_id expected an id below 2, got 7/),
    )
    expect(lines).toContainEqual(expect.stringMatching(/^warning tokenizer\.ggml\.eos_token_id missing/))
  })
  it('says that the base of an adapter cannot be found', async () => {
    const directory = join(scratch, 'baseless')
    mkdirSync(directory)
    for (const [base, wanted] of [
      ['../gone', /^warning adapter_config\.json:base_model_name_or_path "\.\.\/gone" is not there \(looked for \//],
      ['some/model', /^notice adapter_config\.json:base_model_name_or_path .* on a hub$/],
    ] as const) {
      const config = { peft_type: 'LORA', target_modules: ['q_proj'], base_model_name_or_path: base }
      writeFileSync(join(directory, 'adapter_config.json'), JSON.stringify(config))
      expect(await found(directory)).toContainEqual(expect.stringMatching(wanted))
    }
  })

  it('says that PEFT does not load a GGUF file, the base of an adapter, by itself', async () => {
    const directory = join(scratch, 'on-gguf')
    mkdirSync(directory)
    writeFileSync(join(scratch, 'base.gguf'), 'GGUF')
    const config = { peft_type: 'LORA', target_modules: ['q_proj'], base_model_name_or_path: '../base.gguf' }
    writeFileSync(join(directory, 'adapter_config.json'), JSON.stringify(config))
    const said = /warning adapter_config\.json:base_model_name_or_path a GGUF file, which PEFT does not load by itself/
    expect(await found(directory, 'peft')).toContainEqual(expect.stringMatching(said))
    expect((await found(directory, 'vllm')).filter((line) => line.includes('GGUF'))).toEqual([])
  })

  it('refuses a file that is no GGUF, with code 3, and a path that leads nowhere', async () => {
    const file = join(scratch, 'text.gguf')
    writeFileSync(file, 'hello there')
    expect((await runCommand(command, [file])).code).toBe(3)
    expect((await runCommand(command, [join(scratch, 'nowhere')])).err).toMatch(/expected a directory or a \.gguf file/)
  })
})
