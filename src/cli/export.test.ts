import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../../test/tiny-model.ts'
import { check } from '../check/check.ts'
import { readLineage } from '../checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../checkpoint/model-directory/save.ts'
import { readHeader } from '../checkpoint/safetensors/safetensors.ts'
import { compareModels } from '../gguf/compare.ts'
import { loadGgufParts } from '../gguf/load-parts.ts'
import { readGguf, readTensorBytes } from '../gguf/read.ts'
import { loadLora } from '../methods/lora/adapter-files.ts'
import { quantizeModel } from '../model/quantize-model.ts'
import { command } from './export.ts'
import { command as generate } from './generate.ts'
import { command as score } from './score.ts'

const adapter = (name: string): string =>
  fileURLToPath(new URL(`../../test/fixtures/training/${name}`, import.meta.url))
const IDS = Array.from({ length: 30 }, (_, i) => (i * 41 + 7) % 261)

let out: string
let model: string
let remove: () => void
beforeAll(async () => {
  out = mkdtempSync(join(tmpdir(), 'anneal-export-'))
  ;({ directory: model, remove } = await tinyModelDirectory({
    chatTemplate: TINY_CHAT_TEMPLATE,
    generationConfig: { eos_token_id: [2, 4] },
  }))
})
afterAll(() => {
  remove()
  rmSync(out, { recursive: true })
})

