import { describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { memoryStats, ops, scope, Tensor } from './index.ts'

const live = (): number => memoryStats().liveTensors

describe('scope', () => {
  it('frees what was made inside and keeps what it returns', () => {
    const before = live()
    const sum = scope(() => {
      const x = Tensor.from([1, 2])
      return x.add(x).sum()
    })
    expect(live()).toBe(before + 1)
    expect(sum.item()).toBe(6)
    sum.free()
    expect(live()).toBe(before)
  })

  it('finds tensors in arrays, objects, maps and sets', () => {
    const before = live()
    const shared = Tensor.from([0])
    const result = scope(() => {
      const at = (n: number): Tensor => Tensor.from([n])
      at(-1)
      return {
        list: [at(1), [at(2)]],
        map: new Map([['a', { deep: at(3) }]]),
        set: new Set([at(4)]),
        shared,
        none: null,
      }
    })
    expect(live()).toBe(before + 5)
    expect((result.list[1] as Tensor[])[0]!.item()).toBe(2)
    expect(result.map.get('a')!.deep.item()).toBe(3)
    expect([...result.set][0]!.item()).toBe(4)
  })

  it('hands a returned tensor to the scope around', () => {
    const before = live()
    scope(() => {
      const inner = scope(() => Tensor.from([1]).add(1))
      expect(inner.item()).toBe(2)
      expect(live()).toBe(before + 1)
    })
    expect(live()).toBe(before)
  })

  it('frees everything when the body throws', () => {
    const before = live()
    const boom = new Error('boom')
    expect(() =>
      scope(() => {
        Tensor.from([1])
        scope(() => {
          Tensor.from([2])
          throw boom
        })
      }),
    ).toThrow(boom)
    expect(live()).toBe(before)
    scope(() => Tensor.from([1]).item())
    expect(live()).toBe(before)
  })

  it('leaves kept tensors alone until they are freed', () => {
    const before = live()
    let kept: Tensor | undefined
    scope(() => {
      scope(() => {
        kept = Tensor.from([3]).keep()
      })
    })
    expect(kept!.item()).toBe(3)
    kept!.free()
    kept!.free()
    expect(live()).toBe(before)
  })

  it('frees an alias without its twin', () => {
    const x = Tensor.from([1, 2])
    const twin = scope(() => {
      x.alias()
      return x.alias()
    })
    x.free()
    expect(twin.toArray()).toEqual([1, 2])
  })

  it('says clearly that a tensor was freed', () => {
    let escaped: Tensor | undefined
    scope(() => {
      escaped = Tensor.from([1])
    })
    expect(() => escaped!.shape).toThrow(/the tensor was freed .*return it from scope\(\) or keep\(\) it/)
    expect(() => escaped!.add(1)).toThrow(/aten::add\.Scalar\(freed\): the tensor was freed/)
    expect(() => ops.cat([escaped!])).toThrow(/the tensor was freed/)
  })

  it('refuses an async function', () => {
    expect(() => scope(async () => 1)).toThrow(UsageError)
  })

  it('frees at the end of a using block', () => {
    const before = live()
    {
      using x = Tensor.from([1])
      expect(x.item()).toBe(1)
    }
    expect(live()).toBe(before)
  })

  it('returns other values as they are', () => {
    expect(scope(() => 5)).toBe(5)
    expect(scope(() => undefined)).toBe(undefined)
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expect(scope(() => cycle)).toBe(cycle)
  })
})
