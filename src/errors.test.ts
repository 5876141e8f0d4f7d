import { describe, expect, it } from 'vitest'
import { describeError, exitCodeOf } from './errors.ts'

describe('describeError', () => {
  it('says in one line what to do when the file handles are used up', () => {
    const error = Object.assign(new Error("EMFILE: too many open files, open 'a.json'"), {
      code: 'EMFILE',
      path: 'a.json',
      syscall: 'open',
    })
    expect(describeError(error)).toMatch(/^error: cannot open a\.json: expected another free file handle, .*ulimit -n/)
    expect(exitCodeOf(error)).toBe(1)
  })
})
