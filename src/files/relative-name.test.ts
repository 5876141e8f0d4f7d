import { describe, expect, it } from 'vitest'
import { isRelativeName } from './relative-name.ts'

describe('isRelativeName', () => {
  it.each([
    'model.safetensors',
    'model-00001-of-00002.safetensors',
    'sub/dir/x.safetensors',
    'größe 模型',
    '..x',
    'x..',
    '...',
  ])('takes %j', (name) => expect(isRelativeName(name)).toBe(true))

  it.each([
    ...['', '.', '..', '../x', 'a/../x', 'a/..', './x', '/x', '//server/share/x', 'a//x', 'a/'],
    ...[
      '..\\x',
      'a\\..\\x',
      '\\x',
      '\\\\server\\share\\x',
      'a/\\\\server\\x',
      'C:\\x',
      'C:/x',
      'C:x',
      'a/C:x',
      'x:stream',
    ],
    ...['x\u0000.safetensors', 'x\ny', `${'x'.repeat(1025)}`],
  ])('refuses %j', (name) => expect(isRelativeName(name)).toBe(false))
})
