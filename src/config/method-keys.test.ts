import { describe, expect, it } from 'vitest'
import { dropbp } from '../methods/dropbp/dropbp.ts'
import type { Decoder } from '../model/decoder.ts'
import { parseConfig } from './parse.ts'
import type { TrainConfig } from './schema.ts'

const BASE = 'stage: pretrain\nmodel_name_or_path: m\ndataset: d\noutput_dir: o\n'
const config = (lines: string): TrainConfig => parseConfig(BASE + lines, 'f.yaml').config
const messageOf = (lines: string): string => {
  try {
    config(lines)
  } catch (error) {
    return (error as Error).message
  }
  return 'no error'
}

describe('the keys of LoRA', () => {
  it('have defaults where LoRA is on, and none where it is not', () => {
    expect(config('finetuning: lora\nlora_r: 4\n')).toMatchObject({
      lora_r: 4,
      lora_alpha: 8,
      lora_dropout: 0,
      lora_target_modules: 'all-linear',
      use_rslora: false,
      use_dora: false,
      learning_rate: 2e-4,
    })
    expect(config('finetuning: dora\n').use_dora).toBe(true)
    expect(config('')).toMatchObject({ finetuning: 'full', learning_rate: 5e-5 })
    expect(config('').lora_r).toBeUndefined()
  })

  it('take modules as a list, with commas, and as a YAML list on the command line; a regular expression stays one', () => {
    const targetsOf = (lines: string, ...words: string[]): unknown => {
      const overrides = words.map((value) => ({ key: 'lora_target_modules', value, flag: '--lora_target_modules' }))
      return parseConfig(`${BASE}finetuning: lora\n${lines}`, 'f.yaml', overrides).config.lora_target_modules
    }
    const both = ['q_proj', 'lm_head']
    for (const word of ['[q_proj, lm_head]', 'q_proj,lm_head', '["q_proj", "lm_head"]', 'q_proj, lm_head'])
      expect(targetsOf('', word)).toEqual(both)
    expect(targetsOf('', ...both)).toEqual(both)
    expect(targetsOf('lora_target_modules: q_proj,lm_head\n')).toEqual(both)
    expect(targetsOf('lora_target_modules: "[q_proj, lm_head]"\n')).toEqual(both)
    expect(targetsOf('', '[q_proj]')).toEqual(['q_proj'])
    for (const pattern of ['.*\\.q_proj', 'model.layers.[01].*', 'q_proj']) expect(targetsOf('', pattern)).toBe(pattern)
  })

  it('go by the names of PEFT, LLaMA-Factory and axolotl, too', () => {
    const peft = config('finetuning: lora\nr: 16\ntarget_modules: [q_proj, v_proj]\n')
    expect(peft).toMatchObject({ lora_r: 16, lora_alpha: 32, lora_target_modules: ['q_proj', 'v_proj'] })
    const factory = config('finetuning_type: lora\nlora_rank: 16\nlora_target: q_proj, v_proj\n')
    expect(factory).toEqual(peft)
    expect(config('adapter: lora\nlora_target: all\n').lora_target_modules).toBe('all-linear')
  })

  it.each([
    ['finetuning: lora\nlora_r: 0', 'lora_r: expected a number ≥ 1, got 0 (f.yaml:6:9)'],
    ['finetuning: lora\nr: 0', 'lora_r (written as r): expected a number ≥ 1, got 0 (f.yaml:6:4)'],
    [
      'lora_r: 8',
      'lora_r: expected it with finetuning: lora or dora, got finetuning: full, where it counts for nothing. Leave it out, or set finetuning: lora (f.yaml:5:9)',
    ],
    ['finetuning: lora\nlora_dropout: 1', 'lora_dropout: expected a number < 1, got 1 (f.yaml:6:15)'],
    [
      'finetuning: dora\nuse_dora: false',
      'use_dora: expected true with finetuning: dora, got false. Write finetuning: lora (f.yaml:6:11)',
    ],
  ])('refuse %j', (lines, message) => {
    expect(messageOf(lines)).toBe(message)
  })

  it('want a trained base', () => {
    const text =
      'stage: pretrain\nfinetuning: lora\nmodel: tiny\ntokenizer_name_or_path: t\ndataset: d\noutput_dir: o\n'
    expect(() => parseConfig(text, 'f.yaml')).toThrow(
      'finetuning: expected model_name_or_path with lora, got a fresh model. An adapter needs a trained base (f.yaml:2:13)',
    )
  })
})

