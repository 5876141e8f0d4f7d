// `anneal train` with stage dpo through real files: every loss, every kind of reference, exact resume, and what wrong data is told.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PREFERENCE_LOSSES } from '../../src/methods/dpo/losses.ts'
import { cacheDirectory } from '../../src/torch/setup/directories.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from '../tiny-model.ts'
import { ofType } from './tiny-model.ts'
import { annealHere, type Ended } from './tiny-run.ts'

let model: Awaited<ReturnType<typeof tinyModelDirectory>>
let cache: string
beforeAll(async () => {
  cache = mkdtempSync(join(tmpdir(), 'anneal-cache-'))
  // Where the package cannot be written, the note about the engine is in the cache.
  for (const name of existsSync(cacheDirectory()) ? readdirSync(cacheDirectory()) : [])
    if (/^engine.*\.json$/.test(name)) cpSync(join(cacheDirectory(), name), join(cache, name))
  process.env.ANNEAL_CACHE = cache
  model = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE })
  const rows = Array.from({ length: 24 }, (_, i) => ({
    prompt: `Say ${i}:`,
    chosen: ` ${i}.`,
    rejected: ` no, not ${i}`,
  }))
  write('pairs.jsonl', rows)
  write(
    'equal.jsonl',
    rows.map(({ prompt, chosen }) => ({ prompt, chosen, rejected: chosen })),
  )
  write('chats.jsonl', [
    {
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Yes' },
      ],
    },
  ])
  write('broken.jsonl', [rows[0]!, { prompt: 'a', chosen: 'b' }])
})
afterAll(() => {
  model.remove()
  rmSync(cache, { recursive: true })
})

const at = (name: string): string => join(model.directory, name)
const bytes = (name: string): Buffer => readFileSync(at(name))
function write(name: string, rows: readonly unknown[]): void {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
}

const DEFAULTS = {
  stage: 'dpo',
  max_length: 64,
  per_device_train_batch_size: 2,
  max_steps: 8,
  save_steps: 3,
  logging_steps: 2,
  learning_rate: 3e-3,
  device: 'cpu',
}

async function train(
  name: string,
  config: Record<string, unknown>,
  more: readonly string[] = [],
  signalAfter?: number,
): Promise<Ended> {
  const paths = { model_name_or_path: model.directory, dataset: at('pairs.jsonl'), output_dir: at(name) }
  writeFileSync(at(`${name}.yaml`), JSON.stringify({ ...DEFAULTS, ...paths, ...config }))
  return annealHere(['train', at(`${name}.yaml`), '--json', ...more], signalAfter)
}

const metricsOf = ({ events }: Ended): Record<string, number>[] =>
  ofType(events, 'step-done').map(({ metrics }) => metrics)
const lossesOf = (ended: Ended): number[] => metricsOf(ended).map(({ loss }) => loss!)

/** The loss where the model is its own reference: ln 2, 1 and 1/(2β)². */
const FIRST: Record<string, number> = { sigmoid: Math.log(2), hinge: 1, ipo: 1 / (2 * 0.5) ** 2 }

