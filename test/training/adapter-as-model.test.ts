// An adapter's directory is a model to train, too: LoRA goes on with it, full tuning and references have it in their weights.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { hashWeights } from '../../src/checkpoint/model-directory/hash-weights.ts'
import { readLineage } from '../../src/checkpoint/model-directory/lineage.ts'
import { loadModel } from '../../src/run/load-model.ts'
import { modelSource, sourceLineage } from '../../src/run/model-source.ts'
import { Tensor } from '../../src/torch/index.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../tiny-model.ts'
import { ofType } from './tiny-model.ts'
import { annealHere, type Ended } from './tiny-run.ts'

let model: Awaited<ReturnType<typeof tinyModelDirectory>>
const at = (name: string): string => join(model.directory, name)
beforeAll(async () => {
  model = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE })
  process.env.ANNEAL_CACHE = at('cache')
  const chat = (i: number) => [
    { role: 'user', content: `Say ${i}` },
    { role: 'assistant', content: `Yes, ${i}` },
  ]
  const rows = Array.from({ length: 16 }, (_, i) => i)
  write(
    'chats.jsonl',
    rows.map((i) => ({ messages: chat(i) })),
  )
  write(
    'pairs.jsonl',
    rows.map((i) => ({ prompt: `Say ${i}:`, chosen: ` ${i}.`, rejected: ` no, not ${i}` })),
  )
  const { code, err } = await train('chats.jsonl', model.directory, 'chats', '--learning_rate', '2e-2')
  expect(code, err).toBe(0)
}, 60_000)
afterAll(() => model.remove())

function write(name: string, rows: readonly unknown[]): void {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
}

function train(data: string, from: string, to: string, ...more: readonly string[]): Promise<Ended> {
  const words = ['--output_dir', at(to), '--max_steps', '4', '--device', 'cpu', '--json']
  return annealHere(['train', at(data), '--model', from, ...words, '--logging_steps', '1', ...more])
}

async function logitsOf(path: string): Promise<Float32Array> {
  const loaded = await loadModel(path, { device: 'cpu', dtype: 'f32' })
  try {
    return loaded.model.forward({ inputIds: Tensor.from([5, 6, 7, 8], [1, 4], 'i64') }).data() as Float32Array
  } finally {
    loaded.model.free()
  }
}

it('preferences go on from the adapter that a run has left, and leave one for the same base', async () => {
  const ended = await train('pairs.jsonl', at('chats'), 'pairs', '--learning_rate', '1e-12')
  expect(ended.code, ended.err).toBe(0)
  expect(ended.err).toContain(`${at('chats')} is an adapter of ${model.directory}: the run goes on training it`)
  const [first] = ofType(ended.events, 'step-done')
  expect(first!.metrics.loss).toBeCloseTo(Math.log(2), 5) // it is its own reference
  // With nothing learnt it is what it was.
  expect(await logitsOf(at('pairs'))).toBeAllclose(await logitsOf(at('chats')), { absolute: 1e-5 })
  expect(await logitsOf(at('pairs'))).not.toBeAllclose(await logitsOf(model.directory), { absolute: 1e-3 })
  const config = JSON.parse(readFileSync(at('pairs/adapter_config.json'), 'utf8'))
  expect(config.base_model_name_or_path).toBe(model.directory)
  // It stops where the first run has learnt to stop.
  const stops = (name: string): unknown => JSON.parse(readFileSync(at(`${name}/generation_config.json`), 'utf8'))
  expect(stops('pairs')).toEqual(stops('chats'))
  const lineage = sourceLineage(modelSource(at('pairs')))
  expect(lineage.map(({ pass }) => pass)).toEqual(['sft', 'dpo'])
})

it.each(['full', 'freeze'])('%s has it in its weights', async (finetuning) => {
  const tuning = ['--learning_rate', '1e-12', '--finetuning', finetuning, '--save_steps', '2']
  const ended = await train('pairs.jsonl', at('chats'), finetuning, ...tuning)
  expect(ended.code, ended.err).toBe(0)
  expect(ended.err).toContain(`${at('chats')} is an adapter of ${model.directory}: it is merged`)
  expect(existsSync(at(`${finetuning}/adapter_config.json`))).toBe(false)
  expect(ofType(ended.events, 'step-done')[0]!.metrics.loss).toBeCloseTo(Math.log(2), 5)
  expect(await logitsOf(at(finetuning))).toBeAllclose(await logitsOf(at('chats')), { absolute: 1e-5 })
  const whole = readLineage(at(finetuning))
  expect(whole.map(({ pass }) => pass)).toEqual(['sft', 'merge', 'dpo'])
  expect(whole[1]).toMatchObject({ options: { adapter: 'chats' }, parentSha256: hashWeights(model.directory) })
  // A run that was stopped knows it, too.
  rmSync(at(`${finetuning}/checkpoint-4`), { recursive: true })
  const again = [...tuning, '--resume_from_checkpoint', 'auto']
  const resumed = await train('pairs.jsonl', at('chats'), finetuning, ...again)
  expect(resumed.code, resumed.err).toBe(0)
  expect(ofType(resumed.events, 'run-start')[0]).toMatchObject({ startStep: 2 })
  expect(readLineage(at(finetuning)).slice(0, 2)).toEqual(whole.slice(0, 2))
})

it('goes on bit for bit, and an adapter is a reference', async () => {
  const keep = ['--save_steps', '2', '--ref_model', at('chats')]
  const whole = await train('pairs.jsonl', at('chats'), 'whole', ...keep)
  expect(whole.code, whole.err).toBe(0)
  expect(ofType(whole.events, 'step-done')[0]!.metrics.loss).toBeCloseTo(Math.log(2), 5)
  const bytes = readFileSync(at('whole/adapter_model.safetensors'))
  rmSync(at('whole/checkpoint-4'), { recursive: true })
  const again = await train('pairs.jsonl', at('chats'), 'whole', ...keep, '--resume_from_checkpoint', 'auto')
  expect(again.code, again.err).toBe(0)
  expect(ofType(again.events, 'run-start')[0]).toMatchObject({ startStep: 2 })
  expect(readFileSync(at('whole/adapter_model.safetensors')).equals(bytes)).toBe(true)
})

it('the base is quantized as it was when the adapter was trained, unless the keys say otherwise', async () => {
  const first = await train('chats.jsonl', model.directory, 'four', '--load_in_4bit', 'true', '--learning_rate', '2e-2')
  expect(first.code, first.err).toBe(0)
  const second = await train('pairs.jsonl', at('four'), 'four-on', '--learning_rate', '1e-12')
  expect(second.code, second.err).toBe(0)
  expect(await logitsOf(at('four-on'))).toBeAllclose(await logitsOf(at('four')), { absolute: 1e-5 })
})

it('says what cannot be gone on with', async () => {
  const two = await train('pairs.jsonl', at('chats'), 'two', '--adapter_name_or_path', at('chats'))
  expect([two.code, two.err.trim().split('\n').at(-1)]).toEqual([
    2,
    `error: model_name_or_path: expected a model, or an adapter alone with finetuning: lora, got an adapter and adapter_name_or_path: ${at('chats')}. Merge it first: anneal export --to hf --model ${at('chats')} --out DIR`,
  ])
  const prompt = await train('chats.jsonl', model.directory, 'prompt', '--finetuning', 'prompt')
  expect(prompt.code, prompt.err).toBe(0)
  const on = await train('chats.jsonl', at('prompt'), 'on')
  expect(on.err).toContain(`expected a model or a LoRA, got a soft prompt in ${at('prompt')}`)
  expect(existsSync(at('on'))).toBe(false)
})
