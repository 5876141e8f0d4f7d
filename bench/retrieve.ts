// Search over many passages: `npx tsx bench/retrieve.ts [--passages 100000] [--peers DIR] [--python PYTHON] [--wiki FILE] [--popqa FILE] [--retrievalqa FILE] [--out FILE]`.
// Passages are generated (Zipf words, seed below), so that anybody can repeat it. DIR is a folder outside of this repository with `npm install minisearch@7`; PYTHON one
// with bm25s, whose scores have to be ours. Every part runs in a process of its own. FILEs are passages [{title, text}], PopQA with `paragraphs`, RetrievalQA with `context`.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import {
  Bm25,
  FlatVectors,
  meanMetrics,
  openIndex,
  rankingMetrics,
  tokenizer,
  writeIndex,
} from '../src/retrieve/index.ts'

const { values } = parseArgs({
  options: {
    passages: { type: 'string', default: '100000' },
    queries: { type: 'string', default: '1000' },
    peers: { type: 'string' },
    python: { type: 'string' },
    wiki: { type: 'string' },
    popqa: { type: 'string' },
    retrievalqa: { type: 'string' },
    part: { type: 'string' },
    folder: { type: 'string' },
    out: { type: 'string' },
  },
})
const PASSAGES = Number(values.passages)
const QUERIES = Number(values.queries)
const SEED = 17
const VOCABULARY = 200_000
const K = 10

/** mulberry32 */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The rank-th word: letters, so that no tokenizer cuts it. */
function wordOf(rank: number): string {
  let word = ''
  for (let rest = rank + 1; rest > 0; rest = Math.floor((rest - 1) / 26))
    word = String.fromCharCode(97 + ((rest - 1) % 26)) + word
  return `w${word}`
}

interface Passage {
  id: string
  text: string
}

/** Zipf–Mandelbrot words (1/(rank + 2.7)), 40 to 160 to a passage; queries are 2 to 5 words of a passage beyond the 50 most frequent, and one of those. */
function generated(): { passages: Passage[]; queries: string[] } {
  const next = random(SEED)
  const sums = new Float64Array(VOCABULARY)
  let total = 0
  for (let rank = 0; rank < VOCABULARY; rank++) sums[rank] = total += 1 / (rank + 2.7)
  const draw = (): number => {
    const at = next() * total
    let [low, high] = [0, VOCABULARY - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < at) low = middle + 1
      else high = middle
    }
    return low
  }
  const names = Array.from({ length: VOCABULARY }, (_, rank) => wordOf(rank))
  const ranks: number[][] = []
  const passages = Array.from({ length: PASSAGES }, (_, i) => {
    const words = Array.from({ length: 40 + Math.floor(120 * next()) }, draw)
    ranks.push(words)
    return { id: `p${i}`, text: words.map((rank) => names[rank]!).join(' ') }
  })
  const queries = Array.from({ length: QUERIES }, () => {
    const words = ranks[Math.floor(next() * PASSAGES)]!.filter((rank) => rank >= 50)
    const chosen = Array.from({ length: 2 + Math.floor(4 * next()) }, () => words[Math.floor(next() * words.length)]!)
    return [...new Set([...chosen, Math.floor(50 * next())])].map((rank) => names[rank]!).join(' ')
  })
  return { passages, queries }
}