describe('anneal export --to gguf', () => {
  it('writes a file that says what the model says, with a card and a Modelfile', async () => {
    const file = join(out, 'tiny.gguf')
    const { code, out: text, err } = await runCommand(command, ['--to', 'gguf', '--model', model, '--out', file])
    expect([code, err.includes('error')]).toEqual([0, false])
    expect(text).toMatch(/same top token at 100 % .* 15 of 15 hard texts/)
    expect(readFileSync(`${file}.md`, 'utf8')).toMatch(/same most probable token \| 100 %/)
    expect(readFileSync(`${file}.Modelfile`, 'utf8')).toMatch(
      /FROM \.\/tiny\.gguf\nTEMPLATE [\s\S]*PARAMETER stop "<\/s>"/,
    )
    expect(await check(file)).toEqual([])
  })
  it('is loaded by generate and score with the same results', async () => {
    const file = join(out, 'tiny.gguf')
    const words = ['--prompt', 'abc', '--max-new-tokens', '12', '--temperature', '0', '--json']
    const [own, exported] = [
      await runCommand(generate, ['--model', model, ...words]),
      await runCommand(generate, ['--model', file, ...words]),
    ]
    expect(JSON.parse(exported.out).token_ids).toEqual(JSON.parse(own.out).token_ids)
    const ids = join(out, 'ids.json')
    writeFileSync(ids, JSON.stringify([IDS]))
    const scored = await runCommand(score, ['--model', file, '--ids', ids, '--json'])
    expect(JSON.parse(scored.out).tokens).toBe(IDS.length - 1)
  })
  it('writes the type that the weights are stored in, whatever config.json says', async () => {
    const stored = join(out, 'stored')
    cpSync(model, stored, { recursive: true })
    const decoder = loadDecoder(model)
    saveDecoder(decoder, stored, { dtype: 'bf16' })
    decoder.free()
    const config = join(stored, 'config.json')
    const json = JSON.parse(readFileSync(config, 'utf8'))
    const { dtype: _, torch_dtype: __, ...rest } = json
    writeFileSync(config, JSON.stringify({ ...rest, torch_dtype: 'float32' }))
    const file = join(out, 'stored.gguf')
    const { code } = await runCommand(command, ['--to', 'gguf', '--model', stored, '--out', file])
    expect(code).toBe(0)
    const types = new Set(
      [...readGguf(file).tensors.values()].flatMap(({ type, shape }) => (shape.length > 1 ? [type] : [])),
    )
    expect([...types]).toEqual(['BF16'])
    const back = join(out, 'stored-hf')
    await runCommand(command, ['--to', 'hf', '--model', stored, '--out', back])
    const matrices = readHeader(join(back, 'model.safetensors')).tensors
    expect(new Set([...matrices.values()].map(({ dtype }) => dtype))).toEqual(new Set(['BF16']))
    expect(JSON.parse(readFileSync(join(back, 'config.json'), 'utf8')).torch_dtype).toBe('bfloat16')
  })
  it('goes back to the Hugging Face directory bit for bit', async () => {
    const back = join(out, 'back')
    await runCommand(command, ['--to', 'hf', '--model', join(out, 'tiny.gguf'), '--out', back])
    expect(readFileSync(join(back, 'model.safetensors')).equals(readFileSync(join(model, 'model.safetensors')))).toBe(
      true,
    )
    expect(readdirSync(back)).toEqual(
      expect.arrayContaining(['config.json', 'tokenizer.json', 'chat_template.jinja', 'generation_config.json']),
    )
    expect((await check(back)).filter(({ severity }) => severity !== 'notice')).toEqual([])
  })
  it('is a model like any other as an adapter by itself', async () => {
    const file = join(out, 'some-ids.json')
    writeFileSync(file, JSON.stringify([IDS]))
    const ids = ['--ids', file, '--json']
    const alone = await runCommand(score, ['--model', adapter('lora-qv'), ...ids])
    const named = await runCommand(score, ['--model', model, '--adapter', adapter('lora-qv'), ...ids])
    const bare = await runCommand(score, ['--model', model, ...ids])
    // The base of the fixture has no tokenizer, so only the other two can tell what a token says.
    const [own, theirs, plain] = [alone, named, bare].map((ended) => JSON.parse(ended.out).token_logprobs)
    expect([alone.code, own]).toEqual([0, theirs])
    expect(own).not.toEqual(plain)
  })
  it('merges an adapter', async () => {
    const file = join(out, 'merged.gguf')
    const { code } = await runCommand(command, [
      '--to',
      'gguf',
      '--model',
      model,
      '--adapter',
      adapter('lora-all-rslora'),
      '--out',
      file,
    ])
    expect(code).toBe(0)
    const adapted = loadDecoder(model)
    loadLora(adapted, adapter('lora-all-rslora'))
    const merged = (await loadGgufParts(file)).model
    expect(compareModels(adapted, merged, IDS).maxLogitDifference).toBeLessThan(1e-4)
    const base = loadDecoder(model)
    expect(compareModels(base, merged, IDS).maxLogitDifference).toBeGreaterThan(1e-2)
    for (const each of [adapted, merged, base]) each.free()
  })
  it('writes an adapter alone, whose product and scale are the adapter’s', async () => {
    const file = join(out, 'adapter.gguf')
    const words = [
      '--to',
      'gguf',
      '--model',
      model,
      '--adapter',
      adapter('lora-all-rslora'),
      '--adapter-only',
      '--out',
      file,
    ]
    expect((await runCommand(command, words)).code).toBe(0)
    expect(await check(file)).toEqual([])
    const header = readGguf(file)
    const { r, lora_alpha } = JSON.parse(readFileSync(join(adapter('lora-all-rslora'), 'adapter_config.json'), 'utf8'))
    // llama.cpp divides by the rank; rsLoRA by its root.
    expect(header.metadata.get('adapter.lora.alpha')?.value).toBeCloseTo(lora_alpha * Math.sqrt(r), 4)
    const tensor = header.tensors.get('blk.0.ffn_up.weight.lora_a')!
    expect(tensor.shape).toEqual([r, 64])
    expect(readTensorBytes(header, tensor).length).toBe(r * 64 * 4)
  })
  it('refuses to write DoRA alone and says to merge', async () => {
    const file = join(out, 'dora.gguf')
    const words = ['--to', 'gguf', '--model', model, '--adapter', adapter('lora-dora'), '--adapter-only', '--out', file]
    const { code, err } = await runCommand(command, words)
    expect([code, existsSync(file)]).toEqual([3, false])
    expect(err).toMatch(/DoRA.*merge the adapter instead/)
  })
  it('keeps about the bits of a model that is quantized already', async () => {
    const directory = join(out, 'quantized')
    const quantized = loadDecoder(model)
    quantizeModel(
      quantized,
      new Map([
        ['model.layers.0.mlp.up_proj', { format: 'int8' }],
        ['model.layers.1.mlp.up_proj', { format: 'nf4' }],
      ]),
    )
    mkdirSync(directory)
    saveDecoder(quantized, directory)
    quantized.free()
    const file = join(out, 'mixed.gguf')
    const { code, out: text, err } = await runCommand(command, ['--to', 'gguf', '--model', directory, '--out', file])
    expect(code).toBe(0)
    const { tensors } = readGguf(file)
    const typeOf = (layer: number): string => tensors.get(`blk.${layer}.ffn_up.weight`)!.type
    // Rows of 64 are no whole blocks of 256: Q5_0 in place of Q4_K.
    expect([typeOf(0), typeOf(1), typeOf(2)]).toEqual(['Q8_0', 'Q5_0', 'F32'])
    expect(text).toContain('read back')
    expect(err).toContain('notice: 1 matrix has rows that are no whole number of blocks')
    expect(err).toContain('notice: 2 matrices are quantized already and keep about their bits, and f32 is for the rest')
  })
  it.each([
    ['gguf', '.', /^error: --out: expected a file, got the folder \S+\. Name a file, such as \S+model\.gguf\n$/],
    ['gguf', 'a-file/x.gguf', /^error: --out: expected a folder that can be written, got \S+a-file \(ENOTDIR\)/],
    ['gguf', '/proc/x.gguf', /^error: --out: expected a folder that can be written, got \/proc \(ENOENT\)/],
    ['hf', 'a-file', /^error: --out: expected a folder, got the file \S+a-file\. Choose another one\n$/],
  ])('says at once what cannot be written: --to %s --out %s', async (to, target, message) => {
    const scratch = mkdtempSync(join(out, 'target-'))
    writeFileSync(join(scratch, 'a-file'), '')
    const words = ['--to', to, '--model', model, '--out', resolve(scratch, target)]
    const { code, err } = await runCommand(command, words)
    expect([code, err]).toEqual([2, expect.stringMatching(message)])
    expect(readdirSync(scratch)).toEqual(['a-file'])
  })
  it('says which options do not go together', async () => {
    const base = ['--model', model, '--out', join(out, 'x')]
    expect((await runCommand(command, ['--to', 'gguf', '--dtype', 'f16', ...base])).err).toMatch(
      /--dtype: expected --to hf/,
    )
    expect((await runCommand(command, ['--to', 'hf', '--quantize', 'q8_0', ...base])).err).toMatch(
      /--quantize: expected --to gguf/,
    )
    expect(await runCommand(command, ['--to', 'gguf', '--adapter-only', ...base])).toMatchObject({
      code: 2,
      err: 'error: --adapter: expected one LoRA to be written alone, got none. Give its folder\n',
    })
    const two = ['--adapter', adapter('lora-dora'), '--adapter', adapter('lora-all-rslora')]
    expect(await runCommand(command, ['--to', 'gguf', '--adapter-only', ...two, ...base])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/ got 2\. Give one of them, with its base as --model\n$/),
    })
  })
})

