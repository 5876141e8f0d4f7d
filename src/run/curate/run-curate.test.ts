// Whole curations of small made-up corpora: the same bytes however the work is shared, ordered or broken off, and books that balance.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { hashFile } from '../../files/hash.ts'
import { resultOf } from '../../work.ts'
import { type CurateConfigValues, curateConfig } from './config.ts'
import { type CurateResult, mergeCurate, type RunCurateOptions, runCurate } from './run-curate.ts'
import { arrayOf, curateStatus, shardOfEnvironment } from './shards.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-curate-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let made = 0
const place = (name = 'out'): string => join(folder, `${name}-${made++}`)

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, content)
  return path
}
const jsonl = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

const WORDS =
  'hest ko ged gris kat hund mus fugl fisk bi myre hval ulv ræv bjørn elg hare grævling egern pindsvin'.split(' ')
/** A sentence of its own for each number. */
function text(seed: number, words = 60): string {
  let state = seed * 2654435761 + 12345
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return state >> 8
  }
  return `${Array.from({ length: words }, () => `${WORDS[next() % WORDS.length]}${'abcdefghij'[next() % 10]}`).join(' ')}.`
}

async function curate(
  values: CurateConfigValues & { inputs: string | string[] },
  options: RunCurateOptions = {},
): Promise<CurateResult & { notices: string[]; texts: string[] }> {
  const out = values.output_dir ?? place()
  const notices: string[] = []
  const config = curateConfig({ preset: 'none', ...values, output_dir: out })
  const result = await resultOf(runCurate(config, { workers: 1, ...options }), (event) => {
    if (event.type === 'notice') notices.push(event.message)
  })
  return { ...result, notices, texts: textsOf(out) }
}
function textsOf(out: string): string[] {
  if (!existsSync(join(out, 'data'))) return []
  return readdirSync(join(out, 'data'))
    .sort()
    .flatMap((name) =>
      readFileSync(join(out, 'data', name), 'utf8')
        .trimEnd()
        .split('\n'),
    )
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { text: string }).text)
}
/** What must be the same to the byte. */
const hashes = (out: string): string[] =>
  [...readdirSync(join(out, 'data')).map((name) => join('data', name)), 'summary.json', 'report.html'].map(
    (name) => `${name} ${hashFile(join(out, name))}`,
  )

// Three sources with duplicates within and across them, near-duplicates, and a bad line.
const a = file(
  'corpus/a.jsonl',
  `${jsonl(Array.from({ length: 40 }, (_, i) => ({ text: text(i), url: `u${i}` })))}{"text": broken\n${jsonl([{ text: text(3) }])}`,
)
const b = file(
  'corpus/b.jsonl.gz',
  gzipSync(jsonl(Array.from({ length: 30 }, (_, i) => ({ text: `${text(i + 30)}${i % 2 ? ' tilføjelse' : ''}` })))),
)
const c = file('corpus/c.txt', Array.from({ length: 20 }, (_, i) => text(i + 50)).join('\n\n'))
const corpus = { inputs: [a, b, c], documents: 'blank-line' as const, max_bad: 0.1, output: { file_mb: 0.005 } }

