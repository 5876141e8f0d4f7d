import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomDecoder } from '../../test/random-decoder.ts'
import { runCommand } from '../../test/run-command.ts'
import { tinyTokenizer } from '../../test/tiny-model.ts'
import { readLineage } from '../checkpoint/model-directory/lineage.ts'
import { saveDecoder } from '../checkpoint/model-directory/save.ts'
import { command } from './sleb.ts'

let folder: string
let model: string
let text: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-sleb-'))
  model = join(folder, 'model')
  text = join(folder, 'text.txt')
  mkdirSync(model)
  saveDecoder(randomDecoder(1, { num_hidden_layers: 6 }), model)
  await tinyTokenizer().save(model)
  writeFileSync(text, 'Some words, and then some other words that are not the same.\n'.repeat(40))
})
afterAll(() => rmSync(folder, { recursive: true }))

const words = (out: string, ...more: string[]): string[] => [
  ...['--model', model, '--data', text, '--max-length', '16', '--samples', '6', '--out', join(folder, out)],
  ...more,
]
const anneal = (out: string, ...more: string[]): ReturnType<typeof runCommand> =>
  runCommand(command, words(out, ...more))
const weightsOf = (out: string): string =>
  createHash('sha256')
    .update(readFileSync(join(folder, out, 'model.safetensors')))
    .digest('hex')

