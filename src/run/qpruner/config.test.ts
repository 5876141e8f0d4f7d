import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseQprunerConfig } from './config.ts'

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
    const config = parseQprunerConfig(SMALL, 'q.yaml')
    expect(config.dataset).toEqual(['d'])
    expect(config.calibration).toEqual({ samples: 32, max_length: 512, batch_size: 1 })
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
    const { calibration, prune } = parseQprunerConfig(`${SMALL}calibration: {length: 64}\nprune:\n`, 'q.yaml')
    expect([calibration.max_length, prune]).toEqual([64, undefined])
    expect(messageOf(`${SMALL}calibration: {length: 64, max_length: 32}\n`)).toMatch(
      /^unknown key 'calibration\.length'/,
    )
  })

  it.each(['recipes/qpruner.yaml', 'recipes/qpruner-7b-cuda.yaml'])('takes %s', (recipe) => {
    const config = parseQprunerConfig(readFileSync(recipe, 'utf8'), recipe)
    expect(config.prune?.ratio).toBe(0.2)
    expect(config.recover?.loftq_iterations).toBe(5)
  })

  it('says what is wrong and where', () => {
    expect(messageOf(`${SMALL}prun: {ratio: 0.2}\n`)).toMatch(/^unknown key 'prun'.*prune.*\(q\.yaml:5:1\)$/)
    expect(messageOf(`${SMALL}prune: {ratio: 0.2, rate: 1}\n`)).toMatch(/^unknown key 'prune\.rate'.*\(q\.yaml:5:21\)$/)
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
    expect(messageOf('[1, 2]')).toMatch(/q\.yaml:1:1/)
  })
})
