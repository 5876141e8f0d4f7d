import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ops, scope } from '../torch/index.ts'
import { type CachedText, PagedCache } from './paged-cache.ts'

const ids = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i)

/** Blocks are only counted here: no model fills them. */
const cacheOf = (tokens = 160, windows: readonly (number | null)[] = [null]): PagedCache =>
  new PagedCache({ windows, tokens })

function write(cache: PagedCache, text: CachedText, more: readonly number[]): void {
  expect(cache.reserve(text, more.length)).toBe(true)
  cache.commit(text, more)
}

describe('PagedCache', () => {
  it('finds what is known of a text, in whole blocks, at most as much as is asked for', () => {
    const cache = cacheOf()
    const first = cache.open(ids(40))
    expect(first.length).toBe(0)
    write(cache, first, ids(40))
    expect(cache.open(ids(40)).length).toBe(32)
    expect(cache.open(ids(40), 31).length).toBe(16)
    expect(cache.open([...ids(20), 99]).length).toBe(16)
    expect(cache.open(ids(40, 1)).length).toBe(0)
    expect(cache.open([...ids(15), 99, ...ids(24, 16)]).length).toBe(0)
    // The second block's content follows the first's, whose name is 0.
    for (const salt of ['salt', '0']) expect(cache.open(ids(24, 16), 24, salt).length).toBe(0)
    expect(cache.open(ids(40), 40, 'salt').length).toBe(0)
  })

  it('shares blocks and counts who uses them', () => {
    const cache = cacheOf()
    const first = cache.open([])
    write(cache, first, ids(40))
    expect(cache.usedBlocks).toBe(3)
    const second = cache.open(ids(40))
    expect(cache.usedBlocks).toBe(3)
    write(cache, second, ids(10, 50))
    expect(cache.usedBlocks).toBe(4)
    cache.close(first)
    expect(cache.usedBlocks).toBe(3)
    cache.close(second)
    expect(cache.usedBlocks).toBe(0)
    expect(cache.open(ids(32)).length).toBe(32)
  })

  it('gives out no more blocks than there are, and takes nothing where that is not enough', () => {
    const cache = cacheOf(64)
    const first = cache.open([])
    expect(cache.reserve(first, 65)).toBe(false)
    expect(cache.usedBlocks).toBe(0)
    expect(cache.reserve(first, 33)).toBe(true)
    const second = cache.open([])
    expect(cache.reserve(second, 17)).toBe(false)
    expect(cache.reserve(second, 16)).toBe(true)
    cache.close(first)
    expect(cache.reserve(second, 64)).toBe(true)
    expect(cache.usedBlocks).toBe(4)
  })

  it('forgets the end of the text that was left the longest ago when it needs the place', () => {
    const cache = cacheOf(96)
    for (const from of [0, 1000]) {
      const text = cache.open([])
      write(cache, text, ids(48, from))
      cache.close(text)
    }
    const other = cache.open([])
    write(cache, other, ids(20, 5000))
    expect(cache.open(ids(48)).length).toBe(16)
    expect(cache.open(ids(48, 1000)).length).toBe(48)
  })

  it('copies a block before one of two texts that share it writes', () => {
    const cache = cacheOf()
    scope(() => {
      const first = cache.open([])
      const read = (text: CachedText, more: readonly number[], value: number): number[] => {
        expect(cache.reserve(text, more.length)).toBe(true)
        const row = ops.full([1, more.length, 1, 16], value, 'f32')
        const how = { rotary: null, scale: 0, window: null, softcap: null } // all keys weigh the same
        const y = cache.step([{ text, count: more.length }]).attend(0, row, row, row, how)
        cache.commit(text, more)
        return y.select(2, 0).toArray()
      }
      expect(read(first, ids(3), 1)).toEqual([1, 1, 1])
      const second = cache.fork(first)
      expect(cache.usedBlocks).toBe(1)
      expect(read(second, [7], 5)).toEqual([2]) // (1 + 1 + 1 + 5) / 4
      expect(cache.usedBlocks).toBe(2)
      expect(read(first, [8], 9)).toEqual([3])
      expect(second.ids).toEqual([0, 1, 2, 7])
      cache.truncate(second, 2)
      expect(read(second, [9], 4)).toEqual([2])
    })
    cache.free()
  })

  it('finds what a fork has written, too, and not what was taken back', () => {
    const cache = cacheOf()
    const known = (text: readonly number[]): number => {
      const found = cache.open(text)
      const { length } = found
      cache.close(found)
      return length
    }
    const first = cache.open([])
    write(cache, first, ids(20))
    const second = cache.fork(first)
    write(cache, second, ids(15, 100))
    expect(known([...ids(20), ...ids(15, 100)])).toBe(32)
    cache.truncate(second, 20)
    write(cache, second, ids(15, 200))
    expect(known([...ids(20), ...ids(15, 200)])).toBe(32)
    expect(known([...ids(20), ...ids(15, 100)])).toBe(16)
  })

  it('gives back what no token of a window sees any more', () => {
    const cache = cacheOf(1600, [20])
    const text = cache.open([])
    for (let at = 0; at < 30; at++) write(cache, text, ids(16, 16 * at))
    // The next token sees 19 before it: two blocks.
    expect(cache.usedBlocks).toBe(2)
    // Only those two are needed to go on from the same text.
    cache.close(text)
    const again = cache.open(ids(480))
    expect(again.length).toBe(480)
    expect(cache.usedBlocks).toBe(2)
    // What a shorter text would need was given back.
    cache.truncate(again, 100)
    expect([again.length, cache.usedBlocks]).toEqual([0, 0])
  })

  it('keeps all of the past for layers that see it, beside a window', () => {
    const cache = cacheOf(1600, [null, 20])
    const text = cache.open([])
    write(cache, text, ids(160))
    expect(cache.usedBlocks).toBe(10)
    cache.close(text)
    expect(cache.usedBlocks).toBe(0)
  })

  it('counts right whatever texts do', () => {
    const action = fc.tuple(fc.constantFrom('open', 'write', 'fork', 'truncate', 'close'), fc.nat(50), fc.nat(40))
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 80 }),
        fc.constantFrom<(number | null)[]>([null], [24], [null, 24]),
        (actions, windows) => {
          const cache = cacheOf(16 * 24, windows)
          const texts: CachedText[] = []
          for (const [kind, which, amount] of actions) {
            const text = texts[which % Math.max(1, texts.length)]
            if (kind === 'open') texts.push(cache.open(ids(amount, which % 3)))
            else if (text === undefined) continue
            else if (kind === 'write') {
              // Few distinct texts, so that many find each other's blocks.
              const more = ids(amount, (which % 3) + text.length)
              if (cache.reserve(text, more.length)) cache.commit(text, more)
            } else if (kind === 'fork') texts.push(cache.fork(text))
            else if (kind === 'truncate') cache.truncate(text, Math.min(amount, text.length))
            else {
              cache.close(text)
              texts.splice(texts.indexOf(text), 1)
            }
            expect(cache.usedBlocks).toBeLessThanOrEqual(24)
          }
          for (const text of texts) cache.close(text)
          expect(cache.usedBlocks).toBe(0)
          // Nothing was lost: all blocks can be had.
          expect(cache.reserve(cache.open([]), 16 * 24)).toBe(true)
        },
      ),
      { numRuns: 200 },
    )
  })
})
