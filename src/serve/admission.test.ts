import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { UsageError } from '../errors.ts'
import { Admission, type Entrant, type Ticket } from './admission.ts'
import { ApiError } from './api-error.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Enters, and writes its name down as soon as it is in. */
function lineUp(admission: Admission) {
  const order: string[] = []
  const tickets = new Map<string, Ticket>()
  const failures = new Map<string, unknown>()
  const enter = (name: string, entrant: Entrant = {}): void => {
    admission.enter(entrant).then(
      (ticket) => {
        order.push(name)
        tickets.set(name, ticket)
      },
      (error) => failures.set(name, error),
    )
  }
  const settle = () => vi.advanceTimersByTimeAsync(0)
  return { order, tickets, failures, enter, settle }
}

/** What is thrown before anything is waited for. */
function refusal(admission: Admission, entrant?: Entrant): ApiError {
  try {
    void admission.enter(entrant)
  } catch (error) {
    expect(error).toBeInstanceOf(ApiError)
    return error as ApiError
  }
  throw new Error('let in')
}

describe('Admission', () => {
  it('lets in as many rows as there are, first come, first served', async () => {
    const admission = new Admission({ rows: 2 })
    const { order, tickets, enter, settle } = lineUp(admission)
    for (const name of ['a', 'b', 'c', 'd']) enter(name)
    await settle()
    expect(order).toEqual(['a', 'b'])
    expect([admission.running, admission.waiting, admission.usedRows]).toEqual([2, 2, 2])
    await vi.advanceTimersByTimeAsync(3000)
    tickets.get('b')!.leave()
    tickets.get('b')!.leave()
    await settle()
    expect(order).toEqual(['a', 'b', 'c'])
    expect(tickets.get('a')!.waitedSeconds).toBe(0)
    expect(tickets.get('c')!.waitedSeconds).toBeCloseTo(3)
    expect([admission.running, admission.waiting]).toEqual([2, 1])
  })

  it('keeps small requests behind a big one that came before them', async () => {
    const { order, tickets, enter, settle } = lineUp(new Admission({ rows: 4 }))
    enter('a', { rows: 3 })
    enter('big', { rows: 4 })
    enter('small')
    await settle()
    expect(order).toEqual(['a'])
    tickets.get('a')!.leave()
    await settle()
    expect(order).toEqual(['a', 'big'])
    tickets.get('big')!.leave()
    await settle()
    expect(order).toEqual(['a', 'big', 'small'])
  })

  it('takes the lower priority number first', async () => {
    const { order, tickets, enter, settle } = lineUp(new Admission({ rows: 1 }))
    for (const [name, priority] of Object.entries({ first: 0, p1: 1, p0: 0, urgent: -1, p0b: 0 }))
      enter(name, { priority })
    for (const name of ['first', 'urgent', 'p0', 'p0b']) {
      await settle()
      tickets.get(name)!.leave()
    }
    await settle()
    expect(order).toEqual(['first', 'urgent', 'p0', 'p0b', 'p1'])
  })

  it('says when to come again: from the pace, in whole seconds below a minute', async () => {
    const admission = new Admission({ rows: 2, waiting: 2 })
    const { tickets, enter, settle } = lineUp(admission)
    const fill = async (): Promise<void> => {
      enter('run', { rows: 2 })
      enter('w1', { rows: 2 })
      enter('w2')
      await settle()
    }
    await fill()
    const unknown = refusal(admission)
    expect(unknown.status).toBe(429)
    expect(unknown.code).toBe('queue_full')
    expect(unknown.type).toBe('rate_limit_error')
    expect(unknown.headers['retry-after']).toBe('1')
    await vi.advanceTimersByTimeAsync(7000)
    for (const name of ['run', 'w1', 'w2']) {
      tickets.get(name)!.leave()
      await settle()
    }
    // Three requests of 7, 0 and 0 seconds: 7 · 0.8² = 4.48 for two rows; three rows wait.
    await fill()
    expect(refusal(admission).headers['retry-after']).toBe(String(Math.ceil((3 * 4.48) / 2)))
    await vi.advanceTimersByTimeAsync(59_000)
    for (const name of ['run', 'w1', 'w2']) {
      tickets.get(name)!.leave()
      await settle()
      await vi.advanceTimersByTimeAsync(500_000)
    }
    await fill()
    expect(refusal(admission).headers['retry-after']).toBe('59')
  })

  it('sends away who waited too long', async () => {
    const admission = new Admission({ rows: 1, waitSeconds: 5 })
    const { tickets, failures, enter, settle } = lineUp(admission)
    for (const name of ['a', 'b']) enter(name)
    await vi.advanceTimersByTimeAsync(4999)
    expect(failures.size).toBe(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(failures.get('b')).toMatchObject({ status: 429, code: 'queue_timeout', headers: { 'retry-after': '1' } })
    expect(admission.waiting).toBe(0)
    tickets.get('a')!.leave()
    await settle()
    expect([admission.running, admission.usedRows]).toEqual([0, 0])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('lets go of who aborts, and lets in who stood behind', async () => {
    const admission = new Admission({ rows: 2 })
    const { order, failures, enter, settle } = lineUp(admission)
    const abort = new AbortController()
    enter('a')
    enter('big', { rows: 2, signal: abort.signal })
    enter('small')
    await settle()
    expect(order).toEqual(['a'])
    abort.abort('gone')
    await settle()
    expect(failures.get('big')).toBe('gone')
    expect(order).toEqual(['a', 'small'])
    expect(() => admission.enter({ signal: abort.signal })).toThrow('gone')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('refuses what could never run', async () => {
    const error = refusal(new Admission({ rows: 4 }), { rows: 5 })
    expect([error.status, error.param]).toEqual([400, 'n'])
    refusal(new Admission({ rows: 1, waiting: 0, perKey: { parallel: 1 } }), { rows: 2 })
    expect(() => new Admission({ rows: 0 })).toThrow(UsageError)
    expect(() => new Admission({ waitSeconds: Number.NaN })).toThrow('waitSeconds: expected')
    expect(() => new Admission({ perKey: { perMinute: 0.5 } })).toThrow('perMinute: expected')
  })

  it('limits a key: requests at a time', async () => {
    const admission = new Admission({ rows: 1, perKey: { parallel: 2 } })
    const abort = new AbortController()
    const first = await admission.enter({ key: 'a' })
    const second = admission.enter({ key: 'a', signal: abort.signal })
    expect(refusal(admission, { key: 'a' })).toMatchObject({ status: 429, code: 'rate_limit_exceeded' })
    const other = admission.enter({ key: 'b' })
    abort.abort()
    await expect(second).rejects.toThrow()
    const third = admission.enter({ key: 'a' })
    first.leave()
    first.leave()
    ;(await other).leave()
    const ticket = await third
    const fourth = admission.enter({ key: 'a' })
    refusal(admission, { key: 'a' })
    ticket.leave()
    ;(await fourth).leave()
  })

  it('limits a key: requests in a minute', async () => {
    const admission = new Admission({ waiting: 0, perKey: { perMinute: 2 } })
    const pass = async (): Promise<void> => (await admission.enter({ key: 'a' })).leave()
    await pass()
    await vi.advanceTimersByTimeAsync(20_000)
    await pass()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(refusal(admission, { key: 'a' }).headers['retry-after']).toBe('30')
    await vi.advanceTimersByTimeAsync(30_000)
    await pass()
    refusal(admission, { key: 'a' })
  })

  it('drains: no new ones, but those who wait get their turn', async () => {
    const admission = new Admission({ rows: 1 })
    const { order, tickets, enter, settle } = lineUp(admission)
    for (const name of ['a', 'b']) enter(name)
    await settle()
    let isEmpty = false
    void admission.drain().then(() => (isEmpty = true))
    expect(refusal(admission)).toMatchObject({
      status: 503,
      code: 'draining',
      headers: { 'retry-after': '1' },
    })
    tickets.get('a')!.leave()
    await settle()
    expect(order).toEqual(['a', 'b'])
    expect(isEmpty).toBe(false)
    tickets.get('b')!.leave()
    await settle()
    expect(isEmpty).toBe(true)
    await admission.drain()
  })

  it('is empty after any order of comings, goings and aborts, and never holds more rows than there are', async () => {
    const act = fc.record({
      what: fc.constantFrom('enter', 'leave', 'abort', 'time'),
      rows: fc.integer({ min: 1, max: 5 }),
      priority: fc.integer({ min: -1, max: 1 }),
      which: fc.nat(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 60 }), async (acts) => {
        const admission = new Admission({ rows: 4, waiting: 5, waitSeconds: 10, perKey: { parallel: 8 } })
        const tickets: Ticket[] = []
        const aborts: AbortController[] = []
        for (const { what, rows, priority, which } of acts) {
          if (what === 'enter') {
            const abort = new AbortController()
            aborts.push(abort)
            // With `async`, what is thrown is a rejection too.
            const enter = async () =>
              tickets.push(await admission.enter({ rows, priority, signal: abort.signal, key: 'k' }))
            enter().catch(() => {})
          }
          if (what === 'leave') tickets[which % tickets.length]?.leave()
          if (what === 'abort') aborts[which % aborts.length]?.abort()
          await vi.advanceTimersByTimeAsync(what === 'time' ? 4000 : 0)
          expect(admission.usedRows).toBeLessThanOrEqual(4)
          expect(admission.waiting).toBeLessThanOrEqual(5)
        }
        await vi.advanceTimersByTimeAsync(20_000)
        for (const ticket of tickets) ticket.leave()
        await admission.drain()
        expect([admission.running, admission.waiting, admission.usedRows, vi.getTimerCount()]).toEqual([0, 0, 0, 0])
      }),
      { numRuns: 100 },
    )
  })
})
