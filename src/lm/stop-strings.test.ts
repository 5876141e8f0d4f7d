import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startProcessorTime } from '../../test/processor-time.ts'
import { StopStrings } from './stop-strings.ts'

/** What a text gives, piece by piece. */
function run(pieces: string[], stops: string[]): { outputs: string[]; stop?: string } {
  const watcher = new StopStrings(stops)
  const outputs: string[] = []
  for (const piece of pieces) {
    const { text, stop } = watcher.push(piece)
    outputs.push(text)
    if (stop !== undefined) return { outputs, stop }
  }
  outputs.push(watcher.flush())
  return { outputs }
}

/** The same by looking at every prefix of the whole text. */
function plainly(text: string, stops: string[]): { text: string; stop?: string } {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop))
    const [stop] = found.sort((a, b) => b.length - a.length)
    if (stop !== undefined) return { text: text.slice(0, end - stop.length), stop }
  }
  return { text }
}

describe('StopStrings', () => {
  it('stops at a string that is spread over pieces and gives out no part of it', () => {
    expect(run(['Hello\n', '\nUs', 'er', ': you'], ['\n\nUser:'])).toEqual({
      outputs: ['Hello', '', '', ''],
      stop: '\n\nUser:',
    })
  })

  it('gives out what only looked like a stop string as soon as that is clear', () => {
    expect(run(['a<', '<', 'b>', '<en'], ['<end>']).outputs).toEqual(['a', '<', '<b>', '', '<en'])
  })

  it('goes on inside a repeated beginning', () => {
    expect(run(['aaaab'], ['aab'])).toEqual({ outputs: ['aa'], stop: 'aab' })
  })

  it('takes the stop string that completes first, and the longest of those that complete together', () => {
    expect(run(['xabcd'], ['abcd', 'bc'])).toEqual({ outputs: ['xa'], stop: 'bc' })
    expect(run(['xab'], ['b', 'ab'])).toEqual({ outputs: ['x'], stop: 'ab' })
  })

  it('lets everything pass without stop strings', () => {
    expect(run(['a', '', 'b'], [])).toEqual({ outputs: ['a', '', 'b', ''] })
  })

  it('does not depend on where the pieces are cut', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '😀'), maxLength: 30 })
    const stop = fc.string({ unit: fc.constantFrom('a', 'b', '😀'), minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(text, fc.array(stop, { maxLength: 3 }), fc.array(fc.nat(6)), (text, stops, cuts) => {
        const characters = [...text]
        const pieces = [...cuts.map((cut) => characters.splice(0, cut).join('')), characters.join('')]
        const { outputs, ...end } = run(pieces, stops)
        expect({ text: outputs.join(''), ...end }).toEqual(plainly(text, stops))
        for (const output of outputs) expect(output.isWellFormed()).toBe(true)
      }),
    )
  })

  it('takes a hostile stop string in linear time', () => {
    const length = 50_000
    const spent = startProcessorTime()
    expect(run(['a'.repeat(2 * length)], [`${'a'.repeat(length)}b`]).stop).toBeUndefined()
    expect(spent()).toBeLessThan(2000)
  })
})
