// Whole curations of small made-up corpora: what stays, what goes for which reason, and books that balance.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { jsonl, rowsOf, text, useCurations, WORDS } from '../../../test/use-curations.ts'
import { resultOf } from '../../work.ts'
import { curateConfig } from './config.ts'
import { runCurate } from './run-curate.ts'

const { folder, place, file, curate, corpus } = useCurations()
const [a] = corpus.inputs

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
    const rows = rowsOf(out)
    expect(rows[0]).toMatchObject({ text: text(0), source: 'a.jsonl', file: a, offset: 0, url: 'u0', cluster_size: 1 })
    expect(rows.find((row) => row.text === text(3))).toMatchObject({ cluster_size: 2 })
    expect(rows.reduce((sum, row) => sum + row.cluster_size, 0)).toBe(91)
    const bad = JSON.parse(readFileSync(join(out, 'quarantine', readdirSync(join(out, 'quarantine'))[0]!), 'utf8'))
    const bytes = readFileSync(a)
      .subarray(bad.offset, bad.offset + bad.length)
      .toString()
    expect(bytes).toBe('{"text": broken')
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
