import { describe, expect, it } from 'vitest'
import { ConfigError } from '../errors.ts'
import { stepsOf } from '../methods/fields.ts'
import { ALIASES } from './aliases.ts'
import type { Override } from './overrides.ts'
import { type ParsedConfig, parseConfig, trainConfig } from './parse.ts'
import { CONFIG_KEYS, isConfigKey } from './schema.ts'

const MINIMAL = 'stage: pretrain\nmodel_name_or_path: m\ndataset: d\noutput_dir: o\n'

function parse(text: string, ...overrides: Override[]): ParsedConfig {
  return parseConfig(text, 'f.yaml', overrides)
}

function messageOf(text: string): string {
  try {
    parse(text)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message
  }
  return 'no error'
}

describe('parseConfig', () => {
  it('fills in the defaults of Transformers, and ours where they differ', () => {
    const { config, notices, origins } = parse(MINIMAL)
    expect(config).toMatchObject({
      dataset: ['d'],
      learning_rate: 5e-5,
      weight_decay: 0,
      adam_beta1: 0.9,
      adam_beta2: 0.999,
      adam_epsilon: 1e-8,
      max_grad_norm: 1,
      num_train_epochs: 3,
      max_steps: -1,
      lr_scheduler_type: 'linear',
      warmup_steps: 0,
      per_device_train_batch_size: 8,
      logging_steps: 10,
      eval_steps: 10,
      save_steps: 500,
      seed: 42,
      data_seed: 42,
      tokenizer_name_or_path: 'm',
      metric_for_best_model: 'eval_loss',
      greater_is_better: false,
    })
    expect(notices).toEqual([])
    expect(origins.dataset).toBe('f.yaml:3:1')
    expect(origins.seed).toBe('default')
  })

  it('has a higher learning rate for a fresh model and asks for its tokenizer', () => {
    const fresh = 'stage: pretrain\nmodel: tiny\ndataset: d\noutput_dir: o\n'
    expect(parse(`${fresh}tokenizer_name_or_path: t\n`).config.learning_rate).toBe(6e-4)
    expect(messageOf(fresh)).toBe(
      'tokenizer_name_or_path: expected a directory with tokenizer.json for the fresh model, got nothing (f.yaml)',
    )
  })

  it.each([
    ['learning_rte: 1', "unknown key 'learning_rte'. Did you mean 'learning_rate'? (f.yaml:5:1)"],
    [
      'lr: 1e-4\nlearning_rate: 1e-3',
      'learning_rate: expected it once, got lr and learning_rate. Keep one of them (f.yaml:6:1)',
    ],
    ['zebra: 1', "unknown key 'zebra'. Run `anneal schema` to see the keys (f.yaml:5:1)"],
    ['fp16: true', 'fp16: this key has no counterpart here. Use bf16, or leave it out for float32 (f.yaml:5:1)'],
    ['learning_rate: "1e-4"', "learning_rate: expected a number, got '1e-4' (text). Remove the quotes (f.yaml:5:16)"],
    ['learning_rate: fast', "learning_rate: expected a number, got 'fast' (f.yaml:5:16)"],
    ['learning_rate: -1', 'learning_rate: expected a number > 0, got -1 (f.yaml:5:16)'],
    ['learning_rate: .inf', 'learning_rate: expected a number, got Infinity (f.yaml:5:16)'],
    ['max_steps: 1.5', 'max_steps: expected a whole number, got 1.5 (f.yaml:5:12)'],
    ['max_steps: 0', 'max_steps: expected a whole number ≥ 1, or -1 to go by num_train_epochs, got 0 (f.yaml:5:12)'],
    ['seed: 1e30', 'seed: expected a number ≤ 9007199254740991, got 1e+30 (f.yaml:5:7)'],
    ['val_split: 1', 'val_split: expected a number < 1, got 1 (f.yaml:5:12)'],
    [
      'save_steps: 2.5',
      'save_steps: expected a whole number of steps, or a fraction of the run below 1, got 2.5 (f.yaml:5:13)',
    ],
    [
      'gradient_checkpointing: yes',
      "gradient_checkpointing: expected true or false, got 'yes'. YAML 1.2 knows true and false only (f.yaml:5:25)",
    ],
    [
      'lr_scheduler_type: cosin',
      "lr_scheduler_type: expected linear or cosine or constant or constant_with_warmup or cosine_with_min_lr or warmup_stable_decay or polynomial, got 'cosin'. Did you mean 'cosine'? (f.yaml:5:20)",
    ],
    [
      'lr_scheduler: 3',
      'lr_scheduler_type (written as lr_scheduler): expected linear or cosine or constant or constant_with_warmup or cosine_with_min_lr or warmup_stable_decay or polynomial, got 3 (f.yaml:5:15)',
    ],
    ['bf16: maybe', "bf16: expected true, false or auto, got 'maybe' (f.yaml:5:7)"],
    ['sample_prompts: [a, 3]', 'sample_prompts.1: expected text, got 3 (f.yaml:5:21)'],
    ['sample_prompts: a', "sample_prompts: expected a list, got 'a' (f.yaml:5:17)"],
    ['run_name: ""', "run_name: expected text that is not empty, got '' (f.yaml:5:11)"],
    ['optimizer:\n  lr: fast', "learning_rate (written as optimizer.lr): expected a number, got 'fast' (f.yaml:6:3)"],
    ['optimizer:\n  fused: true', "unknown key 'optimizer.fused'. Run `anneal schema` to see the keys (f.yaml:6:3)"],
    [
      'cutoff_len: 4\nmax_length: 5',
      'max_length: expected it once, got cutoff_len and max_length. Keep one of them (f.yaml:6:1)',
    ],
    ['dtype: fp64', "dtype: expected a value that bf16 can express, got 'fp64'. Write bf16 instead (f.yaml:5:1)"],
    [
      'model: tiny',
      'model: expected one of model_name_or_path, model and config_path, got model_name_or_path and model (f.yaml:5:8)',
    ],
    ['eval_strategy: steps', 'eval_strategy: expected eval_dataset or val_split with steps, got neither (f.yaml:5:16)'],
    [
      'early_stopping_patience: 2',
      "early_stopping_patience: expected an eval_strategy of steps or epoch with it, got 'no'. Nothing would be measured (f.yaml:5:26)",
    ],
    [
      'load_best_model_at_end: true\neval_strategy: steps\nval_split: .1\neval_steps: 40\nsave_steps: 100',
      'save_steps: expected a multiple of eval_steps (40) with load_best_model_at_end, got 100 (f.yaml:9:13)',
    ],
    [
      'lr_scheduler_kwargs: {min_lr: 1}',
      "lr_scheduler_kwargs: expected no keys with linear, got 'min_lr' (f.yaml:5:22)",
    ],
    [
      'lr_scheduler_type: polynomial\nlr_scheduler_kwargs: {power: two}',
      "lr_scheduler_kwargs.power: expected a number, got 'two' (f.yaml:6:23)",
    ],
    ['__proto__: {a: 1}', "unknown key '__proto__'. Run `anneal schema` to see the keys (f.yaml:5:1)"],
  ])('says what is wrong with %j and where', (line, message) => {
    expect(messageOf(`${MINIMAL}${line}\n`)).toBe(message)
  })

  it('tells the first problem in the file and names the others', () => {
    expect(messageOf('stage: sftt\nseed: x\n')).toBe(
      "stage: expected pretrain or sft or dpo or classify or mlm, got 'sftt'. Did you mean 'sft'? (f.yaml:1:8); also wrong: seed (f.yaml:2:7); missing: dataset, output_dir",
    )
  })

  it('tells unknown, wrong and missing keys apart, and takes none that is misspelt for missing', () => {
    expect(messageOf('seed: x\nlearning_rat: 1\ndatasett: d\noutput_dirr: o\nfrobnicate: 2\n')).toBe(
      "seed: expected a number, got 'x' (f.yaml:1:7); unknown: learning_rat (f.yaml:2:1, 'learning_rate'?), " +
        "datasett (f.yaml:3:1, 'dataset'?), output_dirr (f.yaml:4:1, 'output_dir'?), frobnicate (f.yaml:5:1); missing: stage",
    )
    // Another trainer's name, misspelt, stands for ours.
    expect(messageOf('stage: sft\nmodel_name_or_path: m\noutput_dir: o\ndatasetss: d\n')).toBe(
      "unknown key 'datasetss'. Did you mean 'datasets'? (f.yaml:4:1)",
    )
    expect(messageOf('stage: sft\n')).toMatch(/got nothing \(f\.yaml\); also missing: /)
  })

  it('treats a key with nothing after it as left out', () => {
    expect(parse(`${MINIMAL}run_name:\n`).config.run_name).toBeUndefined()
  })

  it('takes fractions of a run as steps', () => {
    expect(parse(`${MINIMAL}warmup_ratio: 0.03\nsave_steps: 0.25\n`).config).toMatchObject({
      warmup_steps: 0.03,
      save_steps: 0.25,
    })
    expect(stepsOf(0.03, 1000)).toBe(30)
    expect(stepsOf(0.1, 25)).toBe(3) // Transformers rounds up
    expect(stepsOf(7, 25)).toBe(7)
  })

  it('knows that a metric called perplexity should fall and others rise', () => {
    const better = (metric: string) => parse(`${MINIMAL}metric_for_best_model: ${metric}\n`).config
    expect(better('eval_perplexity')).toMatchObject({
      metric_for_best_model: 'eval_perplexity',
      greater_is_better: false,
    })
    expect(better('accuracy')).toMatchObject({ metric_for_best_model: 'eval_accuracy', greater_is_better: true })
  })

  it('takes model as a directory unless it is a preset, and says so', () => {
    const { config, notices } = parse('stage: pretrain\nmodel: ./dir\ndataset: d\noutput_dir: o\n')
    expect(config.model_name_or_path).toBe('./dir')
    expect(notices).toEqual([
      'model: a directory or a name on the hub is called model_name_or_path here; model is for presets and fresh models',
    ])
  })
})