const mib = (bytes: number): number => Math.round((10 * bytes) / 2 ** 20) / 10
const rounded = (value: number, digits = 3): number => Number(value.toPrecision(digits))
function spread(times: readonly number[]): { medianMs: number; p95Ms: number; maxMs: number } {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number): number => rounded(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!)
  return { medianMs: at(0.5), p95Ms: at(0.95), maxMs: at(1) }
}
/** Asks everything once to get warm, and once to be timed; one query comes right after opening. */
async function timed<R>(queries: readonly string[], ask: (query: string) => R | Promise<R>) {
  const begun = performance.now()
  await ask(queries[0]!)
  const firstMs = rounded(performance.now() - begun)
  for (const query of queries.slice(0, 200)) await ask(query)
  const times: number[] = []
  const results: R[] = []
  const before = process.cpuUsage()
  for (const query of queries) {
    const start = performance.now()
    results.push(await ask(query))
    times.push(performance.now() - start)
  }
  return {
    results,
    queries: {
      count: queries.length,
      firstMs,
      ...spread(times),
      cpuMs: rounded((cpuSeconds(before) * 1000) / queries.length),
    },
  }
}
/** What passed since, on the clock and on processors. */
function watch(): () => { seconds: number; cpuSeconds: number } {
  const [begun, cpu] = [performance.now(), process.cpuUsage()]
  return () => ({ seconds: rounded((performance.now() - begun) / 1000), cpuSeconds: rounded(cpuSeconds(cpu)) })
}
/** Of this process, whatever else runs beside it. */
function cpuSeconds(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}
const rss = (): number => {
  ;(globalThis as { gc?: () => void }).gc?.()
  return process.memoryUsage().rss
}
const bytesOf = (directory: string): number =>
  readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
/** Ids and scores of what was found, to compare by. */
const lists = (found: readonly { id: string; score: number }[][]) =>
  found.map((hits) => hits.map(({ id, score }) => [id, score]))

