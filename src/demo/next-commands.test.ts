import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../torch/setup/directories.ts'
import { annealCommand, nextCommands } from './next-commands.ts'
import { demoPaths } from './stage.ts'

describe('annealCommand', () => {
  it('goes through Node.js in a checkout, by the shortest path', () => {
    expect(annealCommand({ PATH: '' }, packageRoot)).toBe('node dist/cli/main.js')
    expect(annealCommand({ PATH: '' }, '/')).toBe(`node ${join(packageRoot, 'dist/cli/main.js').slice(1)}`)
    expect(annealCommand({ PATH: '' }, join(packageRoot, 'src'))).toBe(`node ${join(packageRoot, 'dist/cli/main.js')}`)
  })
})

describe('nextCommands', () => {
  it('names model, text and folder, quoted for a shell', () => {
    const out = 'my runs'
    const settings = { text: ['a.txt', 'b c.txt'], textKey: 'text', out, minutes: 4, steps: undefined, seed: 1 }
    const shown = demoPaths(out)
    const results = { adapter: { directory: shown.adapter, prompt: 'function (' } }
    const [generate, adapted, chat, longer] = nextCommands({ shown, settings, results }, "It's")
    expect(adapted).toMatch(/ generate --model 'my runs\/model' --adapter 'my runs\/adapter' --prompt 'function \('$/)
    expect(generate).toMatch(/ generate --model 'my runs\/model' --prompt 'It'\\''s'$/)
    expect(chat).toMatch(/ chat --model 'my runs\/model'$/)
    expect(longer).toMatch(/ demo --text a\.txt --text 'b c\.txt' --out 'my runs' --minutes 15$/)
  })
})