describe('values of a program', () => {
  it('are typed, win over the file, lose to the command line, and say where they come from', () => {
    const given = { origin: 'demo', values: { seed: 7, dataset: 'a', dropbp: 0.5, max_steps: 3, run_name: undefined } }
    const overrides = [{ key: 'max_steps', value: '4', flag: '--max_steps' }]
    const { config, origins } = parseConfig(MINIMAL, 'f.yaml', overrides, given)
    expect(config).toMatchObject({ seed: 7, data_seed: 7, dataset: ['a'], dropbp: { rate: 0.5 }, max_steps: 4 })
    expect(origins).toMatchObject({ seed: 'demo', max_steps: '--max_steps', run_name: 'default' })
    expect(() => parseConfig(MINIMAL, 'f.yaml', [], { origin: 'demo', values: { seed: -1 } })).toThrow(
      'seed: expected a number ≥ 0, got -1 (demo)',
    )
  })

  it('are enough', () => {
    const values = { stage: 'pretrain', model_name_or_path: 'm', dataset: 'd', output_dir: 'o' } as const
    expect(trainConfig(values)).toEqual(parseConfig(MINIMAL, 'f.yaml').config)
    expect(() => trainConfig({ ...values, stage: undefined as never })).toThrow(
      /^stage: expected .* \(configuration\)$/,
    )
  })
})

