// Every way of editing a model: the same refusals in the same order, the same files, and an end when it is told to.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tinyModelDirectory } from '../../../test/tiny-model.ts'
import { readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { exitCodeOf } from '../../errors.ts'
import { takeOutputDirectory } from '../../files/output-directory.ts'
import { writeModelGguf } from '../../gguf/export-model.ts'
import { saveLora } from '../../methods/lora/adapter-files.ts'
import { addLora } from '../../methods/lora/lora.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { resultOf, type WorkEvent } from '../../work.ts'
import { runPrune } from '../prune/run-prune.ts'
import { runQuantize } from '../quantize/run-quantize.ts'
import { runSleb } from '../sleb/run-sleb.ts'
import type { EditOptions, HeldOut } from './edit-model.ts'

type Run = (
  options: EditOptions,
  watch?: { signal?: AbortSignal },
) => AsyncGenerator<WorkEvent, HeldOut & { out: string }>

const EDITS: [string, Run][] = [
  ['prune', (options, watch) => runPrune({ ...options, ratio: 0.3, align: 8 }, watch)],
  ['sleb', (options, watch) => runSleb({ ...options, remove: 1 }, watch)],
  ['quantize', (options, watch) => runQuantize({ ...options, budgetBits: 4 }, watch)],
]

let folder: string
let model: string
let remove: () => void
const at = (name: string): string => join(folder, name)
const wanted = (out: string): EditOptions => ({
  model,
  out: at(out),
  data: [at('text.txt')],
  samples: 4,
  maxLength: 16,
  device: 'cpu',
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-edits-'))
  ;({ directory: model, remove } = await tinyModelDirectory())
  writeFileSync(at('text.txt'), 'The quick brown fox jumps over the lazy dog, and then over another one. '.repeat(20))
  writeFileSync(at('short.txt'), 'Too short.')
  writeFileSync(join(model, 'LICENSE'), 'the terms')
  // One id more than the model has: the model of a tokenizer that grew.
  cpSync(model, at('grown'), { recursive: true })
  const { vocab_size, ...config } = JSON.parse(readFileSync(at('grown/config.json'), 'utf8'))
  const json = JSON.parse(readFileSync(at('grown/tokenizer.json'), 'utf8'))
  for (let id = Object.keys(json.model.vocab).length; id <= vocab_size; id++) json.model.vocab[`more${id}`] = id
  writeFileSync(at('grown/tokenizer.json'), JSON.stringify(json))
  expect(config.hidden_size).toBeGreaterThan(0)
  cpSync(model, at('mute'), { recursive: true })
  rmSync(at('mute/tokenizer.json'))
  mkdirSync(at('full'))
  writeFileSync(at('full/notes.txt'), 'mine')
  const decoder = loadDecoder(model)
  writeModelGguf(decoder, at('model.gguf'), { format: 'f32', tokenizer: await Tokenizer.fromDirectory(model) })
  addLora(decoder, { r: 2 })
  mkdirSync(at('lora'))
  saveLora(decoder, at('lora'), { baseModel: model })
  decoder.free()
})
afterAll(() => {
  remove()
  rmSync(folder, { recursive: true })
})

describe.each(EDITS)('%s', (name, run) => {
  it.each<[string, () => Partial<EditOptions>, number, string]>([
    ['a tokenizer with more ids than the model', () => ({ model: at('grown') }), 3, "expected at most the model's"],
    ['a model without tokenizer', () => ({ model: at('mute') }), 3, 'expected a tokenizer.json, got none'],
    ['a folder that is in use', () => ({ out: at('full') }), 2, 'expected a new or empty folder'],
    ['its own folder', () => ({ out: model }), 2, 'expected another folder than `model`'],
    ['its own folder, also to be replaced', () => ({ out: model, overwrite: true }), 2, 'another folder than `model`'],
    ['a file as a folder', () => ({ out: at('text.txt') }), 2, 'out: expected a folder, got the file'],
    ['a place that cannot be written', () => ({ out: '/proc/none/x' }), 2, 'expected a folder that can be written'],
    ['no text', () => ({ data: [] }), 2, 'data: expected text to measure on'],
    ['text for the evaluation alone', () => ({ data: [], evalData: [at('text.txt')] }), 2, 'data: expected'],
    ['text that is too short', () => ({ data: [at('short.txt')] }), 3, 'one window to measure on and one to evaluate'],
    ['text that is not there', () => ({ data: [at('nothing')] }), 3, 'nothing'],
    ['windows beyond the context', () => ({ maxLength: 1 << 20 }), 2, 'maxLength: expected at most'],
    ['no model', () => ({ model: at('nowhere') }), 3, 'nowhere: expected a directory or a .gguf file'],
  ])('refuses %s and leaves nothing', async (_, more, code, message) => {
    const before = readdirSync(folder)
    const error = await resultOf(run({ ...wanted('none'), ...more() })).then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    expect(error?.message).toContain(message)
    expect([exitCodeOf(error), readdirSync(folder)]).toEqual([code, before])
    expect(readdirSync(at('full'))).toEqual(['notes.txt'])
  })

  it('writes a whole model with its page, licence and history, and judges it on other text', async () => {
    const events: WorkEvent[] = []
    const result = await resultOf(run(wanted(`${name}-whole`)), (event) => events.push(event))
    expect(result.eval_perplexity_before).toBeGreaterThan(1)
    expect(result.eval_perplexity_after).toBeGreaterThan(1)
    expect(result.eval_tokens).toBe(4 * 15)
    expect(events.at(-1)).toMatchObject({ type: 'result', result, lines: expect.any(Array) })
    expect(readdirSync(result.out)).toEqual(
      expect.arrayContaining(['LICENSE', 'tokenizer.json', 'config.json', 'model.safetensors', `${name}.html`]),
    )
    const [step] = readLineage(result.out)
    expect(step).toMatchObject({ pass: name, options: { samples: 4, maxLength: 16, data: [at('text.txt')] } })
    expect(step!.report.eval_perplexity_after).toBe(result.eval_perplexity_after)
    loadDecoder(result.out).free()
    expect(readdirSync(folder).filter((entry) => entry.startsWith(`.${name}-whole`))).toEqual([])
  })

  it('replaces a model where it may, and nothing else', async () => {
    const out = at(`${name}-again`)
    mkdirSync(out)
    for (const file of ['notes.txt', 'model-00001-of-00002.safetensors', 'tokenizer.model'])
      writeFileSync(join(out, file), '')
    await resultOf(run({ ...wanted(`${name}-again`), overwrite: true }))
    expect(existsSync(join(out, 'notes.txt'))).toBe(true)
    expect(readdirSync(out)).not.toContain('model-00001-of-00002.safetensors')
    expect(readdirSync(out)).not.toContain('tokenizer.model')
  })

  it('edits an adapter merged into its model, and a GGUF file', async () => {
    const adapted = await resultOf(run({ ...wanted(`${name}-lora`), model: at('lora') }))
    expect(readLineage(adapted.out).map(({ pass }) => pass)).toEqual(['merge', name])
    const from = await resultOf(run({ ...wanted(`${name}-gguf`), model: at('model.gguf') }))
    for (const { out } of [adapted, from]) loadDecoder(out).free()
    expect((await Tokenizer.fromDirectory(from.out)).vocabSize).toBe(261)
  })

  it('refuses a folder that another run is writing', async () => {
    const first = run(wanted(`${name}-twice`))
    await first.next()
    await expect(resultOf(run(wanted(`${name}-twice`)))).rejects.toThrow(/^out: /)
    await resultOf(first)
    expect(existsSync(at(`${name}-twice`))).toBe(true)
  })

  it('replaces nothing in a folder that a training holds', async () => {
    const out = at(`${name}-held`)
    mkdirSync(out)
    const giveBack = takeOutputDirectory(out, 'output_dir')
    writeFileSync(join(out, 'config.json'), 'of the training')
    await expect(resultOf(run({ ...wanted(`${name}-held`), overwrite: true }))).rejects.toThrow(
      `got ${out}, which another run is writing (process ${process.pid}, since `,
    )
    giveBack()
    expect([readdirSync(out), readFileSync(join(out, 'config.json'), 'utf8')]).toEqual([
      ['config.json'],
      'of the training',
    ])
  })

  it('ends between two batches when it is told to, and leaves no model', async () => {
    const controller = new AbortController()
    const events = run(wanted(`${name}-stopped`), { signal: controller.signal })
    await expect(
      resultOf(events, (event) => {
        if (event.type === 'progress' && event.label !== 'evaluating' && event.done > 0)
          controller.abort(new Error('enough'))
      }),
    ).rejects.toThrow('enough')
    expect(existsSync(at(`${name}-stopped`))).toBe(false)
  })
})
