// `--key value` for the keys of a configuration, from the words of a command line to what the configuration holds.
import { describe, expect, it } from 'vitest'
import { type ParsedConfig, parseConfig } from '../config/parse.ts'
import { trainOverrides } from '../config/train-kind.ts'
import { ConfigError } from '../errors.ts'
import { parseQprunerConfig, type QprunerConfig, qprunerOverrides } from '../run/qpruner/config.ts'
import { parseArguments } from './arguments.ts'
import { defineCommand } from './command.ts'

const MINIMAL = 'stage: pretrain\nmodel_name_or_path: m\ndataset: d\noutput_dir: o\n'

const commandWith = (overrides: typeof trainOverrides) =>
  defineCommand({
    summary: 'try overrides',
    positionals: { name: 'CONFIG.yaml', summary: 'file', min: 0, max: 1 },
    options: { 'dry-run': { kind: 'flag', summary: 'no run' } },
    overrides,
    run: async () => {},
  })
const trainLike = commandWith(trainOverrides)
const qprunerLike = commandWith(qprunerOverrides)

/** Parses `text` with a command line behind it, as `anneal train` does. */
function parse(text: string, ...words: string[]): ParsedConfig {
  return parseConfig(text, 'f.yaml', parseArguments(trainLike, words).overrides)
}

function messageFrom(parsing: () => unknown): string {
  try {
    parsing()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message
  }
  return 'no error'
}

const messageOf = (text: string, ...words: string[]): string => messageFrom(() => parse(text, ...words))

