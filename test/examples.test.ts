// The programs in examples/ as their readers run them.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tinyModelDirectory } from './tiny-model.ts'

let model: Awaited<ReturnType<typeof tinyModelDirectory>>
beforeAll(async () => {
  model = await tinyModelDirectory()
})
afterAll(() => model.remove())

async function run(name: string, ...words: string[]): Promise<string> {
  const file = fileURLToPath(new URL(`../examples/${name}`, import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file, ...words])
  return stdout
}

describe('examples', () => {
  it.each(['generate', 'prefer-answers', 'skip-each-block'])('say how %s is used, in one line', async (name) => {
    const failed = await run(`${name}.ts`).catch((error) => error)
    expect([failed.code, failed.stdout]).toEqual([2, ''])
    expect(failed.stderr).toMatch(new RegExp(`^usage: npx tsx examples/${name}\\.ts MODEL .*\\n$`))
  })
  it('continue a text', async () => {
    const text = await run('generate.ts', model.directory, 'The heron')
    expect(text).toMatch(/^The heron/)
    expect(text.length).toBeGreaterThan('The heron\n'.length)
  })
  it('train on texts until the loss has fallen', async () => {
    const rows = (await run('train-on-texts.ts'))
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ').map(Number))
    expect(rows.map(([step]) => step)).toEqual([20, 40, 60])
    expect(rows[2]![1]).toBeLessThan(0.8 * rows[0]![1]!)
  })
  it('prefer answers, from ln 2 on', async () => {
    const pairs = Array.from({ length: 8 }, (_, i) => ({ prompt: `${i}`, chosen: ' yes', rejected: ` no ${i}` }))
    const file = join(model.directory, 'pairs.jsonl')
    writeFileSync(file, pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(''))
    const rows = (await run('prefer-answers.ts', model.directory, file)).trimEnd().split('\n')
    const [first, last] = [rows[0]!, rows.at(-1)!].map((line) => line.split(' ').map(Number))
    expect(first![1]).toBeCloseTo(Math.log(2), 5)
    expect(last![1]).toBeLessThan(0.6)
    expect(last![2]).toBeGreaterThan(0.2)
  })
  it('leave each block out in turn', async () => {
    const lines = (await run('skip-each-block.ts', model.directory, 'The heron')).trimEnd().split('\n')
    expect(lines[0]).toMatch(/^loss without block 0: \d+\.\d{3}$/)
    expect(new Set(lines.map((line) => line.split(': ')[1])).size).toBeGreaterThan(1)
  })
})
