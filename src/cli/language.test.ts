// `anneal language train` and `identify`: from rows to a file, and from the file to answers.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { textSink } from '../../test/run-command.ts'
import { main } from './main.ts'

/** A whole command line. */
async function anneal(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [textSink(), textSink()]
  const code = await main(words, { stdout, stderr })
  return { code, stdout: stdout.text, stderr: stderr.text }
}

const root = mkdtempSync(join(tmpdir(), 'language-'))
afterAll(() => rmSync(root, { recursive: true }))
const file = join(root, 'toy.lid')
const words = { x: ['balen', 'domar', 'kirlen', 'lufar'], y: ['balet', 'domur', 'kirlet', 'lufur'] } as const
const rows = (['x', 'y'] as const).flatMap((label) =>
  Array.from({ length: 60 }, (_, i) => {
    const own = words[label]
    return `${i}\t${[0, 1, 2, 3, 4].map((j) => own[(i * (j + 3) + j * j) % 4]! + 'abcdefghij'[(i + j * 7) % 10]).join(' ')}\t${label}\n`
  }),
)
writeFileSync(join(root, 'rows.tsv'), rows.join(''))

describe('anneal language', () => {
  it('trains from a table without a header, and tells texts apart by the file', async () => {
    const { code, stderr, stdout } = await anneal(
      'language',
      'train',
      join(root, 'rows.tsv'),
      '--columns',
      'id,text,label',
      '--bits',
      '12',
      '--out',
      file,
    )
    expect(code, stderr).toBe(0)
    expect(stdout).toMatch(/^2 labels from \d+ texts; macro-F1 of held-out texts 1\.000/)
    expect(statSync(file).size).toBeLessThan(20_000)
    writeFileSync(join(root, 'new.jsonl'), '{"text": "balena domarh lufarc domarb baleni"}\n{"text": "baleta"}\n')
    const answer = await anneal(
      'language',
      'identify',
      join(root, 'new.jsonl'),
      '--identifier',
      file,
      '--plausible',
      'y',
      '--json',
    )
    expect(answer.code, answer.stderr).toBe(0)
    const [first, second] = answer.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(first).toMatchObject({ language: 'x', line: 1 })
    expect(first.plausible).toBeLessThan(0.2)
    expect(second).toMatchObject({ language: 'und', undetermined: 'too short', plausible: 1 })
    expect(answer.stderr).toContain('2 texts by toy: x 1, und 1')
  })
  it.each([
    [['--among', 'z'], /expected one that toy knows \(x, y\), got 'z'/],
    [['--plausible', 'da'], /expected one that toy knows/],
  ])('refuses %j', async (options, message) => {
    const { code, stderr } = await anneal(
      'language',
      'identify',
      join(root, 'new.jsonl'),
      '--identifier',
      file,
      ...options,
    )
    expect(code).toBe(3)
    expect(stderr).toMatch(message)
  })
  it('refuses rows without the column, and a file that is no identifier', async () => {
    const train = await anneal('language', 'train', join(root, 'new.jsonl'), '--out', join(root, 'other.lid'))
    expect(train.stderr).toMatch(/new.jsonl:1: expected a text in column 'label'/)
    const identify = await anneal(
      'language',
      'identify',
      join(root, 'new.jsonl'),
      '--identifier',
      join(root, 'rows.tsv'),
    )
    expect(identify.stderr).toMatch(/rows.tsv: expected a language identifier/)
  })
  it('reads the same tables when it is asked as when it learns, and labels that are numbers', async () => {
    const asked = ['language', 'identify', join(root, 'rows.tsv'), '--identifier', file, '--min-letters', '0']
    const { code, stdout } = await anneal(...asked, '--columns', 'id,text,label', '--among', 'x,y')
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(rows.length)
    const numbered = rows
      .map((row) => row.trim().split('\t'))
      .map(([, text, label]) => ({ text, label: label === 'x' ? 0 : 1 }))
    writeFileSync(join(root, 'numbered.jsonl'), numbered.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const out = join(root, 'new', 'folder', 'numbered.lid')
    const trained = await anneal('language', 'train', join(root, 'numbered.jsonl'), '--bits', '12', '--out', out)
    expect(trained.stdout).toMatch(/^2 labels from/m)
    expect(statSync(out).size).toBeGreaterThan(4096)
  })
  it('does not take the place of what it learns from, and bears as many bad lines as it is told to', async () => {
    const bad = join(root, 'bad.tsv')
    const text = `${rows.slice(0, 118).join('')}a\tb\nc\td\n`
    writeFileSync(bad, text)
    const train = ['language', 'train', bad, '--columns', 'id,text,label', '--bits', '12', '--out']
    const onto = await anneal(...train, bad)
    expect(onto.stderr).toMatch(/--out: expected a file of its own, got .*bad.tsv, which is read/)
    expect(readFileSync(bad, 'utf8')).toBe(text)
    expect((await anneal(...train, join(root, 'bad.lid'))).stderr).toMatch(/got 2 of 120 .*--max-bad-fraction/)
    const borne = await anneal(...train, join(root, 'bad.lid'), '--max-bad-fraction', '0.1')
    expect(borne.code, borne.stderr).toBe(0)
    expect(borne.stderr).toMatch(/2 of 120 lines cannot be read and are left out/)
  })
})
