import { describe, expect, it } from 'vitest'
import { textSink } from '../../test/run-command.ts'
import { createOutput } from './output.ts'

function written(line: string, isTTY: boolean, environment: NodeJS.ProcessEnv): string {
  const stderr = textSink(isTTY)
  createOutput(false, textSink(), stderr, environment).note(line)
  return stderr.text
}

describe('colours', () => {
  it('are there on a terminal, and not in a pipe', () => {
    expect(written('notice: ⟦ok⟧', true, {})).toBe('\u001b[33mnotice:\u001b[0m \u001b[32m⟦ok⟧\u001b[0m\n')
    expect(written('error: no', true, {})).toBe('\u001b[1;31merror:\u001b[0m no\n')
    expect(written('notice: ⟦ok⟧', false, {})).toBe('notice: ⟦ok⟧\n')
  })
  it('obey NO_COLOR, FORCE_COLOR and TERM', () => {
    const has = (isTTY: boolean, environment: NodeJS.ProcessEnv) =>
      written('notice: x', isTTY, environment).includes('\u001b')
    expect(has(true, { NO_COLOR: '1' })).toBe(false)
    expect(has(true, { NO_COLOR: '' })).toBe(true)
    expect(has(true, { TERM: 'dumb' })).toBe(false)
    expect(has(true, { FORCE_COLOR: '0' })).toBe(false)
    expect(has(false, { FORCE_COLOR: '1' })).toBe(true)
    expect(has(true, { FORCE_COLOR: '1', NO_COLOR: '1' })).toBe(true)
  })
  it('never come from a text', () => {
    expect(written('notice: \u001b[31mred', true, {})).toBe('\u001b[33mnotice:\u001b[0m \\u001b[31mred\n')
  })
})