const PARTS: Readonly<Record<string, (folder: string) => Promise<object>>> = {
  'ours on disk: build': async (folder) => {
    const { passages } = generated()
    const took = watch()
    const writer = writeIndex(join(folder, 'index'))
    await writer.add(passages)
    await writer.commit()
    const built = took()
    await writer.merge()
    const merged = took()
    writer.close()
    const texts = passages.reduce((sum, { text }) => sum + text.length, 0)
    return { ...built, merged, mib: mib(bytesOf(join(folder, 'index'))), textsMib: mib(texts) }
  },
  'ours on disk: search': async (folder) => {
    const { queries } = JSON.parse(readFileSync(join(folder, 'queries.json'), 'utf8')) as { queries: string[] }
    const before = rss()
    const begun = performance.now()
    const index = openIndex(join(folder, 'index'))
    const openMs = rounded(performance.now() - begun)
    const openMib = mib(rss() - before)
    const { results, queries: times } = await timed(queries, (query) => index.search(query, { k: K }))
    writeFileSync(join(folder, 'ours.json'), JSON.stringify(lists(results)))
    return { openMs, openMib, ...times, searchedMib: mib(rss() - before) }
  },
  'ours in memory': async (folder) => {
    const { passages, queries } = generated()
    const before = rss()
    const took = watch()
    const index = new Bm25(passages)
    const built = took()
    const held = mib(rss() - before)
    const { results, queries: times } = await timed(queries, (query) => index.search(query, { k: K }))
    const same = JSON.stringify(lists(results)) === readFileSync(join(folder, 'ours.json'), 'utf8')
    return { ...built, mib: held, ...times, sameAsOnDisk: same }
  },
  minisearch: async (folder) => {
    const { passages, queries } = generated()
    const { default: MiniSearch } = await peer('minisearch')
    const before = rss()
    const took = watch()
    const index = new MiniSearch({ fields: ['text'], idField: 'id' })
    index.addAll(passages)
    const built = took()
    const held = mib(rss() - before)
    const few = queries.slice(0, 200)
    // Without its bonus for BM25+, and with our constants; lengths are of different words there, so scores are near but not the same.
    const options = { bm25: { k: 1.2, b: 0.75, d: 0 } }
    const { results, queries: times } = await timed(
      few,
      (query) => index.search(query, options).slice(0, K) as { id: string; score: number }[],
    )
    const ours = JSON.parse(readFileSync(join(folder, 'ours.json'), 'utf8')) as [string, number][][]
    const shared = results.reduce((sum, hits, i) => {
      const known = new Set(ours[i]!.map(([id]) => id))
      return sum + hits.filter(({ id }) => known.has(id)).length / Math.max(1, known.size)
    }, 0)
    const json = JSON.stringify(index)
    const loadBegun = performance.now()
    MiniSearch.loadJSON(json, { fields: ['text'], idField: 'id' })
    const loadSeconds = rounded((performance.now() - loadBegun) / 1000)
    return {
      version: versionOf('minisearch'),
      ...built,
      mib: held,
      jsonMib: mib(json.length),
      loadSeconds,
      ...times,
      sharedTop10: rounded(shared / few.length),
    }
  },
  bm25s: async (folder) => {
    const { passages, queries } = generated()
    const cut = tokenizer()
    const data = { passages: passages.map(({ text }) => cut(text)), queries: queries.map(cut), k: K }
    writeFileSync(join(folder, 'tokens.json'), JSON.stringify(data))
    const script = fileURLToPath(new URL('peers/bm25s_search.py', import.meta.url))
    const theirs = JSON.parse(
      execFileSync(values.python!, [script, join(folder, 'tokens.json')], { encoding: 'utf8', maxBuffer: 1 << 28 }),
    ) as {
      version: string
      seconds: number
      medianMs: number
      p95Ms: number
      scores: number[][]
    }
    const ours = JSON.parse(readFileSync(join(folder, 'ours.json'), 'utf8')) as [string, number][][]
    let largest = 0
    for (const [i, scores] of theirs.scores.entries())
      for (const [j, [, score]] of ours[i]!.entries()) largest = Math.max(largest, Math.abs(score - scores[j]!) / score)
    const { version, seconds, medianMs, p95Ms } = theirs
    return {
      version,
      secondsOfTokens: rounded(seconds),
      medianMs: rounded(medianMs),
      p95Ms: rounded(p95Ms),
      queries: theirs.scores.length,
      largestRelativeDifferenceOfScores: rounded(largest),
    }
  },
  vectors: async () => {
    const dimensions = 384
    const next = random(SEED)
    const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
    const vector = (): Float32Array => Float32Array.from({ length: dimensions }, gaussian)
    // Clusters, as texts have: neighbours are nearer than chance.
    const centres = Array.from({ length: 1000 }, vector)
    const near = (): Float32Array => {
      const centre = centres[Math.floor(next() * centres.length)]!
      return centre.map((value) => value + 0.7 * gaussian())
    }
    const exact = new FlatVectors({ dimensions })
    const bare = new FlatVectors({ dimensions, type: 'int8', rescore: 0 })
    const again = new FlatVectors({ dimensions, type: 'int8' })
    for (let i = 0; i < PASSAGES; i++) {
      const made = near()
      for (const index of [exact, bare, again]) index.add(`p${i}`, made)
    }
    const queries = Array.from({ length: 50 }, near)
    const time = (index: FlatVectors) => {
      for (const query of queries.slice(0, 5)) index.search(query)
      const times: number[] = []
      const found = queries.map((query) => {
        const start = performance.now()
        const hits = index.search(query, { k: K })
        times.push(performance.now() - start)
        return hits
      })
      return { found, ...spread(times) }
    }
    const wanted = time(exact)
    const recallOf = ({ found, ...times }: ReturnType<typeof time>) => {
      const shares = found.map(
        (hits, i) =>
          rankingMetrics(
            hits.map(({ id }) => id),
            wanted.found[i]!.map(({ id }) => id),
            K,
          ).recall,
      )
      return { ...times, recallAt10: rounded(shares.reduce((a, b) => a + b, 0) / shares.length, 4) }
    }
    return { dimensions, f32: recallOf(wanted), int8: recallOf(time(bare)), int8Rescored: recallOf(time(again)) }
  },
  recall: async () => {
    const out: Record<string, object> = {}
    if (values.wiki !== undefined) {
      const wiki = JSON.parse(readFileSync(values.wiki, 'utf8')) as { title: string; text: string }[]
      const took = watch()
      const index = new Bm25(wiki.map(({ title, text }, i) => ({ id: `${i}`, text: `${title}\n${text}` })))
      const built = took()
      const { queries } = await timed(
        wiki.slice(0, 1000).map(({ text }) => text.split(' ').slice(2, 9).join(' ')),
        (query) => index.search(query, { k: K }),
      )
      out.wiki = { passages: wiki.length, ...built, ...queries }
    }
    if (values.popqa !== undefined) {
      const rows = JSON.parse(readFileSync(values.popqa, 'utf8')) as {
        question: string
        paragraphs: { title: string; text: string; is_supporting: boolean }[]
      }[]
      out.popqa = questions(
        rows.map(({ question, paragraphs }) => ({
          question,
          passages: paragraphs.map((each) => ({ ...each, isRight: each.is_supporting })),
        })),
      )
    }
    if (values.retrievalqa !== undefined) {
      const rows = readFileSync(values.retrievalqa, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)) as {
        question: string
        ground_truth: string[]
        context: { title: string; text: string }[]
      }[]
      // Nobody marked which passages answer: those of the question's own that have an answer in them.
      const has = (text: string, answers: readonly string[]): boolean =>
        answers.some((answer) => text.toLowerCase().includes(String(answer).toLowerCase()))
      out.retrievalqa = questions(
        rows.map(({ question, ground_truth, context }) => ({
          question,
          passages: context.map((each) => ({ ...each, isRight: has(`${each.title} ${each.text}`, ground_truth) })),
        })),
      )
    }
    return out
  },
}

