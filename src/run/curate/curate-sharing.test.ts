// Curations are the same to the byte however the work is shared, ordered or broken off.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { hashes, jsonl, text, useCurations } from '../../../test/use-curations.ts'
import { globalStep } from '../../data/curate/global-step.ts'
import { Mapper } from '../../data/curate/map-job.ts'
import { hashFile } from '../../files/hash.ts'
import { resultOf } from '../../work.ts'
import { curateConfig } from './config.ts'
import { makePlan } from './plan.ts'
import { mergeCurate, runCurate } from './run-curate.ts'
import { arrayOf, curateStatus } from './shards.ts'

const { folder, place, file, curate, corpus } = useCurations()
const [a, b, c] = corpus.inputs

/** A record of a web archive that is text already. */
function conversion(body: string): string {
  const head = `WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://example.org/\r\nContent-Length: ${Buffer.byteLength(body)}`
  return `${head}\r\n\r\n${body}\r\n\r\n`
}

describe('a curation', () => {
  it('is the same for any number of workers, shards, and any order of files', async () => {
    const one = await curate(corpus)
    const two = await curate({ ...corpus, inputs: [c, a, b] }, { workers: 2 })
    expect(hashes(two.out)).toEqual(hashes(one.out))
    for (const shards of [2, 5]) {
      const out = place('sharded')
      for (let shard = shards - 1; shard >= 0; shard--) await curate({ ...corpus, output_dir: out }, { shards, shard })
      expect(existsSync(join(out, 'data'))).toBe(false)
      await resultOf(mergeCurate(out))
      expect(hashes(out)).toEqual(hashes(one.out))
    }
  }, 60_000)

  it('has threads that find their packages from any working directory', async () => {
    const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
    const line = [
      'curate',
      a,
      b,
      c,
      '--out',
      place('elsewhere'),
      '--preset',
      'none',
      '--max-bad',
      '1',
      '--workers',
      '2',
    ]
    const child = spawn(process.execPath, ['--import', tsx, main, ...line], { cwd: folder })
    let err = ''
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    const [code] = await once(child, 'close')
    expect(code, err).toBe(0)
  }, 60_000)

  it('goes on where it was killed, to the same bytes', async () => {
    const whole = await curate(corpus)
    const out = place('killed')
    const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
    const line = [
      'curate',
      c,
      b,
      a,
      '--out',
      out,
      '--documents',
      'blank-line',
      '--max-bad',
      '0.1',
      '--preset',
      'none',
      '--output.file_mb',
      '0.005',
      '--workers',
      '1',
    ]
    const points = ['created:2', 'renamed:3', 'written:6', 'synced:9', 'renamed:8']
    for (const point of points) {
      const child = spawn(process.execPath, ['--import', 'tsx', main, ...line], {
        env: { ...process.env, ANNEAL_FAULT: point },
        stdio: 'ignore',
      })
      await once(child, 'exit')
    }
    await curate({ ...corpus, output_dir: out })
    expect(hashes(out)).toEqual(hashes(whole.out))
    expect(readdirSync(join(out, 'work'))).toEqual(readdirSync(join(whole.out, 'work')))
    expect(readdirSync(join(out, 'data')).filter((name) => !name.startsWith('part-'))).toEqual([])
  }, 60_000)

  it('goes on inside of a large file, and is the same for any memory', async () => {
    const twice = file(
      'twice.jsonl.gz',
      gzipSync(
        `${readFileSync(a)}${jsonl(Array.from({ length: 25 }, (_, i) => ({ text: `${text(i)} ${text(i % 5, 3)}` })))}{"broken`,
      ),
    )
    const config = curateConfig({ preset: 'none', inputs: twice, output_dir: place() })
    const { jobs, settings } = await makePlan(config, () => {})
    const mapper = await Mapper.create(settings)
    const map = async (out: string, stopAt: number): Promise<Awaited<ReturnType<typeof mapper.run>>> => {
      let records = 0
      const progress = (): void => {
        if (++records > stopAt) throw new Error('stopped')
      }
      return mapper.run(jobs[0]!, out, progress, 4000)
    }
    const [whole, broken] = [place('pieces'), place('pieces')]
    const manifest = await map(whole, 1e9)
    expect(manifest.pieces.length).toBeGreaterThan(6)
    const work = (out: string): string[] => readdirSync(join(out, 'work')).sort()
    const pieces = (): number => work(broken).filter((name) => name.endsWith('.piece.json')).length
    const modified = (): number[] =>
      [0, 1].map((i) => statSync(join(broken, 'work', `000000${i ? '.1' : ''}.jsonl`)).mtimeMs)
    await expect(map(broken, 24)).rejects.toThrow('stopped')
    expect(pieces()).toBe(2)
    const before = modified()
    await expect(map(broken, 60)).rejects.toThrow('stopped')
    expect(pieces()).toBeGreaterThan(4)
    expect(await map(broken, 1e9)).toEqual(manifest)
    // What was done was not done again.
    expect(modified()).toEqual(before)
    expect(work(broken)).toEqual(work(whole))
    for (const folder of ['work', 'quarantine'])
      for (const name of readdirSync(join(whole, folder)))
        expect([name, hashFile(join(broken, folder, name))]).toEqual([name, hashFile(join(whole, folder, name))])
    // Rows of Parquet take no bytes of their own, and are cut all the same.
    const rows = place()
    const columns = {
      preset: 'none',
      inputs: a,
      max_bad: 0.1,
      output: { format: 'parquet' },
      output_dir: rows,
    } as const
    await resultOf(runCurate(curateConfig(columns), { workers: 1 }))
    const parquet = curateConfig({ preset: 'none', inputs: join(rows, 'data'), output_dir: place() })
    const { jobs: others, settings: same } = await makePlan(parquet, () => {})
    let told = 0
    const hear = (bytes: number): void => {
      told += bytes
    }
    const { pieces: cut } = await (await Mapper.create(same)).run(others[0]!, place('pieces'), hear, 4000)
    expect(cut.length).toBeGreaterThan(3)
    expect(told).toBe(others[0]!.size)
    for (const near of ['verified', 'datatrove'] as const) {
      const chosen = { ...settings, dedup: { ...settings.dedup, near } }
      const wide = await globalStep(jobs, [manifest], chosen, whole)
      expect(await globalStep(jobs, [manifest], chosen, broken, {}, 500)).toEqual(wide)
      // Text 3 comes twice, and each of 25 is nearly another.
      expect([1, 2].map((reason) => wide.reasons.filter((each) => each === reason).length)).toEqual([1, 25])
    }
  })

  it('tells how far it is in bytes of the files as they are stored, and of every step that is long', async () => {
    const rows = Array.from({ length: 600 }, (_, i) => ({ text: text(i % 500) }))
    const inputs = join(folder, 'packed')
    const packed = [
      file('packed/a.jsonl.gz', gzipSync(jsonl(rows))),
      file('packed/b.warc.gz', Buffer.concat(rows.slice(0, 300).map(({ text: each }) => gzipSync(conversion(each))))),
    ]
    const config = curateConfig({ preset: 'none', inputs, output_dir: place() })
    const told: { label: string; done: number; total: number }[] = []
    await resultOf(runCurate(config, { workers: 1 }), (event) => {
      if (event.type === 'progress') told.push({ label: event.label, done: event.done, total: event.total ?? 0 })
    })
    for (const { done, total } of told) expect(done).toBeLessThanOrEqual(total)
    const last = Object.fromEntries(told.map(({ label, done, total }) => [label, [done, total]]))
    const bytes = packed.reduce((sum, path) => sum + statSync(path).size, 0)
    expect(last['reading and judging']).toEqual([bytes, bytes])
    expect(last['looking for equal texts']).toEqual([1, 1])
    expect(last['looking for near-duplicates']).toEqual([14, 14])
    expect(last.writing).toEqual([500, 500])
    // Members of the archive come one after the other, a file that was read in one piece at once.
    const heard: number[] = []
    const { jobs, settings } = await makePlan(config, () => {})
    await (await Mapper.create(settings)).run(jobs[1]!, place('pieces'), (more) => heard.push(more))
    expect(heard.filter((more) => more > 0).length).toBeGreaterThan(250)
  })

  it('does nothing twice', async () => {
    const { out } = await curate(corpus)
    const before = hashes(out)
    const part = join(out, 'work', '000000.json')
    const manifest = readFileSync(part, 'utf8')
    await curate({ ...corpus, output_dir: out })
    expect(readFileSync(part, 'utf8')).toBe(manifest)
    expect(hashes(out)).toEqual(before)
  })
})

