// The recipes that start from the demo's model stay within what it was made for: what is shipped warns of nothing.
import { readdirSync, readFileSync } from 'node:fs'
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
