import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { dumpConfig } from '../../config/dump.ts'
import { keyGroups } from '../../config/key-groups.ts'
import { jsonSchemaOf } from '../../config/kind.ts'
import { parseQprunerConfig, qprunerKind } from './config.ts'

const SMALL = 'model_name_or_path: m\ndataset: d\noutput_dir: o\nquantize: {budget_bits: 4}\n'
const messageOf = (text: string): string => {
  try {
    parseQprunerConfig(text, 'q.yaml')
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing'
}

describe('parseQprunerConfig', () => {
  it('fills in what is left out', () => {
    const { config } = parseQprunerConfig(SMALL, 'q.yaml')
    expect(config.dataset).toEqual(['d'])
    expect(config.calibration).toEqual({ samples: 32, batch_size: 1 })
    expect(config.quantize).toEqual({
      budget_bits: 4,
      formats: ['nf2', 'nf3', 'nf4', 'int8'],
      granularity: 'layer',
      quantizer: 'gptq',
      objective: 'kl',
      allocate: 'sensitivity',
      evaluations: 40,
    })
    expect(config.prune).toBe(undefined)
    expect(config.recover).toBe(undefined)
  })

  it('takes the old name of max_length, and a key without a value as left out', () => {
    const { config, notices } = parseQprunerConfig(`${SMALL}calibration: {length: 64}\nprune:\n`, 'q.yaml')
    expect([config.calibration.max_length, config.prune]).toEqual([64, undefined])
    expect(notices).toEqual(['calibration.length (older Anneal) is called calibration.max_length here'])
    expect(messageOf(`${SMALL}calibration: {length: 64, max_length: 32}\n`)).toBe(
      'calibration.max_length: expected it once, got calibration.length and calibration.max_length. Keep one of them (q.yaml:5:27)',
    )
  })

  it.each(['recipes/qpruner.yaml', 'recipes/qpruner-7b-cuda.yaml'])('takes %s', (recipe) => {
    const { config, notices } = parseQprunerConfig(readFileSync(recipe, 'utf8'), recipe)
    expect(notices).toEqual([])
    expect(config.prune?.ratio).toBe(0.2)
    expect(config.recover?.loftq_iterations).toBe(5)
  })

  it('survives being written', () => {
    const recipe = 'recipes/qpruner.yaml'
    const parsed = parseQprunerConfig(readFileSync(recipe, 'utf8'), recipe, [
      { key: 'prune.ratio', value: '0.3', flag: '--prune.ratio' },
    ])
    const text = dumpConfig(qprunerKind, parsed)
    expect(text).toMatch(/^prune:\n {2}ratio: 0\.3 # --prune\.ratio\n {2}importance: taylor-element # recipes/m)
    expect(parseQprunerConfig(text, 'again').config).toEqual(parsed.config)
  })

  it('tells all keys, each with what goes there', () => {
    const groups = keyGroups(qprunerKind)
    expect(groups.flatMap(({ keys }) => keys.map(({ key }) => key))).toEqual(Object.keys(qprunerKind.fields))
    const ratio = groups.flatMap(({ keys }) => keys).find(({ key }) => key === 'prune.ratio')
    expect(ratio).toEqual({
      key: 'prune.ratio',
      value: 'X',
      summary: 'Share of the parameters of the blocks that goes (required)',
    })
    for (const { keys } of groups) for (const { key, summary } of keys) expect(summary.length, key).toBeGreaterThan(10)
    const { properties } = jsonSchemaOf(qprunerKind) as { properties: { quantize: { required: string[] } } }
    expect(properties.quantize.required).toEqual(['budget_bits'])
  })

  it('says what is wrong and where', () => {
    expect(messageOf(`${SMALL}prun: {ratio: 0.2}\n`)).toMatch(/^unknown key 'prun'.*'prune'.*\(q\.yaml:5:1\)$/)
    expect(messageOf(`${SMALL}prune: {ratio: 0.2, rate: 1}\n`)).toBe(
      "unknown key 'prune.rate'. The keys of prune are ratio, importance, scope, layout, align, protect_first, protect_last (q.yaml:5:21)",
    )
    expect(messageOf(`${SMALL}prune: {ratios: 0.2}\n`)).toMatch(
      /^unknown key 'prune\.ratios'\. Did you mean 'prune\.ratio'\? \(q\.yaml:5:9\)$/,
    )
    expect(messageOf(`${SMALL}prune:\n  ratio: 2\n`)).toBe('prune.ratio: expected a number < 1, got 2 (q.yaml:6:3)')
    expect(messageOf(SMALL.replace('4', 'four'))).toBe(
      "quantize.budget_bits: expected a number, got 'four' (q.yaml:4:12)",
    )
    expect(messageOf(`${SMALL}recover: {max_steps: 10, loftq_iterations: -1}\n`)).toMatch(
      /^recover\.loftq_iterations: expected a number ≥ 0, got -1 \(q\.yaml:5:26\)$/,
    )
    expect(messageOf('dataset: d\noutput_dir: o\nquantize: {budget_bits: 4}\n')).toMatch(
      /^model_name_or_path: .*\(q\.yaml\)$/,
    )
    expect(messageOf(`${SMALL}recover:\n`.replace('quantize: {budget_bits: 4}', 'prune: {}'))).toBe(
      'prune.ratio: expected a number, got nothing (q.yaml:4:1); also missing: quantize',
    )
    expect(messageOf(`${SMALL}prune: 3\n`)).toBe('prune: expected a section of keys, got 3 (q.yaml:5:8)')
    expect(messageOf(`${SMALL}prune: {importance: l3}\nsed: 1\n`)).toMatch(
      /^prune\.importance: expected .* or l2 .*got 'l3'.* \(q\.yaml:5:9\); unknown: sed \(q\.yaml:6:1, 'seed'\?\); missing: prune\.ratio$/,
    )
    expect(messageOf(`${SMALL}fp16: true\n`)).toBe(
      'fp16: this key has no counterpart here. Use dtype: f16 (q.yaml:5:1)',
    )
    expect(messageOf(`${SMALL}evals_per_epoch: 2\n`)).toMatch(/^unknown key 'evals_per_epoch'\./)
    expect(messageOf('[1, 2]')).toMatch(/q\.yaml:1:1/)
  })
})
