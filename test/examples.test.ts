// The programs in examples/ as their readers run them.
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { surface } from './surface.ts'
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
  it.each(['generate', 'prefer-answers', 'run-a-configuration', 'skip-each-block', 'tune-answers'])(
    'say how %s is used, in one line',
    async (name) => {
      const failed = await run(`${name}.ts`).catch((error) => error)
      expect([failed.code, failed.stdout]).toEqual([2, ''])
      expect(failed.stderr).toMatch(new RegExp(`^usage: npx tsx examples/${name}\\.ts [A-Z].*\\n$`))
    },
  )
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
  it('tune answers, and keep the adapter, the merged model and a GGUF file', async () => {
    const out = join(model.directory, 'tuned')
    const data = fileURLToPath(new URL('../recipes/data/conversations.jsonl', import.meta.url))
    const [before, after] = (await run('tune-answers.ts', model.directory, data, out)).split(' ').map(Number)
    expect(after).toBeLessThan(before! - 0.1)
    for (const file of ['adapter/adapter_model.safetensors', 'merged/model.safetensors', 'model.gguf'])
      expect(existsSync(join(out, file)), file).toBe(true)
  })
  it('run a configuration, make the result smaller and draw it', async () => {
    const out = join(model.directory, 'run')
    const config = join(model.directory, 'run.yaml')
    const text = join(model.directory, 'text.txt')
    writeFileSync(text, 'The heron stands in the shallow water and waits. '.repeat(200))
    const keys = {
      stage: 'pretrain',
      model_name_or_path: model.directory,
      max_length: 32,
      max_steps: 2,
      output_dir: out,
    }
    writeFileSync(config, JSON.stringify({ ...keys, dataset: 'elsewhere' }))
    const lines = await run('run-a-configuration.ts', config, text)
    for (const name of ['-pruned', '-sleb', '-quantized']) expect(lines).toContain(`${out}${name}`)
    expect(readFileSync(join(out, 'loss.html'), 'utf8')).toContain('What was learnt')
  })
  it('use every name that people start with', () => {
    const programs = readdirSync(new URL('../examples', import.meta.url)).filter((name) => name.endsWith('.ts'))
    const used = programs.map((name) => readFileSync(new URL(`../examples/${name}`, import.meta.url), 'utf8')).join()
    const isError = (name: string): boolean => /Error$/.test(name)
    const names = surface(['.'])
      .get('.')!
      .filter(({ name, isType }) => !isType && !isError(name))
    expect(names.length).toBeGreaterThan(20)
    expect(names.filter(({ name }) => !new RegExp(`\\b${name}\\b`).test(used)).map(({ name }) => name)).toEqual([])
  }, 600_000)
})
