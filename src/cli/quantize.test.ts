import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { writeTextModel } from '../../test/text-model.ts'
import { command } from './quantize.ts'

const root = mkdtempSync(join(tmpdir(), 'anneal-quantize-command-'))
const at = (name: string): string => join(root, name)
let model: string
let text: readonly string[]

beforeAll(async () => {
  const written = await writeTextModel(root)
  model = written.model
  text = ['--data', written.text, '--samples', '4', '--max-length', '32', '--batch-size', '2']
})
afterAll(() => rmSync(root, { recursive: true }))

const anneal = (out: string, ...words: string[]): ReturnType<typeof runCommand> =>
  runCommand(command, ['--model', model, '--out', at(out), '--device', 'cpu', ...words])

describe('anneal quantize', () => {
  it('says that 16 bits change nothing', async () => {
    const { code, out } = await anneal('16', '--bits', '16')
    expect([code, out]).toEqual([0, expect.stringContaining('16 bits: every matrix stays as it is\n')])
  })

  it('shows how far it is, and no search where there is none', async () => {
    const { code, out, err } = await anneal('nf4', '--bits', '4')
    expect([code, err]).toEqual([0, expect.stringContaining('quantizing')])
    const page = readFileSync(join(at('nf4'), 'quantize.html'), 'utf8').replaceAll('\u00a0', ' ')
    for (const name of ['matrices', 'the rest'])
      expect(page).toContain(new RegExp(`^${name} +(.*)$`, 'm').exec(out)![1])
    expect(err).not.toMatch(/error|searching/)
  })

  it('gives its figures as the last JSON line', async () => {
    const words = [
      '--budget-bits',
      '3.2',
      '--choose',
      'nf3',
      '--choose',
      'nf2',
      '--evaluations',
      '2',
      ...text,
      '--json',
    ]
    const { code, out } = await anneal('mixed', ...words)
    const last = JSON.parse(out.trim().split('\n').at(-1)!)
    expect([code, last.units.length, last.out]).toEqual([0, 3, at('mixed')])
    expect(last.bits).toBeLessThanOrEqual(3.2)
    expect(new Set(last.units.map(({ format }: { format: string }) => format))).not.toContain('nf4')
  })

  it.each<[string[], number, string]>([
    [['--budget-bits', '1'], 2, '--budget-bits: expected at least 2.5 bits per weight'],
    [[], 2, '--bits: expected one of --bits, --format and --budget-bits, got none'],
    [['--bits', '4', '--allocate', 'bo'], 2, '--allocate: expected --budget-bits with it, got --bits'],
    [['--bits', '5'], 2, "--bits: expected 2 or 3 or 4 or 8 or 16, got '5'."],
    [['--bits', '4', '--model', 'x'], 2, '--model: expected once, got it twice'],
  ])('says in one line what is wrong with %j, and writes nothing', async (words, code, message) => {
    const ended = await anneal('none', ...words)
    expect([ended.code, ended.err]).toEqual([code, expect.stringContaining(`error: ${message}`)])
    expect(ended.err.trim().split('\n')).toHaveLength(1)
    expect(existsSync(at('none'))).toBe(false)
  })

  it('refuses a place that cannot be written', async () => {
    const { code, err } = await runCommand(command, ['--model', model, '--out', '/proc/none/x', '--bits', '4'])
    expect([code, err]).toEqual([2, expect.stringContaining('--out: expected a folder that can be written')])
  })
})
