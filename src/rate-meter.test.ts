import { describe, expect, it } from 'vitest'
import { RateMeter } from './rate-meter.ts'

describe('RateMeter', () => {
  it('is the plain mean after one step, and knows nothing before it', () => {
    const meter = new RateMeter(100, 900)
    expect([meter.rate, meter.left(1000)]).toEqual([undefined, undefined])
    meter.add(100.01, 950) // too short to tell
    expect([meter.rate, meter.mean]).toEqual([undefined, undefined])
    meter.add(200, 900) // nothing done is no rate of 0
    expect([meter.rate, meter.mean]).toEqual([undefined, undefined])
    const resumed = new RateMeter(100, 900)
    resumed.add(110, 910)
    expect([resumed.rate, resumed.left(1000), resumed.left(undefined)]).toEqual([1, 90, undefined])
  })

  it('follows work that slows down', () => {
    const meter = new RateMeter(0, 0)
    meter.add(10, 1000)
    expect(meter.rate).toBe(100)
    // A minute at one in six seconds: what is 60 s old counts e⁻⁴. The mean of all would be 1010 / 70 = 14.4.
    meter.add(70, 1010)
    const old = Math.exp(-4)
    expect(meter.rate).toBeCloseTo((1000 * old + 10) / (10 * old + 60), 10)
    expect(meter.left(1110)).toBeCloseTo(100 / meter.rate!, 10)
    expect(meter.mean).toBeCloseTo(1010 / 70, 10)
  })

  it('ignores a clock that stands still', () => {
    const meter = new RateMeter(0, 0)
    meter.add(0, 5)
    meter.add(1, 10)
    expect(meter.rate).toBe(10)
  })
})