describe('aliases', () => {
  // Values that suit the canonical key; everything else takes 4.
  const values: Record<string, unknown> = {
    optimizer: 'adamw_torch',
    lr_scheduler: 'cosine',
    precision: 'bf16-true',
    dtype: 'bf16',
    enable_activation_checkpointing: true,
    disable_gradient_checkpointing: false,
    evaluation_strategy: 'no',
    warmup_ratio: 0.1,
    val_size: 0.1,
    val_set_size: 0.1,
    finetuning_type: 'full',
    adapter: 'full',
    target_modules: 'q_proj',
    lora_target: 'q_proj',
    pref_loss: 'ipo',
    dpo_loss_type: 'ipo',
    dpo_label_smoothing: 0.1,
    rl: 'dpo',
    double_quantization: true,
    datasets: 'x',
    test_datasets: 'x',
  }
  const ofPreferences = ['beta', 'loss_type', 'label_smoothing']
  const expected: Record<string, unknown> = {
    datasets: ['x'],
    test_datasets: ['x'],
    precision: true,
    dtype: true,
    disable_gradient_checkpointing: true,
  }
  const textual = ['model_name_or_path', 'output_dir', 'text_column']

  it.each(Object.entries(ALIASES))('%s means what it should', (alias, { to, from }) => {
    expect(isConfigKey(to)).toBe(true)
    expect(isConfigKey(alias)).toBe(false)
    const value = values[alias] ?? (textual.includes(to) ? 'x' : 4)
    const needed = to.startsWith('lora_')
      ? `${MINIMAL}finetuning: lora\n`
      : to.startsWith('bnb_')
        ? `${MINIMAL}finetuning: lora\nload_in_4bit: true\n`
        : ofPreferences.includes(to)
          ? MINIMAL.replace('stage: pretrain', 'stage: dpo')
          : MINIMAL
    const base = needed.split('\n').filter((line) => !line.startsWith(`${to}:`))
    const [section, key] = alias.split('.')
    const line = key === undefined ? `${section}: ${value}` : `${section}:\n  ${key}: ${value}`
    const parsed = parse([...base, line].join('\n'))
    expect(parsed.config[to as never]).toEqual(expected[alias] ?? value)
    expect(parsed.notices).toEqual([`${alias} (${from}) is called ${to} here`])
    // The same on the command line.
    const override = { key: alias, value: String(value), flag: `--${alias}` }
    expect(parse(base.join('\n'), override).config[to as never]).toEqual(expected[alias] ?? value)
  })

  it('takes the paths of axolotl data sets, and says what of them has no counterpart', () => {
    const base = MINIMAL.replace(/^dataset:.*\n/m, '')
    const { config } = parse(`${base}datasets:\n  - path: a.jsonl\n    type: chat_template\n  - path: b.jsonl\n`)
    expect(config.dataset).toEqual(['a.jsonl', 'b.jsonl'])
    expect(() => parse(`${base}datasets:\n  - path: a\n    field_messages: turns\n`)).toThrow(
      /^datasets: expected paths, with at most type and ds_type beside them, .*Write dataset instead/,
    )
  })

  it('says an unknown key and what is missing together', () => {
    expect(() => parse('stage: pretrain\nmodel_name_or_path: m\ndataste: d\n')).toThrow(
      "unknown key 'dataste'. Did you mean 'dataset'? (f.yaml:3:1); missing: output_dir",
    )
  })

  it('covers the five names of the sequence length', () => {
    const names = ['max_length', 'max_seq_length', 'cutoff_len', 'sequence_len', 'max_seq_len']
    for (const name of names) expect(parse(`${MINIMAL}${name}: 33\n`).config.max_length).toBe(33)
  })
})

describe('keys', () => {
  it('are listed once each', () => {
    expect(new Set(CONFIG_KEYS).size).toBe(CONFIG_KEYS.length)
  })
})