describe.each(['lora', 'full'])('anneal train with stage: dpo and finetuning: %s', (finetuning) => {
  it.each(PREFERENCE_LOSSES)('widens the margin with %s, from where it must start', async (loss_type) => {
    const name = `${finetuning}-${loss_type}`
    const rate = finetuning === 'lora' ? 2e-2 : 3e-3
    const config = { finetuning, loss_type, beta: 0.5, max_steps: 24, learning_rate: rate, save_strategy: 'no' }
    const ended = await train(name, config)
    expect(ended.code, ended.err).toBe(0)
    const metrics = metricsOf(ended)
    if (loss_type in FIRST) {
      expect(metrics[0]!.loss).toBeAllclose(FIRST[loss_type]!, { absolute: 1e-5 })
      expect(metrics[0]!['rewards/chosen']).toBeAllclose(0, { absolute: 1e-4 })
    }
    const mean = (from: number): number =>
      metrics.slice(from, from + 6).reduce((sum, row) => sum + row['rewards/margins']!, 0) / 6
    expect(mean(18)).toBeGreaterThan(mean(0) + 0.05)
    expect(existsSync(at(`${name}/${finetuning === 'lora' ? 'adapter_model' : 'model'}.safetensors`))).toBe(true)
    const log = JSON.parse(readFileSync(at(`${name}/trainer_state.json`), 'utf8')).log_history
    expect(Object.keys(log[0])).toEqual(
      expect.arrayContaining([
        'rewards/chosen',
        'rewards/rejected',
        'rewards/margins',
        'rewards/accuracies',
        'logps/chosen',
      ]),
    )
  })

  it.each([false, true])('ends with the same bits when it stops and goes on (precomputed: %s)', async (precomputed) => {
    const config = {
      finetuning,
      precompute_ref_log_probs: precomputed,
      ...(finetuning === 'lora' && { lora_dropout: 0.1 }),
      val_split: 0.2,
      eval_strategy: 'steps',
      eval_steps: 4,
    }
    const name = `${finetuning}-straight-${precomputed}`
    const straight = await train(name, config)
    expect(straight.code, straight.err).toBe(0)
    const again = `${name}-again`
    const seen: number[] = []
    for (const [i, step] of [2, 5, undefined].entries()) {
      const ended = await train(again, config, i === 0 ? [] : ['--resume_from_checkpoint', 'auto'], step)
      expect(ended.code, ended.err).toBe(step === undefined ? 0 : 143)
      seen.push(...lossesOf(ended))
    }
    expect(seen).toEqual(lossesOf(straight))
    const weights = finetuning === 'lora' ? 'adapter_model.safetensors' : 'model.safetensors'
    for (const file of [weights, 'checkpoint-8/optimizer.safetensors', 'checkpoint-8/run_state.json'])
      expect(bytes(`${again}/${file}`).equals(bytes(`${name}/${file}`)), file).toBe(true)
    const [evaluation] = ofType(straight.events, 'evaluation-done')
    expect(Object.keys(evaluation!.metrics)).toEqual(
      expect.arrayContaining(['eval_loss', 'eval_rewards/margins', 'eval_rewards/accuracies', 'eval_logps/chosen']),
    )
  })

  it('learns the same from a reference that was computed before', async () => {
    const config = { finetuning, val_split: 0.2, eval_strategy: 'steps', eval_steps: 8, save_strategy: 'no' }
    const [live, stored] = [
      await train(`${finetuning}-live`, config),
      await train(`${finetuning}-stored`, { ...config, precompute_ref_log_probs: true }),
    ]
    expect(lossesOf(stored)).toBeAllclose(lossesOf(live), { absolute: 1e-4 })
    const evaluated = (ended: Ended): number => ofType(ended.events, 'evaluation-done')[0]!.metrics.eval_loss!
    expect(evaluated(stored)).toBeAllclose(evaluated(live), { absolute: 1e-4 })
  })
})

describe('preferences on an adapter that was tuned before', () => {
  const start = { finetuning: 'lora', adapter_name_or_path: '', max_steps: 3, save_steps: 1, beta: 0.5 }
  const sizes = new Map<string, number>()
  const tuned = async (name: string, seed: number): Promise<string> => {
    const config = { finetuning: 'lora', learning_rate: 5e-2, max_steps: 6, save_strategy: 'no', seed }
    const ended = await train(name, { ...config, loss_type: 'orpo' })
    expect(ended.code, ended.err).toBe(0)
    sizes.set(name, ofType(ended.events, 'run-start')[0]!.parameters)
    return at(name)
  }

  it.each([false, true])(
    'start at that adapter, not at its base, and go on bit for bit (precomputed: %s)',
    async (precomputed) => {
      const adapter = await tuned(`tuned-${precomputed}`, 1)
      const config = { ...start, adapter_name_or_path: adapter, precompute_ref_log_probs: precomputed }
      const straight = await train(`on-adapter-${precomputed}`, config)
      expect(straight.code, straight.err).toBe(0)
      expect(metricsOf(straight)[0]!.loss).toBeAllclose(Math.log(2), { absolute: 1e-5 })
      expect(metricsOf(straight)[0]!['rewards/chosen']).toBeAllclose(0, { absolute: 1e-4 })
      // The frozen copy of the adapter is no part of the model.
      expect(ofType(straight.events, 'run-start')[0]!.parameters).toBe(sizes.get(`tuned-${precomputed}`))
      const again = `on-adapter-${precomputed}-again`
      const seen = [...lossesOf(await train(again, config, [], 2))]
      seen.push(...lossesOf(await train(again, config, ['--resume_from_checkpoint', 'auto'])))
      expect(seen).toEqual(lossesOf(straight))
      expect(bytes(`${again}/adapter_model.safetensors`)).toEqual(
        bytes(`on-adapter-${precomputed}/adapter_model.safetensors`),
      )
    },
  )

  it('keep numbers of the reference apart for each adapter', async () => {
    for (const seed of [2, 3]) {
      const config = {
        ...start,
        adapter_name_or_path: await tuned(`tuned-${seed}`, seed),
        precompute_ref_log_probs: true,
      }
      const ended = await train(`apart-${seed}`, config)
      expect(ended.code, ended.err).toBe(0)
      expect(ended.err).not.toContain('are taken from')
    }
  })
})

