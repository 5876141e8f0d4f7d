import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { textSink } from '../../test/run-command.ts'
import { createOutput } from './output.ts'
import { type SignalStop, stopOnSignals } from './stop-on-signals.ts'

let stop: SignalStop
let said: { text: string }
const exit = vi.fn()

beforeEach(() => {
  vi.useFakeTimers()
  exit.mockReset()
  const stderr = textSink()
  said = stderr
  stop = stopOnSignals(createOutput(false, textSink(), stderr), 'finishing this step and saving', exit)
  stop.listen()
})
afterEach(() => {
  stop.release()
  vi.runAllTimers()
  vi.useRealTimers()
})
const send = (name: NodeJS.Signals): boolean => process.emit(name, name)

describe('stopOnSignals', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s lets the run stop by itself', (name, code) => {
    expect([stop.signal.aborted, stop.code]).toEqual([false, undefined])
    send(name)
    expect([stop.signal.aborted, stop.code]).toEqual([true, code])
    expect(said.text).toBe(`${name}: finishing this step and saving. A signal after 1 s ends the run at once\n`)
  })

  it('takes a second one for a copy of the first, however long the step is that both came in', () => {
    send('SIGTERM')
    vi.advanceTimersByTime(30)
    send('SIGTERM')
    send('SIGINT')
    // The step took ten seconds: the timer is due before the signals are heard.
    vi.setSystemTime(Date.now() + 10_000)
    send('SIGTERM')
    expect(exit).not.toHaveBeenCalled()
    expect(stop.code).toBe(143)
    expect(said.text.match(/finishing/g)).toHaveLength(1)
  })

  it('ends at once with one that comes later', () => {
    send('SIGTERM')
    vi.advanceTimersByTime(1001)
    vi.runAllTimers()
    send('SIGINT')
    expect(exit).toHaveBeenCalledExactlyOnceWith(130)
  })

  it('still takes a copy for one when the work has ended already', () => {
    send('SIGINT')
    stop.release()
    expect(process.listenerCount('SIGINT')).toBe(1) // without one the copy would end the process, and not with 130
    send('SIGINT')
    expect(exit).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1000)
    expect(process.listenerCount('SIGINT')).toBe(0)
  })

  it('hears nothing before and after', () => {
    stop.release()
    expect(process.listenerCount('SIGHUP')).toBe(0)
    expect(stop.code).toBeUndefined()
  })
})