describe('the keys of preferences', () => {
  const dpo = (lines: string): TrainConfig =>
    parseConfig(BASE.replace('stage: pretrain', 'stage: dpo') + lines, 'f.yaml').config

  it('have defaults for what the loss takes, and none elsewhere', () => {
    expect(dpo('')).toMatchObject({ loss_type: 'sigmoid', beta: 0.1, label_smoothing: 0, learning_rate: 1e-6 })
    expect(dpo('')).toMatchObject({ pref_ftx: 0, precompute_ref_log_probs: false })
    expect(dpo('').simpo_gamma).toBeUndefined()
    expect(dpo('loss_type: simpo')).toMatchObject({ beta: 0.1, simpo_gamma: 0.5 })
    expect(dpo('loss_type: simpo').precompute_ref_log_probs).toBeUndefined()
    expect(config('').beta).toBeUndefined()
  })

  it('go by the names of LLaMA-Factory and axolotl, and take a list of one loss as TRL does', () => {
    const factory = dpo('pref_loss: simpo\npref_beta: 2\nsimpo_gamma: 1\ndpo_label_smoothing: 0.1\n')
    expect(factory).toMatchObject({ loss_type: 'simpo', beta: 2, simpo_gamma: 1, label_smoothing: 0.1 })
    expect(dpo('dpo_loss_type: ipo\nrl_beta: 0.3\n')).toMatchObject({ loss_type: 'ipo', beta: 0.3 })
    expect(dpo('loss_type: [hinge]\n').loss_type).toBe('hinge')
    expect(() => dpo('loss_type: [sigmoid, hinge]\n')).toThrow(
      /^loss_type: expected sigmoid, hinge, ipo, simpo or orpo/,
    )
    const axolotl = parseConfig(BASE.replace('stage: pretrain', 'rl: dpo'), 'f.yaml').config
    expect(axolotl.stage).toBe('dpo')
  })
})

describe('the keys of prompt and freeze tuning', () => {
  it('have defaults where they count', () => {
    expect(config('finetuning: prompt')).toMatchObject({
      num_virtual_tokens: 20,
      prompt_tuning_init: 'SAMPLE_VOCAB',
      learning_rate: 3e-2,
    })
    expect(config('finetuning: prompt\nprompt_tuning_init_text: Hi').prompt_tuning_init).toBe('TEXT')
    expect(config('finetuning: freeze')).toMatchObject({
      freeze_trainable_layers: 2,
      freeze_trainable_modules: ['all'],
      freeze_extra_modules: [],
      learning_rate: 5e-5,
    })
    expect(config('finetuning: freeze\nfreeze_extra_modules: norm, lm_head').freeze_extra_modules).toEqual([
      'norm',
      'lm_head',
    ])
    expect([config('').num_virtual_tokens, config('').freeze_trainable_layers]).toEqual([undefined, undefined])
  })
})

describe('dropbp', () => {
  it('is a rate or a section', () => {
    expect(config('dropbp: 0.5\n').dropbp).toEqual({ rate: 0.5 })
    expect(config('dropbp: {rate: 0.75, mode: paper}\n').dropbp).toEqual({ rate: 0.75, mode: 'paper' })
  })

  it.each([
    ['dropbp: 0.95', /^dropbp: expected a number ≤ 0\.9, got 0\.95 \(f\.yaml:5:9\)$/],
    ['dropbp: {rate: 0.95}', /^dropbp.*expected .*0\.9/],
    ['dropbp: {mode: paper}', /^dropbp.*expected .*rate/],
    ['dropbp: {rate: 0.5, rte: 1}', /^dropbp/],
  ])('refuses %j', (lines, message) => {
    expect(messageOf(lines)).toMatch(message)
  })

  it('has the limit of the method', () => {
    const model = null as unknown as Decoder // options are checked before a model is there
    expect(() => dropbp({ rate: 0.9 })).not.toThrow()
    expect(() => dropbp({ rate: 0.9001 })(model)).toThrow('0.9')
  })
})