describe('anneal train with stage: dpo', () => {
  it('shows a pair and says what the reference costs', async () => {
    const { err, code } = await train('shown', { max_steps: 1, save_strategy: 'no' })
    expect(code, err).toBe(0)
    expect(err).toContain('preference data (24 of 24 rows')
    expect(err).toContain('chosen:   <s>Say 0:⟦ 0.</s>⟧')
    expect(err).toContain('rejected: <s>Say 0:⟦ no, not 0</s>⟧')
    expect(err).toMatch(/^notice: the reference is a second model in memory, \d+ MiB\. precompute_ref_log_probs: true/m)
    const page = bytes('shown/training.html').toString()
    expect(page).toContain('Pairs in the right order')
    expect(page).not.toContain('Other metrics')
  })

  it('asks the reference before the first step, with a bar', async () => {
    const config = { precompute_ref_log_probs: true, max_steps: 1, save_strategy: 'no', max_length: 62 }
    const paths = { model_name_or_path: model.directory, dataset: at('few.jsonl'), output_dir: at('bar') }
    write(
      'few.jsonl',
      [0, 1].map((i) => ({ prompt: 'a', chosen: `${i}`, rejected: 'c' })),
    )
    writeFileSync(at('bar.yaml'), JSON.stringify({ ...DEFAULTS, ...paths, ...config }))
    const { err, code } = await annealHere(['train', at('bar.yaml')])
    expect(code, err).toBe(0)
    expect(err).toMatch(/^reference {2}100 % {2}2\/2 pairs/m)
    expect(err).not.toContain('second model')
  })

  it('takes another model for the reference, and keeps what it said', async () => {
    mkdirSync(at('other'))
    cpSync(at('config.json'), at('other/config.json'))
    const trained = await train('moved', { max_steps: 3, learning_rate: 1e-2, save_strategy: 'no' })
    expect(trained.code, trained.err).toBe(0)
    cpSync(at('moved/model.safetensors'), at('other/model.safetensors'))
    const config = { ref_model: at('other'), max_steps: 2, save_strategy: 'no' }
    const live = await train('with-other', config)
    expect(live.code, live.err).toBe(0)
    expect(Math.abs(metricsOf(live)[0]!['rewards/chosen']!)).toBeGreaterThan(1e-3)
    const asked = await train('asked', { ...config, precompute_ref_log_probs: true })
    expect(lossesOf(asked)).toBeAllclose(lossesOf(live), { absolute: 1e-4 })
    const found = await train('found', { ...config, precompute_ref_log_probs: true })
    expect(found.err).toContain('notice: log-probabilities of the reference are taken from ')
    expect(lossesOf(found)).toEqual(lossesOf(asked))
    // A file that is cut short is written anew; numbers of something else are noticed at the first step.
    const file = /taken from (\S+)/.exec(found.err)![1]!
    const whole = readFileSync(file)
    writeFileSync(file, whole.subarray(0, 40))
    expect(lossesOf(await train('cut', { ...config, precompute_ref_log_probs: true }))).toEqual(lossesOf(asked))
    expect(readFileSync(file).equals(whole)).toBe(true)
  })

  it('stops at the first step when the reference is not the model it starts from', async () => {
    const config = { precompute_ref_log_probs: true, max_steps: 2, save_strategy: 'no', max_length: 63 }
    const first = await train('right', config)
    expect(first.code, first.err).toBe(0)
    const { err } = await train('right-again', config)
    const file = /taken from (\S+)/.exec(err)![1]!
    const damaged = readFileSync(file)
    damaged.fill(0x41, damaged.length - 4 * 48) // every value 12.08
    writeFileSync(file, damaged)
    const ended = await train('wrong', config)
    expect(ended.code).toBe(4)
    expect(ended.err).toMatch(
      /^error: first step: expected rewards of 0, .* got rewards\/chosen -\d.*delete .*references$/m,
    )
    rmSync(file)
  })

  it('needs no YAML: pairs in a file are recognised', async () => {
    const words = ['train', at('pairs.jsonl'), '--model', model.directory]
    const checked = await annealHere([...words, '--dry-run'])
    expect(checked.code, checked.err).toBe(0)
    expect(checked.out).toMatch(/^stage: dpo #/m)
    expect(checked.out).toMatch(/^finetuning: lora #/m)
    expect(checked.err).toMatch(/^notice: .*pairs\.jsonl is preference data \(24 of 24 rows have .*\): stage dpo$/m)
    const more = ['--output_dir', at('direct'), '--max_steps', '2', '--device', 'cpu', '--json']
    const ended = await annealHere([...words, ...more])
    expect(ended.code, ended.err).toBe(0)
    const used = [
      'generate',
      '--model',
      model.directory,
      '--adapter',
      at('direct'),
      '--prompt',
      'Hi',
      '--temperature',
      '0',
    ]
    expect((await annealHere([...used, '--max-new-tokens', '3'])).code).toBe(0)
  })

  it('notices when the chosen answers collapse', async () => {
    const ended = await train('collapse', { max_steps: 40, learning_rate: 3e-2, beta: 0.02, save_strategy: 'no' })
    expect(ended.code, ended.err).toBe(0)
    const last = metricsOf(ended).at(-1)!
    const notices = ofType(ended.events, 'notice').map(({ message }) => message)
    expect(last['rewards/chosen']! / 0.02, 'the run is made to collapse').toBeLessThan(-30)
    const ofCollapse = expect.stringContaining('the chosen answers lose their probability, too')
    expect(notices).toEqual([expect.stringContaining('second model in memory'), ofCollapse])
  })

  const wrong: [string, Record<string, unknown>, number, RegExp][] = [
    [
      'conversations',
      { dataset: 'chats.jsonl' },
      3,
      /row in .*chats\.jsonl:1: expected chosen and rejected answers, got a row of the shape messages/,
    ],
    ['pairs without a second answer', { dataset: 'broken.jsonl' }, 3, /broken\.jsonl:2/],
    [
      'answers that are the same',
      { dataset: 'equal.jsonl' },
      3,
      /data in .*equal\.jsonl: expected pairs of two different answers, got the same answer twice in each of 24$/,
    ],
    ['an empty file', { dataset: 'empty.jsonl' }, 3, /expected .* got none/],
    ['pairs that are too long', { max_length: 8 }, 3, /data in .*expected at most 1 % of the samples/],
    ['a beta of 0', { beta: 0 }, 2, /beta: expected a number > 0, got 0/],
    ['an unknown loss', { loss_type: 'kto' }, 2, /loss_type: expected sigmoid, hinge, ipo, simpo or orpo, got 'kto'/],
    ['a beta without dpo', { stage: 'sft', beta: 0.1 }, 2, /beta: expected it with stage: dpo, got stage: sft/],
    ['packing', { packing: true }, 2, /packing: expected it with stage: sft, got stage: dpo/],
    [
      'a gamma without simpo',
      { simpo_gamma: 1 },
      2,
      /simpo_gamma: expected it with loss_type: simpo, got loss_type: sigmoid/,
    ],
    [
      'a reference that orpo does not have',
      { loss_type: 'orpo', ref_model: 'm' },
      2,
      /ref_model: expected it with loss_type: sigmoid, hinge or ipo/,
    ],
    [
      'smoothing of a hinge',
      { loss_type: 'hinge', label_smoothing: 0.1 },
      2,
      /label_smoothing: expected 0 with loss_type: hinge/,
    ],
    ['a reference that is not there', { ref_model: '/nowhere' }, 3, /\/nowhere.*expected/],
    [
      'a soft prompt',
      { finetuning: 'prompt' },
      2,
      /finetuning: expected full, freeze, lora or dora with dpo, got prompt/,
    ],
  ]
  it.each(wrong)('says %s in one line, and writes nothing', async (name, config, code, message) => {
    writeFileSync(at('empty.jsonl'), '')
    const folder = `wrong-${name.replaceAll(' ', '-')}`
    const data = 'dataset' in config ? { dataset: at(config.dataset as string) } : {}
    const ended = await train(folder, { ...config, ...data })
    const errors = ended.err.split('\n').filter((line) => line.startsWith('error: '))
    expect(errors, ended.err).toEqual([expect.stringMatching(message)])
    expect(ended.code).toBe(code)
    expect(existsSync(at(folder))).toBe(false)
  })
})
