// `anneal train` with a base that is quantized while it is loaded: what is written, exact resume, use of the result, and what is refused.
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { baseFormatsOf } from '../../src/checkpoint/adapter/adapter.ts'
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../src/checkpoint/model-directory/save.ts'
import { dequantizeModel, quantizeModel } from '../../src/model/quantize-model.ts'
import { ofType } from './tiny-model.ts'
import { annealHere, makeWorkspace, type Workspace } from './tiny-run.ts'

let workspace: Workspace
beforeAll(async () => {
  workspace = await makeWorkspace()
  const base = await annealHere(workspace.words('base', { max_steps: 40, learning_rate: 1e-2, save_strategy: 'no' }))
  if (base.code !== 0) throw new Error(base.err)
})
afterAll(() => workspace.remove())

function words(name: string, config: Record<string, unknown>): string[] {
  return workspace.words(name, {
    model: undefined,
    model_name_or_path: workspace.outputOf('base'),
    finetuning: 'lora',
    lora_r: 4,
    learning_rate: 3e-2,
    ...config,
  })
}

const hash = (name: string, file: string): string =>
  createHash('sha256')
    .update(readFileSync(join(workspace.outputOf(name), file)))
    .digest('hex')

const modes: [string, Record<string, unknown>, object][] = [
  [
    'load_in_4bit and double quantization',
    { load_in_4bit: true, bnb_4bit_quant_type: 'nf4', bnb_4bit_use_double_quant: true, lora_dropout: 0.1 },
    { format: 'nf4', blockSize: 64, doubleQuant: true },
  ],
  ['load_in_8bit', { load_in_8bit: true, finetuning: 'dora' }, { format: 'int8' }],
  ['quantization_bit: 4', { quantization_bit: 4 }, { format: 'nf4', doubleQuant: false }],
]

describe.each(modes)('a run with %s', (mode, config, format) => {
  it('writes an adapter that names its base, and ends with the same bits when it stops and goes on', async () => {
    const name = mode.replaceAll(/\W+/g, '-')
    const straight = await annealHere(words(name, config))
    expect(straight.code, straight.err).toBe(0)
    const [start] = ofType(straight.events, 'run-start')
    const dense = loadDecoder(workspace.outputOf('base'))
    const weights = [...dense.parameters()].reduce((sum, [, tensor]) => sum + tensor.numel, 0)
    dense.free()
    expect(start!.parameters - start!.trainableParameters).toBe(weights) // not the bytes that they are packed in
    const losses = ofType(straight.events, 'step-done').map(({ metrics }) => metrics.loss)
    const seen: number[] = []
    for (const [i, step] of [3, 5, undefined].entries()) {
      const resume = i === 0 ? [] : ['--resume_from_checkpoint', 'auto']
      const { code, events, err } = await annealHere([...words(`${name}-again`, config), ...resume], step)
      expect(code, err).toBe(step === undefined ? 0 : 143)
      seen.push(...ofType(events, 'step-done').map(({ metrics }) => metrics.loss))
    }
    expect(seen).toEqual(losses)
    for (const file of ['adapter_model.safetensors', 'checkpoint-8/optimizer.safetensors'])
      expect(hash(`${name}-again`, file), file).toBe(hash(name, file))
    expect(existsSync(join(workspace.outputOf(name), 'model.safetensors'))).toBe(false)
    for (const directory of ['', 'checkpoint-8']) {
      const formats = baseFormatsOf(join(workspace.outputOf(name), directory))
      expect(formats.size).toBeGreaterThan(4)
      for (const spec of formats.values()) expect(spec).toMatchObject(format)
    }
  })
})

describe('a soft prompt', () => {
  it('learns on a quantized base what it learns on the dequantized one', async () => {
    const directory = workspace.outputOf('dequantized')
    cpSync(workspace.outputOf('base'), directory, { recursive: true })
    const model = loadDecoder(workspace.outputOf('base'), { quantize: { format: 'nf4' } })
    dequantizeModel(model)
    saveDecoder(model, directory)
    model.free()
    const losses = async (name: string, config: Record<string, unknown>): Promise<number[]> => {
      const prompt = { finetuning: 'prompt', lora_r: undefined, num_virtual_tokens: 4 }
      const { code, events, err } = await annealHere(words(name, { ...prompt, ...config }))
      expect(code, err).toBe(0)
      return ofType(events, 'step-done').map(({ metrics }) => metrics.loss)
    }
    const ours = await losses('prompt', { load_in_4bit: true })
    expect(ours).toBeAllclose(await losses('prompt-dense', { model_name_or_path: directory }), { absolute: 1e-4 })
    // The rate matters from the second step on, so the prompt did move.
    const slow = await losses('prompt-slow', { load_in_4bit: true, learning_rate: 1e-9 })
    expect(Math.abs(slow.at(-1)! - ours.at(-1)!)).toBeGreaterThan(1e-4)
  })
})

describe('a quantized directory', () => {
  it('is scored, generates, and is a base for adapters but not for full tuning', async () => {
    const directory = workspace.outputOf('quantized')
    cpSync(workspace.outputOf('base'), directory, { recursive: true })
    const model = loadDecoder(workspace.outputOf('base'))
    const { bytes, bf16Bytes } = quantizeModel(model, { format: 'int8' })
    expect(bytes / bf16Bytes).toBeLessThan(0.6)
    saveDecoder(model, directory)
    model.free()
    const text = join(workspace.directory, 'corpus.jsonl')
    const loss = async (from: string): Promise<number> => {
      const ended = await annealHere(['score', '--model', from, '--text', text, '--window', '16', '--json'])
      expect(ended.code, ended.err).toBe(0)
      return JSON.parse(ended.out.trim().split('\n').at(-1)!).loss
    }
    expect(Math.abs((await loss(directory)) - (await loss(workspace.outputOf('base'))))).toBeLessThan(0.02)
    const said = await annealHere([
      'generate',
      '--model',
      directory,
      '--prompt',
      'the',
      '--max-new-tokens',
      '4',
      '--json',
    ])
    expect(said.code, said.err).toBe(0)
    expect(JSON.parse(said.out).token_ids).toHaveLength(4)
    const adapted = await annealHere(words('on-disk', { model_name_or_path: directory, max_steps: 2 }))
    expect(adapted.code, adapted.err).toBe(0)
    expect(baseFormatsOf(workspace.outputOf('on-disk')).size).toBeGreaterThan(4)

    const full = await annealHere(
      workspace.words('full', { model: undefined, model_name_or_path: directory, tokenizer_name_or_path: directory }),
    )
    expect(full.code).toBe(2)
    expect(full.err).toMatch(/^error: model_name_or_path: expected full-precision weights with finetuning: full/m)
    expect(readdirSync(workspace.directory)).not.toContain('full')
    const twice = await annealHere(words('twice', { model_name_or_path: directory, load_in_4bit: true }))
    expect(twice.code).toBe(2)
    expect(twice.err).toMatch(/^error: model in .*: expected full-precision weights to quantize, got quantized ones/m)
  })

  it('is refused for full tuning before anything is read', async () => {
    const { code, err } = await annealHere(words('four', { finetuning: 'full', lora_r: undefined, load_in_4bit: true }))
    expect(code).toBe(2)
    expect(err).toMatch(/^error: load_in_4bit: expected finetuning: lora, dora, prompt with it, got finetuning: full/m)
  })
})
