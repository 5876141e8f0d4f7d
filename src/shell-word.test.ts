import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { shellPath, shellWord } from './shell-word.ts'

describe('shellWord', () => {
  it.each(['plain', 'two words', "it's", '$HOME `ls` "x" \\', 'a\nb', '-x;rm', ''])(
    'gives a shell %j as one word',
    (text) => {
      expect(execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' })).toBe(text)
    },
  )
})

describe('shellPath', () => {
  it('leaves plain paths, and takes a dash at the beginning for no option', () => {
    expect(['a/b-1.txt', '-n', '-a b', 'æ'].map(shellPath)).toEqual(['a/b-1.txt', './-n', "'./-a b'", "'æ'"])
  })
})