describe('shards', () => {
  it('that are missing are named as an array, and a merge refuses', async () => {
    const out = place('status')
    const parts = join(folder, 'parts')
    for (let i = 0; i < 7; i++) file(`parts/${i}.jsonl`, jsonl([{ text: text(i) }]))
    const values = { inputs: parts, output_dir: out }
    await curate(values, { shards: 7, shard: 2 })
    await curate(values, { shards: 7, shard: 6 })
    expect(curateStatus(out)).toMatchObject({ parts: 7, parts_done: 2, shards: 7, array: '0-1,3-5', merged: false })
    await expect(resultOf(mergeCurate(out))).rejects.toThrow(
      /expected all 7, got 2. Run what is missing of shards 0-1,3-5 first/,
    )
    for (const shard of [0, 1, 3, 4, 5]) await curate(values, { shards: 7, shard })
    // One of them broken afterwards is missing again.
    const copy = place('copy')
    cpSync(out, copy, { recursive: true })
    writeFileSync(join(copy, 'work', '000004.signatures'), '')
    expect(curateStatus(copy).array).toBe('4')
    await resultOf(mergeCurate(out))
    expect(curateStatus(out)).toMatchObject({ array: '', merged: true })
    expect(() => curateStatus(parts)).toThrow(/expected one of anneal curate/)
    expect(arrayOf([3, 17, 40, 41, 42, 43, 44])).toBe('3,17,40-44')
  })
})
