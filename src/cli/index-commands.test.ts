import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runCommand } from '../../test/run-command.ts'
import { command as add } from './index-add.ts'
import { command as build } from './index-build.ts'
import { command as info } from './index-info.ts'
import { command as search } from './index-search.ts'

let folder: string
let index: string
let data: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-index-cli-'))
  index = join(folder, 'faq.index')
  data = join(folder, 'faq.jsonl')
  writeFileSync(
    data,
    '{"id":"1","text":"Reset your password in settings.","page":3}\n{"id":"2","text":"Refunds take a week."}\n',
  )
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('builds, adds, searches and tells', async () => {
  expect(await runCommand(build, [index, '--data', data])).toMatchObject({
    code: 0,
    out: `2 documents in ${index} (2 added)\n`,
  })
  writeFileSync(data, '{"id":"2","text":"Refunds take a day."}\n{"id":"3","text":"Passwords have ten signs."}\n')
  expect((await runCommand(add, [index, '--data', data])).out).toBe(`3 documents in ${index} (1 added, 1 replaced)\n`)
  const found = await runCommand(
    search,
    [index, 'reset password', '-k', '1'].filter((word) => word !== '-k').slice(0, 2),
  )
  expect(found.out).toMatch(/^\d\.\d{4} {2}1 {2}Reset your password in settings\.\n$/)
  const json = await runCommand(search, [index, 'refunds', '--json'])
  expect(JSON.parse(json.out)).toEqual({ score: expect.any(Number), id: '2', text: 'Refunds take a day.' })
  expect(await runCommand(search, [index, 'zebra'])).toMatchObject({ code: 0, out: '', err: 'nothing found\n' })
  const told = await runCommand(info, [index])
  expect(told.out).toMatch(/^3 documents, 13 words, .* in 2 segments\n/)
  expect(told.out).toContain('scores  BM25 lucene, k1 1.2, b 0.75')
  expect(JSON.parse((await runCommand(info, [index, '--json'])).out)).toMatchObject({ documents: 3, removed: 1 })
})

it('says in one line what is wrong', async () => {
  for (const [command, words, message] of [
    [search, [folder, 'x'], `error: ${folder}: expected an index, got no index.json in it`],
    [
      build,
      [folder, '--data', data],
      `error: directory: expected an index or an empty folder, got ${folder} with faq.jsonl`,
    ],
    [build, [index, '--data', join(folder, 'none.jsonl')], 'none.jsonl'],
    [add, [index, '--data', data], 'expected an index, got nothing there'],
    [search, [index, 'x', '--hybrid', '--by', 'words'], 'error: --hybrid: expected --by both or none'],
  ] as const) {
    const { code, err, out } = await runCommand(command, words)
    expect([code > 0, out]).toEqual([true, ''])
    expect(err).toContain(message)
    expect(err.trim().split('\n')).toHaveLength(1)
  }
  await runCommand(build, [index, '--data', data])
  expect((await runCommand(build, [index, '--data', data])).err).toContain('or give --overwrite')
  expect((await runCommand(search, [index, 'x', '--hybrid'])).err).toContain('expected words, for')
})

it('finds a bit that was changed on disk', async () => {
  await runCommand(build, [index, '--data', data])
  expect((await runCommand(info, [index, '--check'])).out).toContain('every file is as it was written')
  const segment = readdirSync(index).find((name) => name.startsWith('segment-'))!
  const bytes = readFileSync(join(index, segment))
  bytes[bytes.indexOf('Refunds')]! ^= 1
  writeFileSync(join(index, segment), bytes)
  expect((await runCommand(info, [index])).code).toBe(0)
  const { code, err } = await runCommand(info, [index, '--check'])
  expect([code, err]).toEqual([3, expect.stringMatching(/segment-\d+\.bin: expected the bytes that were written/)])
})
