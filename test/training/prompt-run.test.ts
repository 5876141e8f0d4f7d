// `anneal train` with a soft prompt through real files: what is written, exact resume, and use of the result by the other commands.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../tiny-model.ts'
import { ofType } from './tiny-model.ts'
import { annealHere, type Ended } from './tiny-run.ts'

let model: Awaited<ReturnType<typeof tinyModelDirectory>>
beforeAll(async () => {
  model = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE })
  const rows = Array.from({ length: 24 }, (_, i) => ({ prompt: `Say ${i}:`, completion: ` It is ${i}.` }))
  writeFileSync(at('rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  writeFileSync(at('held.txt'), 'Say 5: It is 5.')
})
afterAll(() => model.remove())

const at = (name: string): string => join(model.directory, name)
const json = (name: string) => JSON.parse(readFileSync(at(name), 'utf8'))

function train(
  name: string,
  config: Record<string, unknown>,
  more: readonly string[] = [],
  signalAfter?: number,
): Promise<Ended> {
  const defaults = {
    stage: 'sft',
    finetuning: 'prompt',
    num_virtual_tokens: 6,
    model_name_or_path: model.directory,
    dataset: at('rows.jsonl'),
    output_dir: at(name),
    max_length: 64,
    per_device_train_batch_size: 4,
    max_steps: 8,
    save_steps: 3,
    learning_rate: 0.1,
    device: 'cpu',
  }
  writeFileSync(at(`${name}.yaml`), JSON.stringify({ ...defaults, ...config }))
  return annealHere(['train', at(`${name}.yaml`), '--json', ...more], signalAfter)
}
const losses = ({ events }: Ended): number[] => ofType(events, 'step-done').map(({ metrics }) => metrics.loss)

describe('a run with finetuning: prompt', () => {
  it('learns, saves what PEFT loads, and ends with the same bits when it stops and goes on', async () => {
    const config = { packing: true, max_steps: 8, prompt_tuning_init_text: 'It is' }
    const straight = await train('straight', config)
    expect(straight.code, straight.err).toBe(0)
    expect(ofType(straight.events, 'run-start')[0]!.trainableParameters).toBe(6 * 64)
    expect(losses(straight).at(-1)).toBeLessThan(losses(straight)[0]! - 0.1)
    expect(straight.err).toContain('notice: vLLM and llama.cpp do not load soft prompts')
    expect(json('straight/adapter_config.json')).toMatchObject({
      peft_type: 'PROMPT_TUNING',
      num_virtual_tokens: 6,
      prompt_tuning_init: 'TEXT',
      prompt_tuning_init_text: 'It is',
      tokenizer_name_or_path: model.directory,
    })
    const seen: number[] = []
    for (const [i, step] of [2, 5, undefined].entries()) {
      const ended = await train('again', config, i === 0 ? [] : ['--resume_from_checkpoint', 'auto'], step)
      expect(ended.code, ended.err).toBe(step === undefined ? 0 : 143)
      seen.push(...losses(ended))
    }
    expect(seen).toEqual(losses(straight))
    for (const file of [
      'adapter_model.safetensors',
      'checkpoint-8/optimizer.safetensors',
      'checkpoint-8/run_state.json',
    ])
      expect(readFileSync(at(`again/${file}`)).equals(readFileSync(at(`straight/${file}`))), file).toBe(true)
    expect(existsSync(at('straight/model.safetensors'))).toBe(false)
  })

  it('keeps the best checkpoint, shows samples, and is used by generate, chat and score', async () => {
    const config = {
      val_split: 0.2,
      eval_strategy: 'steps',
      eval_steps: 3,
      load_best_model_at_end: true,
      max_steps: 9,
      sample_prompts: ['Say 5:'],
      sample_steps: 9,
    }
    const ended = await train('best', config)
    expect(ended.code, ended.err).toBe(0)
    const { best_global_step: step } = json('best/trainer_state.json')
    expect(readFileSync(at('best/adapter_model.safetensors'))).toEqual(
      readFileSync(at(`best/checkpoint-${step}/adapter_model.safetensors`)),
    )
    const adapter = ['--model', model.directory, '--adapter', at('best')]
    const loss = async (words: readonly string[]): Promise<{ loss: number; tokens: number }> => {
      const { out, err, code } = await annealHere(['score', ...words, '--text', at('held.txt'), '--json'])
      expect(code, err).toBe(0)
      return JSON.parse(out)
    }
    const [plain, prompted] = [await loss(['--model', model.directory]), await loss(adapter)]
    expect(prompted.loss).toBeLessThan(plain.loss - 0.1)
    expect(prompted.tokens).toBe(plain.tokens)
    const greedy = [
      'generate',
      ...adapter,
      '--prompt',
      'Say 5:',
      '--max-new-tokens',
      '48',
      '--temperature',
      '0',
      '--json',
    ]
    const { out, err, code } = await annealHere(greedy)
    expect(code, err).toBe(0)
    if (step === 9) expect(JSON.parse(out).text).toBe(ofType(ended.events, 'sample')[0]!.text)
    expect(json('best/generation_config.json').eos_token_id).toBe(2)
  })

  it('is not gone on with at another length', async () => {
    expect((await train('length', {}, [], 2)).code).toBe(143)
    const { code, err } = await train('length', { num_virtual_tokens: 5 }, ['--resume_from_checkpoint', 'auto'])
    expect(code).toBe(2)
    expect(err).toMatch(
      /^error: resume_from_checkpoint: num_virtual_tokens in .*: expected 5 as configured, got 6\. Resume/m,
    )
  })

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['no virtual tokens', { num_virtual_tokens: 0 }, /num_virtual_tokens: expected a number ≥ 1, got 0/],
    [
      'a prompt with LoRA',
      { finetuning: 'lora' },
      /num_virtual_tokens: expected it with finetuning: prompt, got finetuning: lora/,
    ],
    [
      'a start without its text',
      { prompt_tuning_init: 'TEXT' },
      /prompt_tuning_init_text: expected a text with prompt_tuning_init: TEXT/,
    ],
    [
      'a text that is not used',
      { prompt_tuning_init: 'RANDOM', prompt_tuning_init_text: 'a' },
      /prompt_tuning_init_text: expected it with prompt_tuning_init: TEXT, got prompt_tuning_init: RANDOM/,
    ],
    ['a rank', { lora_r: 4 }, /lora_r: expected it with finetuning: lora or dora, got finetuning: prompt/],
  ])('says %s in one line, and writes nothing', async (name, config, message) => {
    const folder = `wrong-${name.replaceAll(' ', '-')}`
    const { code, err } = await train(folder, config)
    expect(err.split('\n').filter((line) => line.startsWith('error: '))).toEqual([expect.stringMatching(message)])
    expect(code).toBe(2)
    expect(existsSync(at(folder))).toBe(false)
  })
})