describe('anneal sleb', () => {
  it('writes a smaller model and says what it did', async () => {
    const { code, out, err } = await anneal('smaller', '--remove', '2')
    expect(err).not.toContain('error')
    expect(code).toBe(0)
    const [step] = readLineage(join(folder, 'smaller'))
    const removed = step!.report.removed as string[]
    expect(removed).toHaveLength(2)
    expect(out).toMatch(new RegExp(`^removed     ${removed.join(', ')}\n`))
    expect(out).toMatch(/^blocks +6 → 4$/m)
    expect(out).toMatch(/^parameters .* → .*, -\d+(\.\d)? %$/m)
    expect(out).toMatch(/^perplexity .*, [+-]\d+(\.\d)? % on the calibration text$/m)
    expect(out).toMatch(/^held out +perplexity [\d.]+ → [\d.]+ on \d+ other tokens$/m)
    expect(err).toMatch(/^calibration: 6 windows of 16 tokens; evaluation: 6 others$/m)
    expect(err.match(/^block \d .* ce +[\d.]+$/gm)).toHaveLength(2)
    expect(step!.parentSha256).toMatch(/^[0-9a-f]{64}$/)
    expect(readdirSync(join(folder, 'smaller')).sort()).toEqual([
      ...['config.json', 'generation_config.json', 'lineage.json', 'mergekit.yaml', 'model.safetensors', 'sleb.html'],
      ...['special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json'],
    ])
    const page = readFileSync(join(folder, 'smaller', 'sleb.html'), 'utf8').replaceAll('\u00a0', ' ')
    expect(page).toContain('step 2')
    // The page says what the terminal says.
    for (const name of ['blocks', 'parameters', 'weights', 'perplexity'])
      expect(page).toContain(new RegExp(`^${name} +(.*)$`, 'm').exec(out)![1])
    // Neither journal nor anything half-written stays behind.
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('gives numbers as JSON lines, and takes a share in place of a number', async () => {
    const { code, out } = await anneal('ratio', '--ratio', '0.3', '--search', 'one-shot', '--metric', 'kl', '--json')
    expect(code).toBe(0)
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const { row: step } = events.find(({ type }) => type === 'row')
    const summary = events.at(-1)
    expect(summary.removed).toHaveLength(2) // 0.3 · 6 = 1.8
    expect(summary).toMatchObject({
      removed: step.removed.split(', '),
      blocks_before: 6,
      blocks_after: 4,
      out: join(folder, 'ratio'),
    })
    expect(summary.bytes_after).toBeLessThan(summary.bytes_before)
    const apart = await anneal('apart', '--remove', '2', '--granularity', 'sublayer', '--search', 'cosine', '--json')
    expect(apart.code).toBe(0)
    const config = JSON.parse(readFileSync(join(folder, 'apart', 'config.json'), 'utf8'))
    const skipped = Object.values<{ skip: string[] }>(config.per_layer_config ?? {}).flatMap(({ skip }) => skip)
    expect(2 * config.num_hidden_layers - skipped.length).toBe(12 - 2)
  })

  it('copies the weights bit for bit when nothing is to go', async () => {
    expect((await anneal('same', '--remove', '0')).code).toBe(0)
    expect(
      readFileSync(join(folder, 'same', 'model.safetensors')).equals(readFileSync(join(model, 'model.safetensors'))),
    ).toBe(true)
  })

  it('refuses bad input in one line and leaves nothing', async () => {
    const before = readdirSync(folder)
    const adapter = join(folder, 'text.txt.d')
    mkdirSync(adapter)
    writeFileSync(join(adapter, 'adapter_config.json'), '{}')
    for (const [more, expected, message] of [
      [['--ratio', '1'], 2, '--ratio: expected a share below 1, got 1'],
      [['--ratio', '0.99'], 2, 'remove: expected at most the 4 blocks that are not protected, got 6'],
      [['--remove', '5'], 2, 'remove: expected at most the 4 blocks that are not protected, got 5'],
      [
        ['--remove', '6', '--protect-first', '0', '--protect-last', '0'],
        2,
        'expected something to stay, got all 6 blocks',
      ],
      [[], 2, '--remove: expected either it or --ratio, got neither'],
      [['--remove', '1', '--ratio', '0.1'], 2, 'got both'],
      [['--remove', '-1'], 2, '--remove: expected a whole number ≥ 0'],
    ] as const) {
      const { code, err, out } = await anneal('none', ...more)
      expect([code, out]).toEqual([expected, ''])
      expect(err).toContain(`error: `)
      expect(err).toContain(message)
      expect(err.trim().split('\n')).toHaveLength(1)
    }
    const given = (...more: string[]): string[] => {
      const all = new Map<string, string>()
      const list = [...words('none', '--remove', '1'), ...more]
      for (let i = 0; i < list.length; i += 2) all.set(list[i]!, list[i + 1]!)
      return [...all].flat()
    }
    for (const [more, expected, message] of [
      [['--data', join(model, 'config.json')], 3, "error: field 'text' in"],
      [['--data', join(folder, 'missing')], 3, 'missing'],
      [['--max-length', '65'], 2, "--max-length: expected at most 64, the model's context, got 65"],
      [['--model', folder], 3, 'config.json'],
      [['--model', text], 3, 'expected a directory or a .gguf file, got a file'],
      [['--model', adapter], 3, 'adapter_config.json'],
      [['--out', model], 2, '--out: expected another folder than --model'],
      [['--out', text], 2, '--out: expected a folder, got the file'],
      [['--out', '/proc/none/none'], 2, '--out: expected a folder that can be written'],
      [['--journal', '/proc/none/j'], 3, 'journal /proc/none/j: expected a file that can be written'],
      [['--journal', text], 3, 'expected anneal-journal-1, got another file'],
    ] as const) {
      const { code, err, out } = await runCommand(command, given(...more))
      expect(`${err}${code}`).toContain(message)
      expect([code, out]).toEqual([expected, ''])
    }
    const short = join(folder, 'text.txt.d', 'short.txt')
    writeFileSync(short, 'Too short.')
    const { code, err } = await runCommand(command, given('--data', short))
    expect([code, err]).toEqual([
      3,
      `error: calibration text in ${short}: expected at least 32 tokens, which is one window to measure on and one to evaluate, got 11. Give more text, or a smaller length\n`,
    ])
    rmSync(adapter, { recursive: true })
    expect(readdirSync(folder)).toEqual(before)
  })

  it('goes on after kill -9 in the middle of the search, with the same answer', async () => {
    const search = ['--remove', '3', '--samples', '150']
    const options = ['--model', model, '--data', text, '--length', '16', ...search]
    const plain = await runCommand(command, [...options, '--out', join(folder, 'plain'), '--json'])
    expect(plain.code).toBe(0)
    const journal = join(folder, '.killed.sleb.jsonl')
    const written = (): number => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').length - 1 : 0)
    const kill = async (after: number): Promise<void> => {
      const out = join(folder, 'killed')
      const program = [join(import.meta.dirname, './main.ts'), 'sleb', ...options, '--out', out]
      const child = spawn(process.execPath, ['--import', 'tsx', ...program], { stdio: 'ignore' })
      const ended = new Promise((resolve) => child.once('exit', resolve))
      while (written() < after && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 1))
      child.kill('SIGKILL')
      await ended
      expect(existsSync(out)).toBe(false)
    }
    await kill(10)
    const first = written()
    await kill(first + 200)
    const second = written()
    expect(second).toBeGreaterThan(first)
    const resumed = await runCommand(command, [...options, '--out', join(folder, 'killed'), '--json'])
    expect(resumed.err).toContain(`going on from ${journal}, which has ${second - 1} measurements`)
    const lines = (out: string): string[] => out.split('\n').filter((line) => !line.includes('going on from'))
    expect(lines(resumed.out.replaceAll('killed', 'plain'))).toEqual(lines(plain.out))
    expect(weightsOf('killed')).toBe(weightsOf('plain'))
    expect(existsSync(journal)).toBe(false)
  }, 60_000)

  it('refuses the journal of another search', async () => {
    const journal = join(folder, 'other.jsonl')
    const header = { model: 'x', data: 'y', device: 'cpu', dtype: 'f32' }
    writeFileSync(journal, `${JSON.stringify({ format: 'anneal-journal-1', of: header })}\n`)
    const { code, err } = await anneal('other', '--remove', '1', '--journal', journal)
    expect(code).toBe(3)
    expect(err).toMatch(
      /^error: journal in .*other\.jsonl: model: expected "[0-9a-f]{64}", got "x": it belongs to another search/m,
    )
  })
})
