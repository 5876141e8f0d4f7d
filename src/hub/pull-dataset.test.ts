import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { commitOf, HubServer } from '../../test/hub-server.ts'
import { listFiles } from '../data/read/files.ts'
import type { Watch } from '../work.ts'
import { hubSettings } from './hub-settings.ts'
import { pullDataset } from './pull-dataset.ts'

let server: HubServer
let home: string
const notices: string[] = []

beforeAll(async () => {
  server = await HubServer.start()
})
afterAll(() => server.close())
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'anneal-hub-'))
  vi.stubEnv('HF_HOME', home)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
  server.repositories.clear()
  server.requests.length = 0
  notices.length = 0
})

const options = (environment: Record<string, string> = {}): Parameters<typeof pullDataset>[1] => ({
  settings: hubSettings({ HF_HOME: home, HF_ENDPOINT: server.endpoint, ...environment }),
  watch: { tell: (event) => void (event.type === 'notice' && notices.push(event.message)) },
  pause: async () => {},
})
const ROWS = {
  'README.md': '# rows',
  'data/train-00000-of-00002.parquet': 'one',
  'data/train-00001-of-00002.parquet': 'two',
  'data/test-00000-of-00001.parquet': 'three',
}
const at = `org/rows@${commitOf('a')}`
const COMMIT_FOLDER = (): string => join(home, 'hub', 'datasets--org--rows', 'snapshots', commitOf('a'))

describe('pullDataset', () => {
  it('brings the files of a split alone, under a name that readers of data find offline', async () => {
    server.add('datasets/org/rows', ROWS)
    const { name, paths, downloaded } = await pullDataset('org/rows:train', options())
    expect(name).toBe(`${at}:train`)
    expect(paths).toEqual(
      ['data/train-00000-of-00002.parquet', 'data/train-00001-of-00002.parquet'].map((path) =>
        join(COMMIT_FOLDER(), path),
      ),
    )
    expect(paths.map((path) => readFileSync(path, 'utf8'))).toEqual(['one', 'two'])
    expect(downloaded).toBe(6)
    expect(server.asked.some((each) => each.includes('test-0'))).toBe(false)
    expect(listFiles([name])).toEqual(paths)
    expect((await pullDataset('org/rows:train', options({ HF_HUB_OFFLINE: '1' }))).name).toBe(name)
    expect(() => listFiles(['org/rows:test'])).toThrow(
      'expected all of its files in the cache, got it without data/test-0',
    )
    expect(() => listFiles(['org/other:train'])).toThrow('got nothing there')
  })
  it('has a bar for the card that comes first, and one for the rows', async () => {
    server.add('datasets/org/rows', ROWS)
    const bars = new Map<string, number>()
    const watch: Watch = { tell: (event) => void (event.type === 'progress' && bars.set(event.label, event.done)) }
    await pullDataset('org/rows:train', { ...options(), watch })
    expect([...bars]).toEqual([
      ['downloading org/rows:README.md', 6],
      ['downloading org/rows', 6],
    ])
  })
  it('takes the usual split with a word, and says what there is where none is usual', async () => {
    server.add('datasets/org/rows', ROWS)
    expect((await pullDataset('org/rows', { ...options(), usual: 'train' })).name).toBe(`${at}:train`)
    expect(notices).toEqual(['org/rows: no split is named; taking train. There is org/rows:test besides'])
    await expect(pullDataset('org/rows', options())).rejects.toThrow(
      'org/rows: expected one of its splits after :, got none. There are org/rows:test, org/rows:train',
    )
    await expect(pullDataset('org/rows:tset', options())).rejects.toThrow(
      "org/rows:tset: expected a split, a configuration or a file of the dataset after :, got 'tset'. Did you mean 'test'?",
    )
    await expect(pullDataset('org/rows:README.md', options())).resolves.toMatchObject({ name: `${at}:README.md` })
  })
  it('tells configurations apart', async () => {
    const readme =
      '---\nconfigs:\n- config_name: en\n  data_files: en.csv\n- config_name: fo\n  data_files: fo.csv\n---\n'
    server.add('datasets/org/rows', { 'README.md': readme, 'en.csv': 'text\nyes', 'fo.csv': 'text\nja' })
    expect((await pullDataset('org/rows:fo', options())).name).toBe(`${at}:fo/train`)
    expect((await pullDataset('org/rows:en.csv', options())).name).toBe(`${at}:en.csv`)
    await expect(pullDataset('org/rows:train', options())).rejects.toThrow("got 'train'")
    await expect(pullDataset('org/rows', options())).rejects.toThrow(
      'org/rows: expected one of its 2 configurations after :, got none. There are org/rows:en/train, org/rows:fo/train',
    )
  })
  it('says where to ask for one that only some may read', async () => {
    server.add('datasets/org/rows', ROWS).isGated = true
    await expect(pullDataset('org/rows:train', options())).rejects.toThrow(
      `Ask for it at ${server.endpoint}/datasets/org/rows`,
    )
  })
  it('runs no program and says so', async () => {
    server.add('datasets/org/rows', { 'README.md': '', 'rows.py': 'import os' })
    await expect(pullDataset('org/rows', options())).rejects.toThrow(
      'org/rows: expected files of rows (Parquet, JSONL, CSV, text), got a program that makes them (rows.py), and programs of a dataset are never run. The hub may have them as Parquet: name org/rows@refs/convert/parquet',
    )
  })
})
