import { describe, expect, it } from 'vitest'
import { describeError } from './errors.ts'
import { printable } from './printable.ts'

describe('printable', () => {
  it('writes out what a terminal would obey', () => {
    expect(printable('a\u001b[2Jb\u009b1m\u202e\ud800\r\u2066x\u2069\tc\n')).toBe(
      'a\\u001b[2Jb\\u009b1m\\u202e\\ud800\\u000d\\u2066x\\u2069\tc\n',
    )
  })
  it('leaves every script and emoji alone', () => {
    const text = 'héllo 😀 مرحبا 👩‍👩‍👧 नमस्ते'
    expect(printable(text)).toBe(text)
  })
})

describe('the line of an error', () => {
  it('is one line, whatever its message holds', () => {
    expect(describeError(new Error('model_type: got \u001b]0;owned\u0007\n  \u202egnp.exe\n'))).toBe(
      'error: model_type: got \\u001b]0;owned\\u0007 \\u202egnp.exe',
    )
  })
})