interface Question {
  question: string
  passages: { title: string; text: string; isRight: boolean }[]
}

/** Every question against the passages of all; those without a right one are counted and left out. */
function questions(all: readonly Question[]): object {
  const ids = new Map<string, string>()
  const idOf = ({ title, text }: { title: string; text: string }): string => {
    const whole = `${title}\n${text}`
    if (!ids.has(whole)) ids.set(whole, `${ids.size}`)
    return ids.get(whole)!
  }
  const asked = all.map(({ question, passages }) => ({
    question,
    right: passages.flatMap((each) => {
      const id = idOf(each)
      return each.isRight ? [id] : []
    }),
  }))
  const usable = asked.filter(({ right }) => right.length > 0)
  const result: Record<string, object> = {}
  for (const variant of ['lucene', 'okapi'] as const) {
    const index = new Bm25(
      [...ids].map(([text, id]) => ({ id, text })),
      { variant },
    )
    const found = usable.map(({ question, right }) => ({
      right: new Set(right),
      ranked: index.search(question, { k: 100 }).map(({ id }) => id),
    }))
    result[variant] = Object.fromEntries(
      [1, 5, 20, 100].map((k) => {
        const { recall, hit, reciprocalRank, ndcg } = meanMetrics(
          found.map(({ ranked, right }) => rankingMetrics(ranked, right, k)),
        )
        return [
          `at${k}`,
          { recall: rounded(recall), hit: rounded(hit), mrr: rounded(reciprocalRank), ndcg: rounded(ndcg) },
        ]
      }),
    )
  }
  return { questions: usable.length, withoutRightPassage: all.length - usable.length, passages: ids.size, ...result }
}

// biome-ignore lint/suspicious/noExplicitAny: peers are not installed here, so nothing is known of their types
async function peer(name: string): Promise<any> {
  return import(pathToFileURL(createRequire(join(resolve(values.peers!), 'package.json')).resolve(name)).href)
}
function versionOf(name: string): string {
  return (
    JSON.parse(readFileSync(join(values.peers!, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }
  ).version
}

async function main(): Promise<void> {
  if (values.part !== undefined) {
    process.stdout.write(JSON.stringify(await PARTS[values.part]!(values.folder!)))
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'anneal-bench-retrieve-'))
  const result: Record<string, unknown> = {
    processor: cpus()[0]!.model,
    cores: cpus().length,
    load: loadavg().map((load) => rounded(load)),
    node: process.version,
    passages: PASSAGES,
    seed: SEED,
  }
  try {
    writeFileSync(join(folder, 'queries.json'), JSON.stringify({ queries: generated().queries }))
    for (const part of Object.keys(PARTS)) {
      if (part === 'minisearch' && values.peers === undefined) continue
      if (part === 'bm25s' && values.python === undefined) continue
      const words = [
        '--expose-gc',
        '--max-old-space-size=6000',
        '--import',
        'tsx',
        fileURLToPath(import.meta.url),
        ...process.argv.slice(2),
        '--part',
        part,
        '--folder',
        folder,
      ]
      const { stdout, status } = spawnSync(process.execPath, words, {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
        maxBuffer: 1 << 28,
      })
      result[part] = status === 0 ? JSON.parse(stdout) : { failed: status }
      console.log(part, JSON.stringify(result[part]))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`)
}

await main()
