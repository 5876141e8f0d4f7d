import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../../torch/setup/directories.ts'
import { annealCommand, nextCommands, quoted } from './next-commands.ts'

describe('quoted', () => {
  it.each(['plain', 'two words', "it's", '$HOME `ls` "x" \\', 'a\nb', '-x;rm', ''])(
    'gives a shell %j as one word',
    (text) => {
      expect(execFileSync('sh', ['-c', `printf %s ${quoted(text)}`], { encoding: 'utf8' })).toBe(text)
    },
  )
})

describe('annealCommand', () => {
  it('goes through Node.js in a checkout, by the shortest path', () => {
    expect(annealCommand({ PATH: '' }, packageRoot)).toBe('node dist/cli/main.js')
    expect(annealCommand({ PATH: '' }, '/')).toBe(`node ${join(packageRoot, 'dist/cli/main.js').slice(1)}`)
    expect(annealCommand({ PATH: '' }, join(packageRoot, 'src'))).toBe(`node ${join(packageRoot, 'dist/cli/main.js')}`)
  })
})

describe('nextCommands', () => {
  it('names the model and quotes the prompt', () => {
    const [generate, chat] = nextCommands({ model: 'my runs/model' }, "It's")
    expect(generate).toMatch(/ generate --model 'my runs\/model' --prompt 'It'\\''s'$/)
    expect(chat).toMatch(/ chat --model 'my runs\/model'$/)
  })
})
