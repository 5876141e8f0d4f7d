import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startProcessorTime } from '../../test/processor-time.ts'
import { StopStrings } from './stop-strings.ts'

/** What a text gives, piece by piece. */
function run(pieces: string[], stops: string[]): { outputs: string[]; isStopped: boolean } {
  const watcher = new StopStrings(stops)
  const outputs: string[] = []
  for (const piece of pieces) {
    const { text, isStopped } = watcher.push(piece)
    outputs.push(text)
    if (isStopped) return { outputs, isStopped }
  }
  outputs.push(watcher.flush())
  return { outputs, isStopped: false }
}

/** The same by looking at every prefix of the whole text. */
function plainly(text: string, stops: string[]): { text: string; isStopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop))
    if (found.length > 0)
      return { text: text.slice(0, end - Math.max(...found.map((stop) => stop.length))), isStopped: true }
  }
  return { text, isStopped: false }
}

describe('StopStrings', () => {
  it('stops at a string that is spread over pieces and gives out no part of it', () => {
    expect(run(['Hello\n', '\nUs', 'er', ': you'], ['\n\nUser:'])).toEqual({
      outputs: ['Hello', '', '', ''],
      isStopped: true,
    })
  })

  it('gives out what only looked like a stop string as soon as that is clear', () => {
    expect(run(['a<', '<', 'b>', '<en'], ['<end>']).outputs).toEqual(['a', '<', '<b>', '', '<en'])
  })

  it('goes on inside a repeated beginning', () => {
    expect(run(['aaaab'], ['aab'])).toEqual({ outputs: ['aa'], isStopped: true })
  })

  it('takes the stop string that completes first, and the longest of those that complete together', () => {
    expect(run(['xabcd'], ['abcd', 'bc'])).toEqual({ outputs: ['xa'], isStopped: true })
    expect(run(['xab'], ['b', 'ab'])).toEqual({ outputs: ['x'], isStopped: true })
  })

  it('lets everything pass without stop strings', () => {
    expect(run(['a', '', 'b'], [])).toEqual({ outputs: ['a', '', 'b', ''], isStopped: false })
  })

  it('does not depend on where the pieces are cut', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '😀'), maxLength: 30 })
    const stop = fc.string({ unit: fc.constantFrom('a', 'b', '😀'), minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(text, fc.array(stop, { maxLength: 3 }), fc.array(fc.nat(6)), (text, stops, cuts) => {
        const characters = [...text]
        const pieces = [...cuts.map((cut) => characters.splice(0, cut).join('')), characters.join('')]
        const { outputs, isStopped } = run(pieces, stops)
        expect({ text: outputs.join(''), isStopped }).toEqual(plainly(text, stops))
        for (const output of outputs) expect(output.isWellFormed()).toBe(true)
      }),
    )
  })

  it('takes a hostile stop string in linear time', () => {
    const length = 50_000
    const spent = startProcessorTime()
    expect(run(['a'.repeat(2 * length)], [`${'a'.repeat(length)}b`]).isStopped).toBe(false)
    expect(spent()).toBeLessThan(2000)
  })
})
