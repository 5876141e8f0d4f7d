// `anneal train` with stage sft through real files: what is learnt is shown, the result knows where to stop, wrong data is said.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../src/checkpoint/model-directory/save.ts'
import { collect } from '../../src/lm/lm.ts'
import { Linear } from '../../src/nn/linear.ts'
import { loadLm } from '../../src/run/load-lm.ts'
import { noGrad } from '../../src/torch/index.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory, tinyTokenizer } from '../tiny-model.ts'
import { ofType } from './tiny-model.ts'
import { annealHere, type Ended } from './tiny-run.ts'

let model: Awaited<ReturnType<typeof tinyModelDirectory>>
beforeAll(async () => {
  model = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE })
  const rows = Array.from({ length: 24 }, (_, i) => ({
    messages: [
      { role: 'user', content: `Say ${i}` },
      { role: 'assistant', content: `It is ${i}.` },
    ],
  }))
  writeFileSync(at('chats.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  writeFileSync(at('questions.jsonl'), '{"messages": [{"role": "user", "content": "Hello?"}]}\n')
})
afterAll(() => model.remove())

const at = (name: string): string => join(model.directory, name)
const read = (name: string): string => readFileSync(at(name), 'utf8')

function train(name: string, config: Record<string, unknown>, ...more: string[]): Promise<Ended> {
  const defaults = {
    stage: 'sft',
    model_name_or_path: model.directory,
    dataset: at('chats.jsonl'),
    output_dir: at(name),
    max_length: 128,
    per_device_train_batch_size: 2,
    max_steps: 8,
    save_steps: 4,
    learning_rate: 1e-2,
    device: 'cpu',
  }
  writeFileSync(at(`${name}.yaml`), JSON.stringify({ ...defaults, ...config }))
  return annealHere(['train', at(`${name}.yaml`), '--json', ...more])
}

const losses = ({ events }: Ended): number[] => ofType(events, 'step-done').map(({ metrics }) => metrics.loss)

