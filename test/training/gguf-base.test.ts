// A GGUF file as the base of a LoRA: its blocks stay as they are in the file, the adapter is PEFT's and llama.cpp's.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readGguf } from '../../src/gguf/read.ts'
import { loadModel } from '../../src/run/load-model.ts'
import { noGrad, Tensor } from '../../src/torch/index.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../tiny-model.ts'
import { ofType } from './tiny-model.ts'
import { annealHere, type Ended } from './tiny-run.ts'

let model: Awaited<ReturnType<typeof tinyModelDirectory>>
const at = (name: string): string => join(model.directory, name)
beforeAll(async () => {
  model = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE })
  process.env.ANNEAL_CACHE = at('cache')
  const rows = Array.from({ length: 16 }, (_, i) => ({
    messages: [
      { role: 'user', content: `Say ${i}` },
      { role: 'assistant', content: `Yes, ${i}` },
    ],
  }))
  writeFileSync(at('chats.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const made = await annealHere([
    ...['export', '--to', 'gguf', '--model', model.directory, '--quantize', 'q8_0', '--out', at('base.gguf')],
  ])
  expect(made.code, made.err).toBe(0)
}, 60_000)
afterAll(() => model.remove())

function train(from: string, to: string, ...more: readonly string[]): Promise<Ended> {
  const words = ['--output_dir', at(to), '--max_steps', '4', '--device', 'cpu', '--json', '--logging_steps', '1']
  return annealHere(['train', at('chats.jsonl'), '--model', from, ...words, ...more])
}

async function logitsOf(path: string, options: Parameters<typeof loadModel>[1] = {}): Promise<Float32Array> {
  const loaded = await loadModel(path, { device: 'cpu', ...options })
  try {
    const inputIds = Tensor.from([5, 6, 7, 8], [1, 4], 'i64')
    return noGrad(() => loaded.model.forward({ inputIds }).data() as Float32Array)
  } finally {
    loaded.model.free()
  }
}

it('is trained beside, goes on bit for bit, and is what generates, merges and is exported', async () => {
  const tuning = ['--learning_rate', '2e-2', '--save_steps', '2']
  const whole = await train(at('base.gguf'), 'lora', ...tuning)
  expect(whole.code, whole.err).toBe(0)
  const losses = ofType(whole.events, 'step-done').map(({ metrics }) => metrics.loss)
  expect(losses.at(-1)).toBeLessThan(losses[0]!)
  const config = JSON.parse(readFileSync(at('lora/adapter_config.json'), 'utf8'))
  expect(config.base_model_name_or_path).toBe(at('base.gguf'))
  expect(existsSync(at('lora/model.safetensors'))).toBe(false)
  const bytes = readFileSync(at('lora/adapter_model.safetensors'))

  rmSync(at('lora/checkpoint-4'), { recursive: true })
  const again = await train(at('base.gguf'), 'lora', ...tuning, '--resume_from_checkpoint', 'auto')
  expect(again.code, again.err).toBe(0)
  expect(ofType(again.events, 'run-start')[0]).toMatchObject({ startStep: 2 })
  expect(readFileSync(at('lora/adapter_model.safetensors')).equals(bytes)).toBe(true)

  const [base, beside] = [await logitsOf(at('base.gguf')), await logitsOf(at('base.gguf'), { adapter: at('lora') })]
  expect(beside).not.toBeAllclose(base, { absolute: 1e-2 })
  expect(await logitsOf(at('lora'))).toEqual(beside) // it names its base
  // Merged and widened x is not rounded to 8 bits: a hundredth of the largest logit is what that is worth.
  const scale = beside.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0)
  expect(await logitsOf(at('lora'), { onto: 'dequantized' })).toBeAllclose(beside, { absolute: 0.03 * scale })

  const said = await annealHere(['generate', '--model', at('lora'), '--prompt', 'Say', '--max-new-tokens', '4'])
  expect(said.code, said.err).toBe(0)
  const alone = ['--adapter-only', '--out', at('lora.gguf')]
  const exported = await annealHere(['export', '--to', 'gguf', '--model', at('lora'), ...alone])
  expect(exported.code, exported.err).toBe(0)
  expect([...readGguf(at('lora.gguf')).tensors.keys()]).toContain('blk.0.attn_q.weight.lora_a')
})

it('says what cannot be done with it', async () => {
  const full = await train(at('base.gguf'), 'full', '--finetuning', 'full')
  expect([full.code, full.err.trim().split('\n').at(-1)]).toEqual([
    2,
    `error: model_name_or_path: expected the directory of a model with finetuning: full, got the GGUF file ${at('base.gguf')}. Use finetuning: lora, or make a directory of it first: anneal export --to hf --model ${at('base.gguf')} --out DIR`,
  ])
  const four = await train(at('base.gguf'), 'four', '--load_in_4bit', 'true')
  expect(four.err).toContain(`load_in_4bit: expected none with the GGUF file ${at('base.gguf')}`)
  expect(existsSync(at('full')) || existsSync(at('four'))).toBe(false)
})
