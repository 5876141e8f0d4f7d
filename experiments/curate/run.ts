// What curation costs and finds: MB/s of filters and MinHash on one core, memory over time, recall on planted pairs against the S-curve.
//   tsx experiments/curate/run.ts --data PATH… [--megabytes 1000] [--workers 1] [--preset fineweb] [--pairs 2000] [--out out/curate]
// Writes results.json into --out; the corpus is made below it and reused.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { detection, MINHASH, MinHasher } from '../../src/data/curate/minhash.ts'
import { preset } from '../../src/data/curate/presets.ts'
import { judge } from '../../src/data/curate/quality.ts'
import { simplifiedWords } from '../../src/data/curate/simplify.ts'
import { TextView } from '../../src/data/curate/text-view.ts'
import { curateConfig } from '../../src/run/curate/config.ts'
import { runCurate } from '../../src/run/curate/run-curate.ts'
import { resultOf } from '../../src/work.ts'
import { type Corpus, makeCorpus, randomFrom } from './corpus.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string', multiple: true, default: [] },
    megabytes: { type: 'string', default: '1000' },
    workers: { type: 'string', default: '1' },
    preset: { type: 'string', default: 'fineweb' },
    pairs: { type: 'string', default: '2000' },
    out: { type: 'string', default: 'out/curate' },
  },
})
const say = (line: string): void => console.error(line)
const megabytes = Number(values.megabytes)

/** The corpus, made when there is none of this size. */
async function corpusAt(folder: string): Promise<Corpus> {
  const record = join(folder, 'corpus.json')
  if (existsSync(record)) return JSON.parse(readFileSync(record, 'utf8')) as Corpus
  if (values.data.length === 0) throw new Error('--data: expected files of real text')
  say(`making ${megabytes} MB in ${folder}`)
  const corpus = await makeCorpus(join(folder, 'text'), megabytes, values.data)
  writeFileSync(record, JSON.stringify(corpus))
  return corpus
}

/** Processor time of filters and signatures on texts in memory, the best of some rounds: MB/s of one core. */
function inMemory(folder: string): Record<string, number> {
  const [first] = readdirSync(folder).sort()
  const texts = readFileSync(join(folder, first!), 'utf8')
    .split('\n', 4000)
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { text: string }).text)
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const rules = preset(values.preset)
  const hasher = new MinHasher()
  const steps: Record<string, (text: string) => unknown> = {
    filters: (text) => judge(new TextView(text), rules),
    minhash: (text) => hasher.bandKeys(simplifiedWords(text)),
    both: (text) => [judge(new TextView(text), rules), hasher.bandKeys(simplifiedWords(text))],
  }
  return Object.fromEntries(
    Object.entries(steps).map(([name, step]) => {
      let best = Number.POSITIVE_INFINITY
      for (let round = 0; round < 8; round++) {
        const start = process.cpuUsage()
        for (const text of texts) step(text)
        const { user, system } = process.cpuUsage(start)
        best = Math.min(best, (user + system) / 1e6)
      }
      return [name, bytes / 1e6 / best]
    }),
  )
}

/** A whole run: wall and processor time, and resident memory twice a second. */
async function whole(corpus: Corpus): Promise<Record<string, unknown>> {
  const out = join(values.out, `run-${megabytes}`)
  rmSync(out, { recursive: true, force: true })
  const memory: [seconds: number, megabytes: number][] = []
  const begun = performance.now()
  const sample = (): void => {
    memory.push([Math.round((performance.now() - begun) / 100) / 10, Math.round(process.memoryUsage.rss() / 1e6)])
  }
  const timer = setInterval(sample, 500)
  const start = process.cpuUsage()
  const config = curateConfig({ inputs: corpus.folder, output_dir: out, preset: values.preset })
  const { summary } = await resultOf(runCurate(config, { workers: Number(values.workers) }))
  sample()
  clearInterval(timer)
  const { user, system } = process.cpuUsage(start)
  const seconds = (performance.now() - begun) / 1000
  return {
    seconds,
    processorSeconds: (user + system) / 1e6,
    megabytesPerSecond: corpus.bytes / 1e6 / seconds,
    megabytesPerProcessorSecond: corpus.bytes / 1e6 / ((user + system) / 1e6),
    memory,
    read: summary!.read,
    kept: summary!.kept,
    dropped: summary!.dropped.map(({ step, reason, documents }) => ({ step, reason, documents })),
    clusters: summary!.clusters,
  }
}

/** Share of planted pairs of each similarity that share a band, and what the S-curve says. */
function recall(
  pairs: number,
): { similarity: number; expected: number; found: number; pairs: number; sigmas: number }[] {
  const { bands, rows } = MINHASH
  const hasher = new MinHasher({ ...MINHASH, ngram: 1 })
  const random = randomFrom(7)
  const word = (): string =>
    Array.from({ length: 12 }, () => 'abcdefghijklmnopqrst'[Math.floor(random() * 20)]).join('')
  return [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9].map((similarity) => {
    // With single words as shingles the similarity is exact: `common` of 200 are in both.
    const common = Math.round(200 * similarity)
    const own = (200 - common) >> 1
    let found = 0
    for (let pair = 0; pair < pairs; pair++) {
      const words = Array.from({ length: common + 2 * own }, word)
      const a = hasher.signature(words.slice(0, common + own).join(' '))!
      const b = hasher.signature([...words.slice(0, common), ...words.slice(common + own)].join(' '))!
      for (let band = 0; band < bands; band++) {
        let row = 0
        while (row < rows && a[band * rows + row] === b[band * rows + row]) row++
        if (row < rows) continue
        found++
        break
      }
    }
    const expected = detection(common / (common + 2 * own))
    const sigmas = (found / pairs - expected) / Math.sqrt((expected * (1 - expected)) / pairs)
    return { similarity, expected, found: found / pairs, pairs, sigmas }
  })
}

mkdirSync(values.out, { recursive: true })
const corpus = await corpusAt(join(values.out, `corpus-${megabytes}`))
say(
  `${corpus.documents} documents, ${(corpus.bytes / 1e6).toFixed(0)} MB, ${corpus.exact} copies, ${corpus.near} near-copies`,
)
const perCore = inMemory(corpus.folder)
say(
  Object.entries(perCore)
    .map(([name, speed]) => `${name} ${speed.toFixed(1)} MB/s`)
    .join(', '),
)
const curves = recall(Number(values.pairs))
for (const { similarity, expected, found, sigmas } of curves)
  say(`similarity ${similarity}: ${found.toFixed(3)} found, ${expected.toFixed(3)} expected (${sigmas.toFixed(1)} σ)`)
const run = await whole(corpus)
say(
  `whole run: ${(run.megabytesPerSecond as number).toFixed(1)} MB/s, ${(run.megabytesPerProcessorSecond as number).toFixed(1)} MB per second of processor time`,
)
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.versions.node }
const file = join(values.out, 'results.json')
writeFileSync(file, `${JSON.stringify({ machine, settings: values, corpus, perCore, recall: curves, run }, null, 1)}\n`)
say(`→ ${file}`)
