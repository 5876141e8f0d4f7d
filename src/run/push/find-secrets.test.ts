import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { findSecrets } from './find-secrets.ts'

const scratch = mkdtempSync(join(tmpdir(), 'anneal-secrets-'))
afterAll(() => rmSync(scratch, { recursive: true }))
const find = async (contents: string | Buffer, name = 'a.py'): Promise<string[]> => {
  const file = join(scratch, name)
  writeFileSync(file, contents)
  return (await findSecrets(file, name)).map(({ line, shown }) => `${line} ${shown}`)
}
const letters = (count: number): string => 'aB3dE6gH9jKlMnOpQrStUvWxYz'.repeat(9).slice(0, count)
const token = `hf_${letters(34)}`

describe('secrets', () => {
  it.each([
    token,
    `sk-proj-${letters(40)}`,
    `ghp_${letters(36)}`,
    `gho_${letters(36)}`,
    `github_pat_${letters(60)}`,
    `glpat-${letters(20)}`,
    `xoxb-${letters(30)}`,
    `AIza${letters(35)}`,
    `AKIA${'ABCDEFGHIJKLMNOP'}`,
    `npm_${letters(36)}`,
    `pypi-${letters(60)}`,
    '-----BEGIN RSA PRIVATE KEY-----',
    '-----BEGIN PRIVATE KEY-----',
    'https://me:s3cret@example.org/x',
  ])('are %s, also behind what JSON escapes', async (secret) => {
    const found = [`2 ${secret.slice(0, 6)}…`]
    expect(await find(`x = 1\nkey = "${secret}"\n`)).toEqual(found)
    expect(await find(`{}\n{"a":"b\\n${secret}"}\n`, 'a.ndjson')).toEqual(found)
  })
  it('are no examples, words or addresses', async () => {
    const others = [
      'AKIAIOSFODNN7EXAMPLE',
      `hf_${'x'.repeat(34)}`,
      `half_${token}`,
      'sk-learn-is-a-long-word-with-many-parts-in-it',
    ]
    expect(await find([...others, 'https://host:8080/a@b', 'https://{user}:{password}@host'].join('\n'))).toEqual([])
  })
  it('are found anywhere, all of them, with their lines', async () => {
    const line = `${'a line of text '.repeat(70)}\n`
    const long = Buffer.from(`${line.repeat(5000)}${token}\n${line.repeat(999)}${token}\n`)
    const found = ['5001 hf_aB3…', '6001 hf_aB3…']
    expect(await find(long, 'Dockerfile.dev')).toEqual(found)
    expect(await find(gzipSync(long), 'a.jsonl.gz')).toEqual(found)
    // Across the edges of pieces.
    for (const before of [(1 << 20) - 20, (1 << 20) - 1024, (1 << 20) - 1020])
      expect(await find(`${' '.repeat(before)}${token}${' '.repeat(2000)}`)).toEqual(['1 hf_aB3…'])
  })
  it('are not looked for in what is no text', async () => {
    expect(await find(Buffer.concat([Buffer.alloc(9), Buffer.from(token)]), 'state')).toEqual([])
    expect(await find(Buffer.from('no gzip'), 'a.gz')).toEqual([])
  })
})