describe('overrides', () => {
  const config = (...words: string[]) => parse(MINIMAL, ...words).config

  it.each([
    [['--learning_rate', '1e-3'], { learning_rate: 1e-3 }],
    [['--learning-rate=1e-3'], { learning_rate: 1e-3 }],
    [['--max_steps', '-1'], { max_steps: -1 }],
    [['--bf16'], { bf16: true }],
    [['--bf16', '--seed', '7'], { bf16: true, seed: 7 }],
    [['--bf16', 'false'], { bf16: false }],
    [['--bf16=true'], { bf16: true }],
    [['--bf16', 'auto'], { bf16: 'auto' }],
    [['--no-bf16'], { bf16: false }],
    [['--no_gradient_checkpointing'], { gradient_checkpointing: false }],
    [['--run_name', '123'], { run_name: '123' }],
    [['--dataset', 'a', '--dataset', 'b'], { dataset: ['a', 'b'] }],
    [['--dataset', 'a,b'], { dataset: ['a,b'] }],
    [['--dataset', '["a", "b"]'], { dataset: ['a', 'b'] }],
    [['--sample_prompts', 'Once'], { sample_prompts: ['Once'] }],
    [['--sample_prompts', '7'], { sample_prompts: ['7'] }],
    [['--sample_prompts', 'Once', '--sample_prompts', 'To'], { sample_prompts: ['Once', 'To'] }],
    [['--eval_strategy', 'no'], { eval_strategy: 'no' }],
    [['--resume_from_checkpoint'], { resume_from_checkpoint: 'auto' }],
    [['--resume_from_checkpoint', 'auto'], { resume_from_checkpoint: 'auto' }],
    [['--resume_from_checkpoint', 'true'], { resume_from_checkpoint: 'auto' }],
    [['--resume_from_checkpoint', 'run/checkpoint-5'], { resume_from_checkpoint: 'run/checkpoint-5' }],
    [['--no-resume_from_checkpoint'], { resume_from_checkpoint: undefined }],
    [
      ['--lr_scheduler_type', 'cosine_with_min_lr', '--lr_scheduler_kwargs', '{"min_lr_rate": 0.1}'],
      { lr_scheduler_kwargs: { min_lr_rate: 0.1 } },
    ],
    [
      ['--lr_scheduler_type=polynomial', '--lr_scheduler_kwargs.power', '2', '--seed=3'],
      { lr_scheduler_kwargs: { power: 2 } },
    ],
    [['--warmup_ratio', '0.1'], { warmup_steps: 0.1 }],
    [['--optimizer.lr', '0.1'], { learning_rate: 0.1 }],
  ] as [string[], Record<string, unknown>][])('%j', (words, expected) => {
    expect(config(...words)).toMatchObject(expected)
  })

  it('win over the file, whatever name the file used', () => {
    const { config: result, origins } = parse(`${MINIMAL}cutoff_len: 64\n`, '--max-length', '32')
    expect(result.max_length).toBe(32)
    expect(origins.max_length).toBe('--max-length')
  })

  it('set one key of a section and keep the others', () => {
    const fresh =
      'stage: pretrain\nmodel: {model_type: llama, hidden_size: 64}\ndataset: d\noutput_dir: o\ntokenizer_name_or_path: t\n'
    expect(parse(fresh, '--model.hidden_size', '32', '--model.num_hidden_layers', '2').config.model).toEqual({
      model_type: 'llama',
      hidden_size: 32,
      num_hidden_layers: 2,
    })
  })

  it('replace the model of a recipe instead of standing beside it', () => {
    const recipe = MINIMAL.replace('model_name_or_path: m', 'model: tiny\ntokenizer_name_or_path: t')
    const { config: result, notices } = parse(recipe, '--model_name_or_path', 'dir')
    expect([result.model, result.model_name_or_path]).toEqual([undefined, 'dir'])
    expect(notices).toEqual(['model of the file is replaced by --model_name_or_path'])
  })

  it('leave positionals and the own options of the command alone', () => {
    const { positionals, options, overrides } = parseArguments(trainLike, [
      '--bf16',
      'run.yaml',
      '--dry-run',
      '--seed=1',
    ])
    expect(positionals).toEqual(['run.yaml'])
    expect(options).toEqual({ dryRun: true })
    expect(overrides).toEqual([
      { key: 'bf16', value: true, flag: '--bf16' },
      { key: 'seed', value: '1', flag: '--seed' },
    ])
  })

  it('do without a file', () => {
    const words = ['--stage=pretrain', '--dataset', 'd', '--output_dir', 'o', '--model_name_or_path', 'm']
    const { config: result } = parseConfig(undefined, 'command line', parseArguments(trainLike, words).overrides)
    expect(result).toMatchObject({ dataset: ['d'], output_dir: 'o' })
  })

  it.each([
    [['--learning_rte', '1'], "unknown key 'learning_rte'. Did you mean 'learning_rate'? (--learning_rte)"],
    [['--learning_rate', 'fast'], "learning_rate: expected a number, got 'fast' (--learning_rate)"],
    [['--learning_rate'], 'learning_rate: expected a value after it, got nothing (--learning_rate)'],
    [['--output_dir', '--bf16'], 'output_dir: expected a value after it, got nothing (--output_dir)'],
    [['--bf16', 'yes'], "bf16: expected true, false or auto, got 'yes' (--bf16)"],
    [['--packing', 'no'], "packing: expected true or false, got 'no'. YAML 1.2 knows true and false only (--packing)"],
    [['--seed', '1', '--seed', '2'], 'seed: expected one value, got 2 (--seed)'],
    [
      ['--cutoff_len', '1', '--max_length', '2'],
      'max_length: expected it once, got cutoff_len and max_length. Keep one of them (--max_length)',
    ],
    [
      ['--lr_scheduler_kwargs.power.x', '1'],
      'lr_scheduler_kwargs.power: expected a number, got a section (--lr_scheduler_kwargs.power.x)',
    ],
    [['--__proto__.x', '1'], "unknown key '__proto__'. Run `anneal schema` to see the keys (--__proto__.x)"],
  ] as [string[], string][])('refuse %j', (words, message) => {
    expect(messageOf(MINIMAL, ...words)).toBe(message)
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })
})

