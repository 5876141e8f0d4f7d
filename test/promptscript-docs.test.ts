// The scripts and the program of docs/promptscript.md, as they stand there, on a small model.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Engine } from '../src/infer/engine.ts'
import { FUNCTIONS } from '../src/prompting/execute/script/functions.ts'
import { KEYWORDS } from '../src/prompting/execute/script/syntax.ts'
import { script, trace } from '../src/prompting/index.ts'
import { loadLm } from '../src/run/load-lm.ts'
import { writeChatModel } from './text-model.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const text = readFileSync(join(root, 'docs', 'promptscript.md'), 'utf8')
const blocks = (language: string) =>
  Array.from(text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g')), ([, block]) => block!)
const VARIABLES: Record<string, unknown> = { review: 'The cat sat on the soup.', names: ['the cat', 'a dog'] }

describe('docs/promptscript.md', () => {
  let folder: string
  let lm: Engine
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'anneal-promptscript-'))
    mkdirSync(join(folder, 'runs', 'demo'), { recursive: true })
    const { model } = await writeChatModel(join(folder, 'runs', 'demo'))
    lm = await loadLm(model)
    for (const name of ['node_modules', 'examples']) symlinkSync(join(root, name), join(folder, name))
    const paths = { 'anneal/*': [join(root, 'src', '*', 'index.ts')] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }))
  })
  afterAll(() => {
    lm.free()
    rmSync(folder, { recursive: true, force: true })
  })

  it.each(blocks('promptscript'))(
    '%s',
    async (block) => {
      const made = script(`max_tokens 30\n${block}`)
      const given = made.variables.filter(({ isOptional }) => !isOptional).map(({ name }) => [name, VARIABLES[name]])
      const { value, calls } = await trace(() => made.run(lm, Object.fromEntries(given), { seed: 1 }))
      expect(calls.length).toBeGreaterThan(0)
      expect(calls.map(({ fault }) => fault)).toEqual(calls.map(() => undefined))
      for (const hole of Object.keys(value.values)) expect(made.holes).toContain(hole)
    },
    60_000,
  )

  it('runs the program', { timeout: 120_000 }, async () => {
    writeFileSync(join(folder, 'program.mts'), blocks('ts')[0]!)
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', 'program.mts'], { cwd: folder })
    expect(stdout).toMatch(/^[1-5] .*\.\nReview: Warm bread\.\nStars \(1-5\): [1-5]\n/)
  })

  it('names every function and every word', () => {
    for (const name of Object.keys(FUNCTIONS)) expect(text).toContain(`\`${name}(`)
    for (const word of KEYWORDS) expect(blocks('ebnf')[0]).toMatch(new RegExp(`"(not )?${word}"`))
  })
})
