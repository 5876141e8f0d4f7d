import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { dumpConfig } from './dump.ts'
import { parseConfig } from './parse.ts'
import { trainKind } from './train-kind.ts'

const recipes = new URL('../../recipes/', import.meta.url)
// qpruner*.yaml are configurations of another kind; src/run/qpruner tests them.
const names = readdirSync(recipes).filter((name) => name.endsWith('.yaml') && !name.startsWith('qpruner'))

describe('recipes', () => {
  it('are there', () => {
    expect(names.length).toBeGreaterThanOrEqual(3)
  })

  it.each(names)('%s parses without notices and survives a dump', (name) => {
    const parsed = parseConfig(readFileSync(new URL(name, recipes), 'utf8'), name)
    expect(parsed.notices).toEqual([])
    expect(parseConfig(dumpConfig(trainKind, parsed), name).config).toEqual(parsed.config)
  })
})

describe('dumpConfig', () => {
  const text = `stage: pretrain
model: {model_type: llama, hidden_size: 64}
tokenizer_name_or_path: "no"
dataset: [a, "b # c"]
output_dir: o
run_name: "line 1\\nline 2"
`

  it('writes every value with its origin, under the header', () => {
    const overrides = [{ key: 'seed', value: '7', flag: '--seed' }]
    const lines = dumpConfig(trainKind, parseConfig(text, 'f.yaml', overrides), ['anneal 0.1.0\r\nby hand']).split('\n')
    expect(lines.slice(0, 3)).toEqual(['# anneal 0.1.0', '# by hand', 'stage: pretrain # f.yaml:1:1'])
    expect(lines).toContain('seed: 7 # --seed')
    expect(lines).toContain('data_seed: 7 # default')
    expect(lines).toContain('weight_decay: 0 # default')
  })

  it('quotes what YAML 1.1 readers would take for a boolean', () => {
    const dumped = dumpConfig(trainKind, parseConfig(text, 'f.yaml'))
    expect(dumped).toContain('tokenizer_name_or_path: "no"')
    expect(dumped).toContain('eval_strategy: "no"')
  })

  it('reads back as the same configuration, also from a file with a strange name', () => {
    const parsed = parseConfig(text, 'strange\nname: [.yaml')
    expect(parseConfig(dumpConfig(trainKind, parsed), 'f.yaml').config).toEqual(parsed.config)
  })
})