describe('anneal train with stage: sft', () => {
  it('shows a sample, learns answers with LoRA, and leaves what is needed to stop', async () => {
    const ended = await train('lora', { finetuning: 'lora', lora_r: 4 })
    expect(ended.code, ended.err).toBe(0)
    expect(ended.err).toContain('<|im_start|>user\nSay 0<|im_end|>\n<|im_start|>assistant\n⟦It is 0.<|im_end|>⟧')
    expect(ended.err).toMatch(
      /^tokens in a sample: \d+ in the middle, .* would hold all of them\nsamples by tokens: ≤ 64: 24$/m,
    )
    expect(losses(ended).at(-1)).toBeLessThan(losses(ended)[0]! - 0.2)
    expect(JSON.parse(read('lora/generation_config.json')).eos_token_id).toContain(4) // <|im_end|>
    expect(read('lora/chat_template.jinja')).toBe(TINY_CHAT_TEMPLATE)
    expect(existsSync(at('lora/adapter_model.safetensors'))).toBe(true)
    const words = ['generate', '--model', model.directory, '--adapter', at('lora'), '--prompt', 'Hi']
    expect((await annealHere([...words, '--max-new-tokens', '3', '--temperature', '0'])).code).toBe(0)
  })

  it('takes columns of other names from the command line, for data alone too, and rows under a name', async () => {
    const rows = Array.from({ length: 4 }, (_, i) => ({ ask: `Say ${i}`, reply: `${i}.`, id: i }))
    writeFileSync(at('named.json'), JSON.stringify({ version: 1, data: rows }))
    const words = [
      'train',
      at('named.json'),
      '--model',
      model.directory,
      '--output_dir',
      at('named'),
      '--max_steps',
      '1',
    ]
    const refused = await annealHere(words)
    expect(refused.err).toMatch(/^error: row in .*named\.json:1: expected one of .*; found fields ask, reply, id\./m)
    const keys = [
      '--columns.instruction',
      'ask',
      '--columns.output',
      'reply',
      '--save_strategy',
      'no',
      '--device',
      'cpu',
    ]
    const ended = await annealHere([...words, ...keys])
    expect(ended.code, ended.err).toBe(0)
    expect(ended.err).toContain("alpaca data (4 of 4 rows have 'ask' and 'reply')")
    expect(ended.err).toMatch(/^notice: columns that are not read: id$/m)
    expect(ended.err).toContain('⟦0.<|im_end|>⟧')
  })

  it('trains every row, a short last batch and a step of it included', async () => {
    const rows = Array.from({ length: 15 }, (_, i) => ({ instruction: `Say ${i}`, output: `${i}.` }))
    writeFileSync(at('fifteen.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const config = { dataset: at('fifteen.jsonl'), max_steps: -1, num_train_epochs: 1, save_strategy: 'no' }
    const two = await train('fifteen', { ...config, per_device_train_batch_size: 8 })
    expect(ofType(two.events, 'step-done').map(({ metrics }) => metrics.epoch)).toEqual([0.5, 1])
    const one = await train('accumulated', { ...config, gradient_accumulation_steps: 32 })
    expect(ofType(one.events, 'step-done').map(({ metrics }) => metrics.epoch)).toEqual([1])
    // Rows are all of one length but for the digits, so that batches of 2 have no padding to count twice.
    expect(ofType(one.events, 'run-end')[0]!.metrics.num_tokens).toBeGreaterThan(15 * 10)
    expect((await train('fewer', { ...config, per_device_train_batch_size: 64 })).code).toBe(0)
  })

  it.each([
    ['full', { finetuning: 'full', learning_rate: 3e-3 }],
    ['lora', { finetuning: 'lora', lora_r: 16, lora_target_modules: ['all-linear', 'lm_head'], learning_rate: 1e-2 }],
  ])('ends its greedy answers with the end of the turn after 50 rows, also loaded again (%s)', async (name, config) => {
    const rows = Array.from({ length: 50 }, (_, i) => ({ instruction: `Greet ${i}`, output: 'Good day.' }))
    writeFileSync(at('greetings.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const folder = `stops-${name}`
    const ended = await train(folder, {
      dataset: at('greetings.jsonl'),
      max_steps: 120,
      per_device_train_batch_size: 5,
      save_strategy: 'no',
      ...config,
    })
    expect(ended.code, ended.err).toBe(0)
    const engine = await loadLm(at(folder), { device: 'cpu' })
    // Rows that it has seen and one that it has not.
    for (const content of ['Greet 3', 'Greet 49', 'Greet 77']) {
      const messages = [{ role: 'user', content }]
      const { text, finishReason } = await collect(engine.generate({ messages, maxNewTokens: 60, temperature: 0 }))
      expect(finishReason).toBe('stop')
      expect(text).toBe('Good day.')
    }
    engine.free()
  })

  it('warns when the base does not know the end of the turn and the adapter cannot learn it', async () => {
    const base = loadDecoder(model.directory)
    noGrad(() => base.model.embed_tokens.dense().select(0, 4).mul_(0.001))
    if (base.lm_head instanceof Linear) noGrad(() => (base.lm_head as Linear).weight.select(0, 4).mul_(0.001))
    mkdirSync(at('unknowing'))
    saveDecoder(base, at('unknowing'))
    base.free()
    await tinyTokenizer(TINY_CHAT_TEMPLATE).save(at('unknowing'))
    const options = { model_name_or_path: at('unknowing'), finetuning: 'lora', max_steps: 1, save_strategy: 'no' }
    const warning = /^notice: answers end with <\|im_end\|>, which the base seems never to have learnt/m
    expect((await train('warned', options)).err).toMatch(warning)
    const withHead = { ...options, lora_target_modules: ['q_proj', 'lm_head'] }
    expect((await train('not-warned', withHead)).err).not.toMatch(warning)
    expect((await train('known', { ...options, model_name_or_path: model.directory })).err).not.toMatch(warning)
  })

  it('needs no YAML: a data file and a model are enough', async () => {
    const words = ['train', at('chats.jsonl'), '--model', model.directory]
    const checked = await annealHere([...words, '--dry-run'])
    expect(checked.code, checked.err).toBe(0)
    expect(checked.err).toMatch(/^memory: about \S+ .?B: weights /m)
    expect(checked.out).toMatch(/^stage: sft #/m)
    expect(checked.out).toMatch(/^finetuning: lora #/m)
    expect(checked.out).toMatch(/^output_dir: runs\/chats #/m)
    expect(checked.err).not.toContain('notice: model')
    // `base` is also the name of a size of fresh models; there is nothing to tune in those.
    const named = await annealHere(['train', at('chats.jsonl'), '--model', 'base', '--dry-run'])
    expect(named.code).toBe(3)
    expect(named.err).toMatch(/^error: base: expected a directory or a \.gguf file, got nothing/m)
    const ended = await annealHere([
      ...words,
      '--output_dir',
      at('direct'),
      '--max_steps',
      '2',
      '--device',
      'cpu',
      '--json',
    ])
    expect(ended.code, ended.err).toBe(0)
    expect(existsSync(at('direct/adapter_model.safetensors'))).toBe(true)
  })

  it('takes a .json file for data when it holds a list, and for a configuration when it holds keys', async () => {
    const rows = read('chats.jsonl').trim().split('\n')
    writeFileSync(at('list.json'), ` \n[${rows.join()}]`)
    const list = await annealHere(['train', at('list.json'), '--model', model.directory, '--dry-run'])
    expect(list.out, list.err).toMatch(/^stage: sft #/m)
    writeFileSync(at('keys.json'), JSON.stringify({ stage: 'pretrain', datset: 'x' }))
    const keys = await annealHere(['train', at('keys.json'), '--dry-run'])
    expect(keys).toMatchObject({ code: 2, err: expect.stringContaining("'datset'") })
  })

  it('packs, evaluates, and goes on bit for bit with full tuning', async () => {
    const config = { packing: true, val_split: 0.3, eval_strategy: 'steps', eval_steps: 4 }
    const straight = await train('full', config)
    expect(straight.code, straight.err).toBe(0)
    expect(ofType(straight.events, 'evaluation-done')).toHaveLength(2)
    const cut = await train('full-again', { ...config, max_steps: 8 })
    expect(cut.code, cut.err).toBe(0)
    const again = await train('full-again', config, '--resume_from_checkpoint', at('full-again/checkpoint-4'))
    expect(losses(again)).toEqual(losses(straight).slice(4))
    expect(readFileSync(at('full-again/model.safetensors')).equals(readFileSync(at('full/model.safetensors')))).toBe(
      true,
    )
    expect(JSON.parse(read('full/config.json')).eos_token_id).toContain(4)
  })

  it.each([
    [
      'a data set without answers',
      { dataset: 'questions.jsonl' },
      3,
      /^error: .*questions\.jsonl:1, field 'messages': expected at least one turn of the assistant/m,
    ],
    ['samples that are too long', { max_length: 8 }, 3, /^error: data in .*expected at most 1 % of the samples/m],
    [
      'a packing that is for sft',
      { stage: 'pretrain', packing: true },
      2,
      /^error: packing: expected it with stage: sft/m,
    ],
  ])('says %s in one line, and writes nothing', async (name, config, code, message) => {
    const folder = name.replaceAll(' ', '-')
    const data = 'dataset' in config ? { dataset: at(config.dataset as string) } : {}
    const ended = await train(folder, { ...config, ...data })
    expect(ended.err).toMatch(message)
    expect(ended.code).toBe(code)
    expect(existsSync(at(folder))).toBe(false)
  })
})
