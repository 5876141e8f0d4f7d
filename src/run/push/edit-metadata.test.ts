import { describe, expect, it } from 'vitest'
import { withKeys, withoutValues } from './edit-metadata.ts'

const isPath = (text: string): boolean => text.startsWith('/')

describe('metadata that are changed', () => {
  it('lose the lines concerned and nothing else', () => {
    const block = '# mine\nlicense:   "mit" # why\nbase_model: /home/me/x\n# of tags\ntags: [ a,  b ]\n'
    expect(withoutValues(block, 'base_model', isPath)).toBe(
      '# mine\nlicense:   "mit" # why\n# of tags\ntags: [ a,  b ]\n',
    )
    expect(withoutValues(block, 'license', isPath)).toBe(block)
    expect(withoutValues('base_model:\n- /a # no\n- org/b # yes\nx: 1\n', 'base_model', isPath)).toBe(
      'base_model:\n- org/b # yes\nx: 1\n',
    )
    expect(withoutValues('base_model:\n  - /a\n  - /b\nx: 1\n', 'base_model', isPath)).toBe('x: 1\n')
    expect(withoutValues('base_model: [/a, "org/b"] # c\n', 'base_model', isPath)).toBe('base_model: ["org/b"] # c\n')
    expect(withoutValues('base_model: >-\n  /a\nx: |\n  y\n', 'base_model', isPath)).toBe('x: |\n  y\n')
  })
  it('get keys at their end, with the same ends of lines', () => {
    expect(withKeys('a: 1 # one\n', { b: ['c'] })).toBe('a: 1 # one\nb:\n  - c\n')
    expect(withKeys('a: 1\r\n', { b: 2 })).toBe('a: 1\r\nb: 2\r\n')
    expect(withKeys('  a: 1\n', { b: 2 })).toBe('  a: 1\n  b: 2\n')
    expect(withKeys('', { b: 2 })).toBe('b: 2\n')
  })
  it('may be a flow mapping', () => {
    expect(withKeys('{a: 1}\n', { b: 2 })).toMatch(/^\{ ?a: 1, b: 2 ?\}\n$/)
    expect(withoutValues('{a: 1, base_model: /x}\n', 'base_model', isPath)).toMatch(/^\{ ?a: 1 ?\}\n$/)
  })
})
