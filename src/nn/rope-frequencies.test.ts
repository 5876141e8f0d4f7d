import { describe, expect, it } from 'vitest'
import {
  longropeAttentionScale,
  type RopeConfig,
  ropeFrequencies,
  ropeLengthClass,
  yarnAttentionScale,
} from './rope-frequencies.ts'

const base = { theta: 10_000, rotaryDim: 8 }
const plain: RopeConfig = { type: 'default', ...base }

describe('rope frequencies', () => {
  it('are theta^(-2i/dim)', () => {
    // 10000^(0, -1/4, -1/2, -3/4)
    const { inverseFrequencies, attentionFactor } = ropeFrequencies(plain)
    expect(attentionFactor).toBe(1)
    expect([...inverseFrequencies].map((f) => Number(f.toPrecision(6)))).toEqual([1, 0.1, 0.01, 0.001])
  })

  it('are divided by the factor when linear', () => {
    const { inverseFrequencies } = ropeFrequencies({ type: 'linear', ...base, factor: 4 })
    expect(inverseFrequencies[0]).toBe(0.25)
    expect(inverseFrequencies[1]).toBeCloseTo(0.025, 8)
  })

  it('round an odd number of rotated channels up', () => {
    expect(ropeFrequencies({ ...plain, rotaryDim: 5 }).inverseFrequencies).toHaveLength(3)
  })

  it('grow theta with the sequence when dynamic, and only beyond the trained length', () => {
    const rope: RopeConfig = { type: 'dynamic', ...base, factor: 2, maxPositionEmbeddings: 64 }
    expect(ropeFrequencies(rope, 10)).toEqual(ropeFrequencies(plain))
    expect(ropeFrequencies(rope, 64)).toEqual(ropeFrequencies(plain))
    // Twice the length: theta · (2·2 − 1)^(8/6) = 10000 · 3^(4/3) = 43267.5; frequency 1 is its 4th root's inverse.
    expect(ropeFrequencies(rope, 128).inverseFrequencies[1]).toBeCloseTo(43_267.487 ** -0.25, 6)
    expect(ropeLengthClass(rope, 10)).toBe(ropeLengthClass(rope, 64))
    expect(ropeLengthClass(rope, 65)).not.toBe(ropeLengthClass(rope, 66))
  })

  it('keep short wavelengths, divide long ones and blend between when llama3', () => {
    const rope: RopeConfig = {
      type: 'llama3',
      ...base,
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 100,
    }
    const { inverseFrequencies: f } = ropeFrequencies(rope)
    // Wavelengths 6.28 (< 25: kept), 62.8 (between), 628 and 6283 (> 100: divided by 8).
    expect(f[0]).toBe(1)
    const smooth = (100 / 62.831853 - 1) / 3
    expect(f[1]).toBeCloseTo((1 - smooth) * 0.0125 + smooth * 0.1, 7)
    expect(f[2]).toBeCloseTo(0.00125, 9)
    expect(f[3]).toBeCloseTo(0.000125, 10)
  })

  it('go from kept to divided along a ramp when yarn', () => {
    const rope: RopeConfig = {
      type: 'yarn',
      ...base,
      factor: 4,
      attentionFactor: 1.25,
      betaFast: 32,
      betaSlow: 1,
      truncate: true,
      originalMaxPositionEmbeddings: 2048,
    }
    const { inverseFrequencies: f, attentionFactor } = ropeFrequencies(rope)
    expect(attentionFactor).toBe(1.25)
    // Channels at which 2048 holds 32 and 1 turns: 8·ln(2048/(2π·32))/(2·ln 10000) = 1.008 → 1, and 2.513 → 3.
    expect(f[0]).toBe(1)
    expect(f[1]).toBeCloseTo(0.1, 8)
    expect(f[2]).toBeCloseTo(0.01 * (0.5 + 0.5 / 4), 9)
    expect(f[3]).toBeCloseTo(0.001 / 4, 10)
  })

  it('change their divisors beyond the original length when longrope', () => {
    const rope: RopeConfig = {
      type: 'longrope',
      ...base,
      shortFactor: [1, 1, 1, 1],
      longFactor: [1, 2, 4, 8],
      attentionFactor: 1.1,
      originalMaxPositionEmbeddings: 32,
    }
    expect(ropeFrequencies(rope, 32).inverseFrequencies).toEqual(ropeFrequencies(plain).inverseFrequencies)
    expect(ropeFrequencies(rope, 33).inverseFrequencies[3]).toBeCloseTo(0.001 / 8, 10)
    expect(ropeLengthClass(rope, 33)).toBe(ropeLengthClass(rope, 4000))
  })

  it('have the papers’ attention scales', () => {
    expect(yarnAttentionScale(1)).toBe(1)
    expect(yarnAttentionScale(Math.E)).toBeCloseTo(1.1, 12)
    expect(yarnAttentionScale(Math.E, 2)).toBeCloseTo(1.2, 12)
    expect(longropeAttentionScale(0.5, 4096)).toBe(1)
    expect(longropeAttentionScale(16, 4096)).toBeCloseTo(Math.sqrt(1 + 4 / 12), 12)
  })
})
