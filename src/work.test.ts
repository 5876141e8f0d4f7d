// Work → events: order, time left, results, errors, and being stopped from either end.
import { describe, expect, it } from 'vitest'
import { Count, eventsOf, resultOf, turn, type WorkEvent } from './work.ts'

const progress = (done: number, total?: number) =>
  ({ type: 'progress', label: 'reading', unit: 'bytes', done, ...(total !== undefined && { total }) }) as const

describe('Count', () => {
  it('tells of the start, of every step, and of a total that grew, and needs nobody who listens', () => {
    const seen: (readonly number[])[] = []
    const tell = (event: object): void =>
      void seen.push([(event as WorkEvent & { done: number }).done, (event as WorkEvent & { total: number }).total])
    const count = new Count({ tell }, { label: 'scoring', unit: 'batches', total: 2 })
    count.add()
    count.add(2)
    count.total = 9
    count.add()
    expect(seen).toEqual([
      [0, 2],
      [1, 2],
      [3, 3],
      [4, 9],
    ])
    new Count(undefined, { label: 'scoring', unit: 'batches', total: 1 }).add()
    new Count({ tell }, { label: 'nothing', unit: 'batches', total: 0 })
    expect(seen).toHaveLength(4)
  })
})

describe('eventsOf', () => {
  it('yields everything in order, also what was told before the first turn, and returns the result', async () => {
    const seen: string[] = []
    const events = eventsOf(async ({ tell }) => {
      tell({ type: 'notice', message: 'a' })
      await turn()
      tell({ type: 'notice', message: 'b' })
      return 7
    })
    expect(await resultOf(events, (event) => seen.push((event as { message: string }).message))).toBe(7)
    expect(seen).toEqual(['a', 'b'])
  })

  it('gives an event to its reader while the work goes on', async () => {
    let isDone = false
    for await (const event of eventsOf(async ({ tell }) => {
      tell({ type: 'notice', message: 'early' })
      for (let i = 0; i < 3; i++) await turn()
      isDone = true
    })) {
      expect(event.type).toBe('notice')
      expect(isDone).toBe(false)
    }
    expect(isDone).toBe(true)
  })

  it('fills in rate and time left from the first time a label was seen', async () => {
    let clock = 0
    const seen: WorkEvent[] = []
    const events = eventsOf(
      async ({ tell }) => {
        tell(progress(100, 300)) // resumed at 100
        clock = 2000
        tell(progress(200, 300))
        tell({ ...progress(5), label: 'other' })
      },
      { now: () => clock },
    )
    await resultOf(events, (event) => seen.push(event))
    expect(seen[0]).toMatchObject({ seconds: 0, rate: 0 })
    expect(seen[0]).not.toHaveProperty('eta')
    expect(seen[1]).toMatchObject({ seconds: 2, rate: 50, eta: 2 })
    expect(seen[2]).toMatchObject({ seconds: 0, rate: 0, done: 5 })
  })

  it('tells the rate of the last seconds, as the bar shows it: the time left follows work that slows down', async () => {
    let clock = 0
    const etas: (number | undefined)[] = []
    const events = eventsOf(
      async ({ tell }) => {
        tell(progress(0, 1110))
        clock = 10_000
        tell(progress(1000, 1110))
        clock = 70_000
        tell(progress(1010, 1110))
      },
      { now: () => clock },
    )
    await resultOf(events, (event) => event.type === 'progress' && etas.push(event.eta))
    // 110 at 100/s; then ten in a minute, with a mean of all of 14.4/s that would say 7 s.
    expect(etas.slice(0, 2)).toEqual([undefined, 1.1])
    expect(etas[2]).toBeGreaterThan(200)
  })

  it('throws what the work throws, after what it told', async () => {
    const seen: WorkEvent[] = []
    const events = eventsOf(async ({ tell }) => {
      tell({ type: 'notice', message: 'last words' })
      throw new RangeError('broken')
    })
    await expect(resultOf(events, (event) => seen.push(event))).rejects.toThrow(new RangeError('broken'))
    expect(seen).toHaveLength(1)
  })

  it('ends at the next turn when its signal aborts', async () => {
    const controller = new AbortController()
    const reason = new Error('stop')
    let turns = 0
    const events = eventsOf(
      async (watch) => {
        for (;;) {
          if (++turns === 3) controller.abort(reason)
          await turn(watch)
        }
      },
      { signal: controller.signal },
    )
    await expect(resultOf(events)).rejects.toBe(reason)
    expect(turns).toBe(3)
  })

  it('aborts and awaits the work when the reader leaves', async () => {
    let isCleanedUp = false
    for await (const _ of eventsOf(async (watch) => {
      try {
        for (let i = 0; ; i++) {
          watch.tell(progress(i))
          await turn(watch)
        }
      } finally {
        await turn()
        isCleanedUp = true
      }
    }))
      break
    expect(isCleanedUp).toBe(true)
  })
})
