import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readHeader } from '../../checkpoint/safetensors/safetensors.ts'
import { InputError, UsageError } from '../../errors.ts'
import { probeProbability, type QuestionProbe } from '../../prompting/base/question-probe.ts'
import { writeQuestionProbe } from '../../prompting/base/question-probe-file.ts'
import { Generator, ops, scope, Tensor } from '../../torch/index.ts'
import { fitProbe, type ProbeExample, type ProbeOptions } from './ei-arag.ts'

const WIDTH = 6
/** Wanted where the first two numbers are of one sign, which no line tells; far from 0 and in other units each. */
function examples(count: number, seed: number): ProbeExample[] {
  const numbers = scope(() => ops.normal_(ops.empty([count * WIDTH], 'f32'), 0, 1, new Generator(seed)).toArray())
  return Array.from({ length: count }, (_, i) => {
    const vector = Float32Array.from(numbers.slice(i * WIDTH, (i + 1) * WIDTH))
    const isWanted = vector[0]! * vector[1]! > 0
    return { vector: vector.map((value, j) => 5 + value * (j + 1)), isWanted }
  })
}
const probeOf = (layers: QuestionProbe['layers'], width = WIDTH): QuestionProbe => ({
  model: { name: 'x' },
  layer: 1,
  width,
  label: 'better',
  threshold: 0.5,
  layers,
  check: new Float32Array(width).fill(1),
})
const fitted = (options: ProbeOptions = {}) => fitProbe(examples(400, 1), examples(100, 2), options)
const accuracy = (layers: QuestionProbe['layers']): number =>
  examples(300, 3).filter(({ vector, isWanted }) => probeProbability(probeOf(layers), vector) > 0.5 === isWanted)
    .length / 300

describe('fitProbe', () => {
  it('has the paper’s three layers, and learns what a linear probe cannot', () => {
    const { layers, epoch, losses } = fitted({ hidden: [16, 8], learningRate: 0.01 })
    expect(layers.map(({ bias }) => bias.length)).toEqual([16, 8, 1])
    expect(losses).toHaveLength(50)
    expect(losses[epoch - 1]).toBe(Math.min(...losses))
    expect(accuracy(layers)).toBeGreaterThan(0.85)
    expect(accuracy(fitted({ hidden: [], learningRate: 0.01 }).layers)).toBeLessThan(0.7)
    expect(fitted({ epochs: 1 }).layers.map(({ bias }) => bias.length)).toEqual([6, 3, 1])
  })
  it('gives in plain numbers what LibTorch gives', () => {
    const { layers } = fitted({ hidden: [16, 8], epochs: 5 })
    for (const { vector } of examples(20, 4)) {
      const torch = scope(() => {
        let x = Tensor.from(vector, [1, WIDTH])
        for (const [k, { weight, bias }] of layers.entries()) {
          const y = ops.linear(x, Tensor.from(weight, [bias.length, weight.length / bias.length]), Tensor.from(bias))
          x = k < 2 ? ops.relu(y) : y
        }
        return x.sigmoid().item()
      })
      expect(Math.abs(probeProbability(probeOf(layers), vector) - torch)).toBeLessThan(1e-6)
    }
  })
  it('is the same for a seed, and keeps the pass with the least loss as it was', () => {
    const whole = fitted({ hidden: [8], epochs: 30, learningRate: 0.1 })
    expect(fitted({ hidden: [8], epochs: 30, learningRate: 0.1 })).toEqual(whole)
    expect(whole.epoch).toBeLessThan(30)
    const short = fitted({ hidden: [8], epochs: whole.epoch, learningRate: 0.1 })
    expect(short.layers).toEqual(whole.layers)
    expect(fitted({ hidden: [8], epochs: 1, seed: 1 }).layers).not.toEqual(fitted({ hidden: [8], epochs: 1 }).layers)
  })
  it('counts both kinds alike where it is told to', () => {
    const rare = examples(400, 1).filter(({ isWanted }, i) => !isWanted || i % 10 === 0)
    const share = (options: ProbeOptions): number => {
      const { layers } = fitProbe(rare, rare, { hidden: [], epochs: 200, learningRate: 0.01, ...options })
      return rare.filter(({ vector }) => probeProbability(probeOf(layers), vector) > 0.5).length / rare.length
    }
    expect(share({})).toBeLessThan(0.05)
    expect(share({ balanced: true })).toBeGreaterThan(0.2)
  })
  it('refuses examples of one kind, of two widths, and options that cannot be', () => {
    const same = examples(5, 1).map((example) => ({ ...example, isWanted: true }))
    expect(() => fitProbe(same, same)).toThrow(InputError)
    const other = { vector: new Float32Array(2), isWanted: true }
    expect(() => fitProbe(examples(20, 1), [other])).toThrow('expected vectors of 6 numbers, got one of 2')
    expect(() => fitted({ epochs: 0 })).toThrow(UsageError)
  })
  it('is a safetensors file to others', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'ei-arag-')), 'gate.safetensors')
    writeQuestionProbe(path, probeOf(fitted({ hidden: [4], epochs: 1 }).layers))
    expect([...readHeader(path).tensors.keys()].sort()).toEqual([
      'check',
      'layers.0.bias',
      'layers.0.weight',
      'layers.1.bias',
      'layers.1.weight',
    ])
  })
})
