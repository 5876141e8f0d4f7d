import { totalmem } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OutOfMemoryError } from '../errors.ts'
import { backward, memoryStats, ops, releaseMemory, resetPeakMemory, scope, Tensor } from './index.ts'

const MIB = 1 << 20

beforeEach(releaseMemory)
afterEach(releaseMemory)

describe('allocator', () => {
  it('counts live bytes up and down', () => {
    const before = memoryStats().liveBytes
    const x = ops.zeros([MIB], 'f32')
    expect(memoryStats().liveBytes - before).toBe(4 * MIB)
    x.free()
    expect(memoryStats().liveBytes).toBe(before)
  })

  it('rounds sizes up by at most an eighth', () => {
    for (const bytes of [1, 64, 65, 1000, 1025, 5000, 99_999, 3 * MIB + 1]) {
      const before = memoryStats().liveBytes
      const x = ops.zeros([bytes], 'u8')
      const taken = memoryStats().liveBytes - before
      expect(taken).toBeGreaterThanOrEqual(bytes)
      expect(taken).toBeLessThanOrEqual(Math.max(bytes * 1.125, bytes + 63))
      x.free()
    }
  })

  it('remembers the peak', () => {
    resetPeakMemory()
    const base = memoryStats().liveBytes
    expect(memoryStats().peakBytes).toBe(base)
    scope(() => {
      ops.zeros([2 * MIB], 'u8')
      scope(() => void ops.zeros([8 * MIB], 'u8'))
    })
    expect(memoryStats().peakBytes - base).toBe(10 * MIB)
    expect(memoryStats().liveBytes).toBe(base)
    resetPeakMemory()
    expect(memoryStats().peakBytes).toBe(base)
  })

  it('gives a freed block to the next tensor of its size, and back to the system when asked', () => {
    ops.zeros([MIB], 'u8').free()
    expect(memoryStats().cachedBytes).toBe(MIB)
    const x = ops.zeros([MIB - 5000], 'u8') // same class
    expect(memoryStats().cachedBytes).toBe(0)
    x.free()
    releaseMemory()
    expect(memoryStats().cachedBytes).toBe(0)
  })

  it('is flat over steps of the same work', () => {
    const work = (): void =>
      scope(() => {
        const x = ops.ones([64, 64], 'f32')
        x.requiresGrad = true
        backward(x.matmul(x).tanh().sum())
      })
    work()
    const { liveBytes, cachedBytes, liveTensors } = memoryStats()
    for (let i = 0; i < 20; i++) work()
    expect(memoryStats()).toMatchObject({ liveBytes, cachedBytes, liveTensors })
  })
})

describe('out of memory', () => {
  const tooMany = Math.floor((10 * totalmem()) / 4)

  it('is its own error, and the next operation works', () => {
    const before = memoryStats().liveBytes
    expect(() => ops.empty([tooMany], 'f32')).toThrow(OutOfMemoryError)
    expect(() => ops.empty([tooMany], 'f32')).toThrow(
      /^out of memory in aten::empty\.memory_format\(\): asked for \d+ MiB with \d+ MiB in use/,
    )
    expect(ops.ones([2]).add(1)).toBeAllclose([2, 2])
    expect(memoryStats().liveBytes - before).toBeLessThan(1000)
  })

  it('names the shapes of a kernel that ran out', () => {
    const column = ops.ones([2 ** 20, 1])
    expect(() => column.matmul(ops.ones([1, 2 ** 20]))).toThrow(
      /out of memory in aten::matmul\(\[1048576,1\] Float, \[1,1048576\] Float\)/,
    )
  })

  it('is the same error from the backward pass', () => {
    const x = Tensor.from([1])
    x.requiresGrad = true
    const y = x.expand(tooMany).select(0, 0) // a view now; its gradient is a full tensor
    expect(() => backward(y)).toThrow(OutOfMemoryError)
    backward(x.mul(2).sum())
    expect(x.grad!.item()).toBe(2)
  })
})

describe('tensors outside every scope', () => {
  it('are collected when they are forgotten', async () => {
    resetPeakMemory()
    const base = memoryStats()
    // 4 GiB in all. Nothing is freed by hand: V8 must know what the small objects stand for.
    for (let i = 0; i < 1024; i++) {
      ops.zeros([4 * MIB], 'u8')
      await new Promise(setImmediate)
    }
    expect(memoryStats().peakBytes - base.liveBytes).toBeLessThan(1024 * MIB)
  })
})
