import { describe, expect, it } from 'vitest'
import { createOutput } from './output.ts'

function streams() {
  const written = { out: '', err: '' }
  return {
    written,
    stdout: { write: (text: string) => (written.out += text) },
    stderr: { write: (text: string) => (written.err += text) },
  }
}

describe('output', () => {
  it('writes only JSON lines to standard output with --json', () => {
    const { written, stdout, stderr } = streams()
    const output = createOutput(true, stdout, stderr)
    output.note('hello')
    output.result('text')
    output.emit({ loss: Number.NaN, tokens: 9007199254740993n })
    expect(written).toEqual({ out: '{"loss":null,"tokens":"9007199254740993"}\n', err: 'hello\n' })
  })

  it('writes results as text without --json, each on a line of its own', () => {
    const { written, stdout, stderr } = streams()
    const output = createOutput(false, stdout, stderr)
    output.result('text')
    output.result('more\n')
    output.emit({ a: 1 })
    expect(written).toEqual({ out: 'text\nmore\n', err: '' })
  })

  it('escapes what a terminal would obey, in notes and in results', () => {
    const { written, stdout, stderr } = streams()
    const output = createOutput(false, stdout, stderr)
    output.note('a\u001b[2Jb')
    output.result('\u202ec')
    expect(written).toEqual({ out: '\\u202ec\n', err: 'a\\u001b[2Jb\n' })
  })
})