describe('a curation', () => {
  it('keeps one of equal and of nearly equal texts, with where each came from, and its books balance', async () => {
    const { out, summary, texts, notices } = await curate({ ...corpus, keep_columns: ['url'] })
    // 90 different texts begin it; 30–39 come twice and 50–59 too, half of each with an addition; text 3 once more.
    expect(summary).toMatchObject({ records: 92, quarantined: 1, read: { documents: 91 }, kept: { documents: 70 } })
    expect(new Set(texts).size).toBe(70)
    expect(summary!.dropped.map(({ step, documents }) => [step, documents])).toEqual([
      ['exact', 11],
      ['near', 10],
    ])
    expect(notices.join('\n')).toMatch(/1 bad record of 92 \(1 bad-json\).*a\.jsonl, byte \d+/)
    const rows = readdirSync(join(out, 'data'))
      .sort()
      .flatMap((name) =>
        readFileSync(join(out, 'data', name), 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      )
    expect(rows[0]).toMatchObject({ text: text(0), source: 'a.jsonl', file: a, offset: 0, url: 'u0', cluster_size: 1 })
    expect(rows.find((row) => row.text === text(3))).toMatchObject({ cluster_size: 2 })
    expect(rows.reduce((sum, row) => sum + row.cluster_size, 0)).toBe(91)
    const bad = JSON.parse(readFileSync(join(out, 'quarantine', readdirSync(join(out, 'quarantine'))[0]!), 'utf8'))
    const bytes = readFileSync(a)
      .subarray(bad.offset, bad.offset + bad.length)
      .toString()
    expect(bytes).toBe('{"text": broken')
  })

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
    const { makePlan } = await import('./plan.ts')
    const { Mapper } = await import('../../data/curate/map-job.ts')
    const { globalStep } = await import('../../data/curate/global-step.ts')
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
      let bytes = 0
      const progress = (more: number): void => {
        bytes += more
        if (bytes > stopAt) throw new Error('stopped')
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
    await expect(map(broken, 9000)).rejects.toThrow('stopped')
    expect(pieces()).toBe(2)
    const before = modified()
    await expect(map(broken, 25_000)).rejects.toThrow('stopped')
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
    const { pieces: cut } = await (await Mapper.create(same)).run(others[0]!, place('pieces'), () => {}, 4000)
    expect(cut.length).toBeGreaterThan(3)
    for (const near of ['verified', 'datatrove'] as const) {
      const chosen = { ...settings, dedup: { ...settings.dedup, near } }
      const wide = await globalStep(jobs, [manifest], chosen, whole)
      expect(await globalStep(jobs, [manifest], chosen, broken, {}, 500)).toEqual(wide)
      // Text 3 comes twice, and each of 25 is nearly another.
      expect([1, 2].map((reason) => wide.reasons.filter((each) => each === reason).length)).toEqual([1, 25])
    }
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

  it('keeps 1,000 different texts of three words, and one of two equal ones', async () => {
    const rows = Array.from({ length: 1000 }, (_, i) => ({
      text: `${WORDS[i % 20]} ${WORDS[Math.floor(i / 20) % 20]}x ${WORDS[Math.floor(i / 400)]}y`,
    }))
    const { texts } = await curate({
      inputs: file('short.jsonl', jsonl([...rows, rows[17]!, { text: rows[5]!.text.toUpperCase() }])),
    })
    expect(texts.length).toBe(1000)
  })

  it('does not take a chain of neighbours for one text, unless it is told to', async () => {
    // Each differs from the one before in 6 of 60 words: neighbours share 70 % of their shingles, the ends nothing.
    const words = text(1).split(' ')
    const rows = Array.from({ length: 11 }, (_, i) => {
      if (i > 0) for (let j = 0; j < 3; j++) words[(i - 1) * 6 + j] = `ny${'abcdefghijk'[i]}${'abc'[j]}`
      return { text: words.join(' ') }
    })
    const inputs = file('chain.jsonl', jsonl(rows))
    const checked = await curate({ inputs, dedup: { bands: 56, rows: 2, threshold: 0.8 } })
    const joined = await curate({ inputs, dedup: { bands: 56, rows: 2, near: 'datatrove' } })
    expect(joined.texts.length).toBe(1)
    expect(checked.texts.length).toBeGreaterThan(4)
  })

  it('takes out what an evaluation holds, and says which items', async () => {
    const items = file('evals/test.jsonl', jsonl([{ question: text(7, 15), answer: 'ja' }, { question: 'For kort' }]))
    const { summary, texts } = await curate({ ...corpus, contamination: { files: items } })
    expect(texts).not.toContain(text(7))
    expect(texts.length).toBe(69)
    expect(summary!.contaminated).toEqual([{ file: items, row: 1, documents: 1 }])
  })

  it('judges each source by its own rules', async () => {
    const one = file('sources/wiki/1.txt', `Hest er et dyr\nRediger\n${text(1)}`)
    const two = file('sources/forum/2.txt', text(2, 10))
    const { texts, summary } = await curate({
      inputs: join(folder, 'sources'),
      rules: { min_doc_words: 5 },
      sources: [
        { path: join(folder, 'sources/wiki'), drop_lines: ['^Rediger$'], licence: 'CC BY-SA' },
        { path: join(folder, 'sources/forum'), name: 'forum', rules: { min_doc_words: 20 } },
      ],
    })
    expect([one, two]).toHaveLength(2)
    expect(texts).toEqual([`Hest er et dyr\n${text(1)}`])
    expect(Object.keys(summary!.sources)).toEqual(['forum', 'wiki'])
    expect(summary!.presets.forum!.overrides).toEqual({ min_doc_words: { preset: null, used: 20 } })
  })

  it('reads lines of large files in stretches, each line once', async () => {
    const { listJobs } = await import('../../data/curate/jobs.ts')
    const { readJob } = await import('../../data/curate/read-job.ts')
    const source = { textKey: 'text', keep: [], split: 'file' } as never
    for (const bytes of [64, 257, 1000, 1e6]) {
      const found: string[] = []
      const bad: number[] = []
      for (const job of listJobs(
        [a],
        () => 0,
        () => {},
        bytes,
      ))
        for await (const record of readJob(job, source, { bad: ({ offset }) => bad.push(offset), notice: () => {} }))
          found.push(record.text)
      expect(found).toEqual([...Array.from({ length: 40 }, (_, i) => text(i)), text(3)])
      expect(bad).toEqual([readFileSync(a).indexOf('{"text": broken')])
    }
  })
})

describe('languages', () => {
  const da = 'Der var engang en bonde, som havde tre sønner, og de boede sammen på en gård ude på landet.'
  const de = 'Es war einmal ein Bauer, der hatte drei Söhne, und sie wohnten zusammen auf einem Hof auf dem Lande.'
  it('stay that are wanted; what is too short is dropped unless it is asked for', async () => {
    const inputs = file('languages.jsonl', jsonl([{ text: da }, { text: de }, { text: 'Ok!' }]))
    const { texts, summary } = await curate({ inputs, lang: 'da' })
    expect(texts).toEqual([da])
    expect(summary!.dropped.map(({ reason }) => reason)).toEqual(['de', 'und'])
    expect((await curate({ inputs, lang: 'dan', language: { keep_undetermined: true } })).texts).toEqual([da, 'Ok!'])
    await expect(curate({ inputs, lang: 'klingon' })).rejects.toThrow(
      /lang: expected a language that the identifier eld knows \(.* da .*got 'klingon'/,
    )
  })
  it('bring their own preset', async () => {
    const inputs = file('preset.jsonl', jsonl([{ text: da }]))
    const config = curateConfig({ inputs, output_dir: place(), lang: 'da' })
    await expect(resultOf(runCurate(config, { workers: 1 }))).rejects.toThrow(
      /documents: expected some to be kept, got none of 1. 1 went by min_doc_words \(quality\). Change or switch off `rules.min_doc_words`/,
    )
  })
})

describe('bad input', () => {
  it('of nothing, or of nothing but empty files, is said', async () => {
    await expect(curate({ inputs: join(folder, 'nothing') })).rejects.toThrow(/got nothing there/)
    await expect(curate({ inputs: file('empty.txt', '') })).rejects.toThrow(
      /inputs .*empty.txt: expected some text, got an empty file/,
    )
    const { notices, texts } = await curate({ inputs: [file('empty2.txt', ''), c] })
    expect(notices.join('\n')).toMatch(/empty: .*empty2.txt/)
    expect((await curate({ inputs: [file('empty3.jsonl.gz', ''), c] })).texts).toHaveLength(1)
    await expect(curate({ inputs: file('blank.txt', '\n \n') })).rejects.toThrow(
      /inputs: expected some text, got files without any/,
    )
    expect(texts).toHaveLength(1)
  })

  it('in another encoding is said with its offset and the key that reads it', async () => {
    const latin = 'Hvad der høres på gården\n'.repeat(20)
    const inputs = file('latin.txt', Buffer.concat([Buffer.from('Godt begyndt\n'), Buffer.from(latin, 'latin1')]))
    await expect(curate({ inputs })).rejects.toThrow(
      /bad records in .*latin.txt, byte 13: .*invalid-utf8.*`encoding: windows-1252`/,
    )
    const { texts } = await curate({ inputs, encoding: 'windows-1252' })
    expect(texts[0]).toBe(`Godt begyndt\n${latin.trim()}`)
    const wide = file('wide.txt', Buffer.from('\ufeffHøns i gården', 'utf16le'))
    await expect(curate({ inputs: wide })).rejects.toThrow(/expected UTF-8, got UTF-16/)
    expect((await curate({ inputs: wide, encoding: 'utf-16le' })).texts).toEqual(['Høns i gården'])
  })

  it('in an encoding that it is not, or cannot wholly be, is said', async () => {
    const latin = file(
      'mostly.txt',
      Buffer.concat([Buffer.from('Godt\n'), Buffer.from('på gården '.repeat(99), 'latin1')]),
    )
    // One bad record is a slip, but not when it is nearly all of the bytes.
    await expect(curate({ inputs: latin })).rejects.toThrow(/1 of 2 \(1 invalid-utf8; 99.6 %.*`encoding: windows-1252`/)
    const bare = file('bare.txt', Buffer.from('Høns i gården', 'utf16le'))
    await expect(curate({ inputs: bare })).rejects.toThrow(/1 nul; .*`encoding: utf-16le`/)
    const utf8 = file('utf8.txt', 'Høns i gården og på marken')
    await expect(curate({ inputs: utf8, encoding: 'utf-16le' })).rejects.toThrow(
      /encoding in .*utf8.txt: expected utf-16le, got UTF-8. Leave `encoding` out/,
    )
    const odd = file('odd.txt', Buffer.concat([Buffer.from('Høns i gården', 'utf16le'), Buffer.from('A')]))
    const { notices } = await curate({ inputs: odd, encoding: 'utf-16le' })
    expect(notices.join('\n')).toMatch(/odd.txt: 1 place that cannot be utf-16le became U\+FFFD/)
  })

  it('of columns and places that the result has itself is refused or left out', async () => {
    await expect(curate({ ...corpus, keep_columns: ['url', 'id'] })).rejects.toThrow(
      /keep_columns.1: expected a column other than id, text, .*got 'id'/,
    )
    const rows = file('within/x.jsonl', '{"__proto__":{"a":1},"text":"en to tre fire fem"}\n')
    const inputs = join(folder, 'within')
    await expect(curate({ inputs, output_dir: inputs })).rejects.toThrow(
      /output_dir: expected a folder that does not hold the inputs/,
    )
    const out = join(inputs, 'out')
    const first = await curate({ inputs, output_dir: out, keep_columns: ['__proto__'] })
    expect(readFileSync(join(out, 'data', 'part-00000.jsonl'), 'utf8')).toContain('"__proto__":{"a":1}')
    const again = await curate({ inputs, output_dir: out, keep_columns: ['__proto__'] })
    expect(again.summary).toEqual(first.summary)
    expect(again.notices.join('\n')).toMatch(/\d+ files in .*out left out: that is where the result goes/)
    // One file by several ways is one file.
    expect((await curate({ inputs: [rows, `${inputs}/../within/x.jsonl`] })).summary).toMatchObject({ records: 1 })
  })

  it('of items of evaluations that are too short to be looked for is said', async () => {
    const items = file('evals/short.jsonl', jsonl([{ q: 'hvad er 2 + 2 i dag?' }, { q: '4' }]))
    const { notices } = await curate({ ...corpus, contamination: { files: items } })
    expect(notices.join('\n')).toMatch(/1 of 2 items of evaluations has no text of five words or more/)
  })

  it('cut short gives what is whole, says so, and fails above the rate', async () => {
    const whole = gzipSync(jsonl(Array.from({ length: 200 }, (_, i) => ({ text: text(i) }))))
    const inputs = file('cut.jsonl.gz', whole.subarray(0, whole.length * 0.7))
    const out = place()
    await expect(curate({ inputs, output_dir: out, max_bad: 0 })).rejects.toThrow(/truncated.*what was good is kept/)
    const { texts, notices } = await curate({ inputs, output_dir: out, max_bad: 0.1 })
    expect(texts.length).toBeGreaterThan(50)
    expect(texts[0]).toBe(text(0))
    expect(notices.join('\n')).toMatch(/cut short/)
  })

  it('is refused where settings do not fit', async () => {
    await expect(curate(corpus, { shards: 3, shard: 3 })).rejects.toThrow(/shard: expected 0 to 2, got 3/)
    await expect(curate(corpus, { shards: 3 })).rejects.toThrow(/shard: expected a number beside shards/)
    expect(() => shardOfEnvironment({ SLURM_ARRAY_TASK_ID: 'x' })).toThrow(
      /SLURM_ARRAY_TASK_ID: expected a whole number/,
    )
    expect(shardOfEnvironment({ JOB_COMPLETION_INDEX: '7' })).toBe(7)
    await expect(curate({ ...corpus, rules: { min_doc_word: 1 } })).rejects.toThrow(
      /rules.min_doc_word: .*'min_doc_words'/,
    )
    await expect(curate({ ...corpus, sources: [{ path: 'elsewhere' }] })).rejects.toThrow(
      /sources: expected a path of an input, got elsewhere/,
    )
    const { out } = await curate(corpus)
    await expect(curate({ ...corpus, output_dir: out, pii: { email: false } })).rejects.toThrow(
      /output_dir: .*made from other inputs or settings/,
    )
    await curate({ ...corpus, output_dir: out, pii: { email: false } }, { overwrite: true })
  })

  it('warns of a source that loses half and of a cluster of one in a hundred', async () => {
    const same = Array.from({ length: 30 }, (_, i) => ({ text: `${text(1)} ${'abcdefghijklmnopqrstuvwxyzæøå0'[i]}` }))
    const { notices } = await curate({ inputs: file('same.jsonl', jsonl(same)) })
    expect(notices.join('\n')).toMatch(/source same.jsonl lost 96.\d % of its words, most of it .* by near \(near\)/)
    expect(notices.join('\n')).toMatch(/one cluster of near-duplicates holds 30 documents, 100 % of all/)
  })
})

describe('shards', () => {
  it('takes a dataset of the hub by name, which is the name of its source', async () => {
    vi.stubEnv('HF_HUB_CACHE', fileURLToPath(new URL('../../../test/fixtures/hub-cache', import.meta.url)))
    const { texts, summary } = await curate({ inputs: 'org/rows' }).finally(() => vi.unstubAllEnvs())
    expect(texts).toEqual(['one'])
    expect(Object.keys(summary!.sources)).toEqual(['org/rows'])
  })
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
