// The recipes that start from the demo's model stay within what it was made for: what is shipped warns of nothing.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../src/config/parse.ts'
import { readSweep } from '../src/run/sweep/read-sweep.ts'

const folder = new URL('../recipes/', import.meta.url)
const texts = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .map((name): [string, string] => [name, readFileSync(new URL(name, folder), 'utf8')])
const ofDemo = texts.filter(
  ([, text]) => /^stage: /m.test(text) && /^model_name_or_path: runs\/demo\/model$/m.test(text),
)
const positions = (name: string): number =>
  Number(/max_position_embeddings: (\d+)/.exec(readFileSync(new URL(name, folder), 'utf8'))![1])

describe('the recipes of a language', () => {
  const text = (name: string): string => readFileSync(new URL(`language/${name}`, folder), 'utf8')
  it.each(['continued-pretraining.yaml', 'instructions.yaml'])('%s is a configuration', (name) => {
    expect(parseConfig(text(name), name).notices).toEqual([])
  })
  it('compare two bases, matrices, ranks and epochs', () => {
    const { axes, runs } = readSweep('recipes/language/ablations.yaml')
    expect(axes).toEqual(['base', 'lora_target_modules', 'lora_r', 'num_train_epochs'])
    expect(new Set(runs.map(({ config }) => config.output_dir)).size).toBe(16)
  })
})

describe('the recipes of alignment', () => {
  const file = (name: string): string => `recipes/alignment/${name}`
  it('are configurations, for the model of the demo', () => {
    const { config, notices } = parseConfig(readFileSync(file('tuning.yaml'), 'utf8'), 'tuning.yaml')
    expect(notices).toEqual([])
    expect(config.max_length).toBeLessThanOrEqual(positions('demo.yaml'))
  })
  it('are three arms in as many seeds, measured in two languages', () => {
    const { runs, evaluations } = readSweep(file('arms.yaml'))
    expect(runs).toHaveLength(9)
    expect(runs.filter((_, i) => i % 3 === 0).map(({ config }) => config.stage)).toEqual(['pretrain', 'sft', 'dpo'])
    expect(evaluations.map(({ label }) => label)).toEqual(['en', 'da'])
    for (const { config } of runs) for (const path of config.dataset) expect(existsSync(path)).toBe(true)
    for (const { options } of evaluations) expect(existsSync(options.data!)).toBe(true)
  })
  it("have the paper's constants", () => {
    const { runs } = readSweep(file('paper.yaml'))
    const configs = runs.filter((_, i) => i % 3 === 0).map(({ config }) => config)
    for (const config of configs)
      expect(config).toMatchObject({
        load_in_4bit: true,
        lora_r: 64,
        lora_alpha: 16,
        lora_dropout: 0.1,
        max_length: 512,
      })
    expect(configs.map(({ learning_rate }) => learning_rate)).toEqual([3e-4, 3e-4, 1e-5])
    expect(configs[0]).toMatchObject({ per_device_train_batch_size: 4, warmup_steps: 150, weight_decay: 0.001 })
    expect(configs[2]).toMatchObject({
      beta: 0.1,
      gradient_accumulation_steps: 4,
      weight_decay: 0.05,
      max_grad_norm: 10,
    })
    expect(configs[2]).toMatchObject({ lr_scheduler_type: 'constant_with_warmup', early_stopping_patience: 10 })
  })
})

describe('a recipe of a stage', () => {
  it.each(texts.filter(([, text]) => /^stage: /m.test(text)))('%s is a configuration', (name, text) => {
    expect(parseConfig(text, name).notices).toEqual([])
  })
})

describe('a recipe for the model of the demo', () => {
  it('is there', () => expect(ofDemo.length).toBeGreaterThan(5))
  it.each(ofDemo)('%s reads no more positions than it has', (name, text) => {
    const { max_length, num_virtual_tokens = 0 } = parseConfig(text, name).config
    expect(max_length + num_virtual_tokens).toBeLessThanOrEqual(positions('demo.yaml'))
  })
})