describe('overrides of keys in sections', () => {
  const SECTIONS =
    'model_name_or_path: m\ndataset: d\noutput_dir: o\nprune: {ratio: 0.2, align: 8}\nquantize: {budget_bits: 5}\n'
  const read = (...words: string[]): ParsedConfig<QprunerConfig, string> =>
    parseQprunerConfig(SECTIONS, 'q.yaml', parseArguments(qprunerLike, words).overrides)

  it.each([
    [['--prune.ratio', '0.3'], { prune: { ratio: 0.3, align: 8 } }],
    [['--prune.ratio=0.3', '--prune.protect-first', '1'], { prune: { ratio: 0.3, align: 8, protect_first: 1 } }],
    [['--prune', '{"ratio": 0.4}'], { prune: { ratio: 0.4, align: 8 } }],
    [['--quantize.formats', 'nf4,int8'], { quantize: { budget_bits: 5, formats: ['nf4', 'int8'] } }],
    [['--quantize.formats', '[nf4, int8]'], { quantize: { formats: ['nf4', 'int8'] } }],
    [['--quantize.formats', 'nf4', '--quantize.formats', 'int8'], { quantize: { formats: ['nf4', 'int8'] } }],
    [['--quantize.formats', 'nf4'], { quantize: { formats: ['nf4'] } }],
    [
      ['--recover.max_steps', '5', '--recover.lr', '1e-3'],
      { recover: { max_steps: 5, learning_rate: 1e-3, lora_r: 8 } },
    ],
    [['--calibration.length', '64', '--text_column', '7'], { calibration: { max_length: 64 }, text_column: '7' }],
    [
      ['--base_model', 'other', '--dataset', 'a', '--dataset', 'b'],
      { model_name_or_path: 'other', dataset: ['a', 'b'] },
    ],
  ] as [string[], object][])('%j', (words, expected) => {
    expect(read(...words).config).toMatchObject(expected)
  })

  it.each([['--no-prune'], ['--prune=null'], ['--prune=false']])('%s leaves the section out', (word) => {
    expect(read(word).config.prune).toBeUndefined()
    expect(read(word).origins['prune.ratio']).toBe('default')
  })

  it('are where the values come from', () => {
    const { origins, notices } = read('--prune.ratio', '0.3', '--recover.lr=1e-3', '--recover.max_steps', '5')
    expect(origins).toMatchObject({
      'prune.ratio': '--prune.ratio',
      'prune.align': 'q.yaml:4:21',
      'recover.learning_rate': '--recover.lr',
      'prune.scope': 'default',
    })
    expect(notices).toEqual(['recover.lr (PyTorch) is called recover.learning_rate here'])
  })

  it.each([
    [['--prune.ration', '1'], "unknown key 'prune.ration'. Did you mean 'prune.ratio'? (--prune.ration)"],
    [['--ratio', '1'], "unknown key 'ratio'. Did you mean 'prune.ratio'? (--ratio)"],
    [['--prune.seed', '1'], "unknown key 'prune.seed'. Did you mean 'seed'? (--prune.seed)"],
    [
      ['--prune.zebra', '1'],
      "unknown key 'prune.zebra'. The keys of prune are ratio, importance, scope, layout, align, protect_first, protect_last (--prune.zebra)",
    ],
    [['--zebra', '1'], "unknown key 'zebra'. Run `anneal schema qpruner` to see the keys (--zebra)"],
    [['--prune', '3'], 'prune: expected a section of keys, got 3 (--prune)'],
    [['--prune.ratio', 'much'], "prune.ratio: expected a number, got 'much' (--prune.ratio)"],
    [
      ['--prune.__proto__', '1'],
      "unknown key 'prune.__proto__'. The keys of prune are ratio, importance, scope, layout, align, protect_first, protect_last (--prune.__proto__)",
    ],
    [['--recover.lora_r', '4'], 'recover.max_steps: expected a number, got nothing (q.yaml)'],
  ] as [string[], string][])('refuse %j', (words, message) => {
    expect(messageFrom(() => read(...words))).toBe(message)
  })
})