describe('anneal export --to hf', () => {
  it('merges, converts and shards, and says so in lineage.json', async () => {
    const directory = join(out, 'hf')
    const words = [
      '--to',
      'hf',
      '--model',
      model,
      '--adapter',
      adapter('lora-qv'),
      '--dtype',
      'bf16',
      '--shard-gb',
      '0.0002',
      '--out',
      directory,
    ]
    expect((await runCommand(command, words)).code).toBe(0)
    expect(readdirSync(directory)).toContain('model.safetensors.index.json')
    expect(JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')).torch_dtype).toBe('bfloat16')
    expect(readLineage(directory).map(({ pass }) => pass)).toEqual(['merge', 'export'])
    const adapted = loadDecoder(model)
    loadLora(adapted, adapter('lora-qv'))
    const merged = loadDecoder(directory)
    expect(compareModels(adapted, merged, IDS).maxLogitDifference).toBeLessThan(0.1)
    adapted.free()
    merged.free()
  })

  it('leaves a file or a model that is there, unless --overwrite is given', async () => {
    const file = join(out, 'notes.gguf')
    writeFileSync(file, 'my notes')
    const folder = join(out, 'full')
    mkdirSync(folder)
    writeFileSync(join(folder, 'config.json'), '{"model_type":"mine"}')
    for (const [to, target, kept] of [
      ['gguf', file, file],
      ['hf', folder, join(folder, 'config.json')],
    ] as const) {
      const before = readFileSync(kept, 'utf8')
      const words = ['--to', to, '--model', model, '--out', target]
      const { code, err } = await runCommand(command, words)
      expect([code, err, readFileSync(kept, 'utf8')]).toEqual([2, expect.stringContaining('give --overwrite'), before])
      expect((await runCommand(command, [...words, '--overwrite'])).code).toBe(0)
      expect(readFileSync(kept, 'latin1')).not.toBe(before)
    }
  })
})
