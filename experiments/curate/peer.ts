// Against datatrove, document by document: do the filters keep the same ones, are the signatures the same, what does it cost?
//   tsx experiments/curate/peer.ts --data PATH… --python PYTHON [--language dan] [--words ours] [--rounds 5] [--every 4] [--out out/curate-peer]
// PYTHON has datatrove. `--every 4` takes one document in four. `--words own` lets it cut words by itself and counts on how many documents the verdicts then differ.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { hasBadWord } from '../../src/data/curate/bad-words.ts'
import { c4, c4Paragraphs } from '../../src/data/curate/c4.ts'
import { fineweb } from '../../src/data/curate/fineweb.ts'
import { gopherQuality } from '../../src/data/curate/gopher-quality.ts'
import { MinHasher } from '../../src/data/curate/minhash.ts'
import { preset } from '../../src/data/curate/presets.ts'
import { judge } from '../../src/data/curate/quality.ts'
import { repetition } from '../../src/data/curate/repetition.ts'
import type { Rules } from '../../src/data/curate/rules.ts'
import { simplify } from '../../src/data/curate/simplify.ts'
import { TextView } from '../../src/data/curate/text-view.ts'
import { curateConfig } from '../../src/run/curate/config.ts'
import { runCurate } from '../../src/run/curate/run-curate.ts'
import { resultOf } from '../../src/work.ts'
import { randomFrom } from './corpus.ts'
import { realDocuments } from './real-documents.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string', multiple: true, default: [] },
    python: { type: 'string', default: 'python3' },
    language: { type: 'string', default: 'dan' },
    words: { type: 'string', default: 'ours' },
    rounds: { type: 'string', default: '5' },
    every: { type: 'string', default: '1' },
    out: { type: 'string', default: 'out/curate-peer' },
  },
})
const say = (line: string): void => console.error(line)
const script = fileURLToPath(new URL('../../bench/peers/datatrove_peer.py', import.meta.url))
/** Two letters, as the lists of bad words are named. */
const badWords = ({ dan: 'da', eng: 'en', spa: 'es' } as Record<string, string>)[values.language] ?? 'en'
const language = preset(`fineweb2:${values.language}`)

/** null: kept as it is; of a text that changed its hash; else that it is dropped. */
type Verdict = string | null
const DROPPED = 'dropped'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const verdictOf = (reason: string | undefined): Verdict => (reason === undefined ? null : DROPPED)

function c4Verdict(text: string, rules: Rules): Verdict {
  const left = c4(text, rules)
  return 'reason' in left ? DROPPED : left.text === text ? null : sha256(left.text)
}

const filters: Record<string, (text: string) => Verdict> = {
  repetition: (text) => verdictOf(repetition(new TextView(text), preset('gopher'))),
  quality: (text) => verdictOf(gopherQuality(new TextView(text), preset('gopher'))),
  c4: (text) => c4Verdict(text, preset('c4')),
  c4_paragraphs: (text) => verdictOf(c4Paragraphs(text, preset('mc4'))),
  c4_fineweb: (text) => c4Verdict(text, preset('fineweb')),
  bad_words: (text) => verdictOf(hasBadWord(text, badWords) ? 'bad_words' : undefined),
  fineweb: (text) => verdictOf(fineweb(new TextView(text), preset('fineweb'))),
  fineweb2_repetition: (text) => verdictOf(repetition(new TextView(text), language)),
  fineweb2_quality: (text) => verdictOf(gopherQuality(new TextView(text), language)),
  fineweb2_fineweb: (text) => verdictOf(fineweb(new TextView(text), language)),
}

/** How many verdicts are the same, how many each side drops, and some texts on which they are not. */
function agreement(texts: readonly string[], theirs: readonly Record<string, Verdict>[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(filters).map(([name, filter]) => {
      const count = { same: 0, dropped: 0, peer_dropped: 0 }
      const differing: string[] = []
      for (const [i, text] of texts.entries()) {
        const mine = filter(text)
        const given = theirs[i]![name]!
        // A hash has 64 digits; anything else is a reason.
        const other = given === null || /^[0-9a-f]{64}$/.test(given) ? given : DROPPED
        if (mine === DROPPED) count.dropped++
        if (other === DROPPED) count.peer_dropped++
        if (mine === other) count.same++
        else if (differing.length < 5) differing.push(`${i} (theirs: ${given})`)
      }
      say(`${name}: ${count.same} of ${texts.length} the same, ${count.dropped} dropped ${differing.join(', ')}`)
      return [name, { ...count, documents: texts.length }]
    }),
  )
}

function signatures(texts: readonly string[], theirs: readonly Record<string, Verdict>[]): Record<string, number> {
  const hasher = new MinHasher()
  const count = { documents: texts.length, without: 0, same: 0, same_simplified: 0 }
  for (const [i, text] of texts.entries()) {
    if (sha256(simplify(text)) === theirs[i]!.simplified) count.same_simplified++
    // Fewer than five words: none there, one shingle here.
    if (theirs[i]!.signature === null) count.without++
    else {
      const mine = [...(hasher.signature(text) ?? [])].map((hash) => hash.toString(16).padStart(16, '0')).join('')
      if (mine === theirs[i]!.signature) count.same++
    }
  }
  say(`signatures: ${count.same} of ${texts.length - count.without} the same; simplified: ${count.same_simplified}`)
  return count
}

const seconds = (work: () => void): number => {
  const { user, system } = process.cpuUsage()
  work()
  const after = process.cpuUsage()
  return (after.user + after.system - user - system) / 1e6
}

/** Processor time of both sides in turn, the least of the rounds, and its ratio. */
async function times(texts: readonly string[], command: readonly string[]): Promise<Record<string, unknown>> {
  const child = spawn(values.python, [...command, '--interactive'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<Record<string, number>> => JSON.parse((await lines.next()).value as string)
  await next()
  const rules = preset('fineweb')
  const hasher = new MinHasher()
  const kept = (text: string): string | undefined => {
    const judged = judge(new TextView(text), rules)
    return 'reason' in judged ? undefined : judged.text
  }
  const ours: Record<string, () => void> = {
    filters: () => {
      for (const text of texts) kept(text)
    },
    // Ours with its words, against theirs with words that are there before the clock starts.
    filters_with_words_for_nothing: () => {
      for (const text of texts) kept(text)
    },
    minhash: () => {
      for (const text of texts) hasher.signature(text)
    },
    both: () => {
      for (const text of texts.map(kept)) if (text !== undefined) hasher.signature(text)
    },
  }
  const mine = Object.fromEntries(Object.keys(ours).map((name) => [name, [] as number[]]))
  const theirs = Object.fromEntries(Object.keys(ours).map((name) => [name, [] as number[]]))
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const [name, work] of Object.entries(ours)) mine[name]![round] = seconds(work)
    child.stdin.write('\n')
    for (const [name, spent] of Object.entries(await next())) theirs[name]![round] = spent
  }
  child.stdin.end()
  const megabytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6
  return Object.fromEntries(
    Object.keys(ours).map((name) => {
      // The first round warms up.
      const [own, peer] = [Math.min(...mine[name]!.slice(1)), Math.min(...theirs[name]!.slice(1))]
      say(
        `${name}: ${(megabytes / own).toFixed(1)} against ${(megabytes / peer).toFixed(2)} MB/s, ratio ${(own / peer).toFixed(3)}`,
      )
      return [name, { seconds: own, peer_seconds: peer, ratio: own / peer, megabytes_per_second: megabytes / own }]
    }),
  )
}

/** From files to files with one worker, near-duplicates as datatrove has them; a tenth of the documents has a copy with a word changed. */
async function pipeline(texts: readonly string[], command: readonly string[]): Promise<Record<string, unknown>> {
  const random = randomFrom(3)
  const planted = texts.flatMap((text) => {
    if (random() >= 0.1) return [text]
    const words = text.split(' ')
    words[Math.floor(random() * words.length)] = 'ændret'
    return [text, words.join(' ')]
  })
  const file = join(values.out, 'planted.jsonl')
  writeFileSync(file, planted.map((text) => `${JSON.stringify({ text })}\n`).join(''))
  const theirFolder = join(values.out, 'datatrove')
  rmSync(theirFolder, { recursive: true, force: true })
  const [, ...rest] = command
  const child = spawnSync(values.python, [script, file, ...rest.slice(1), 'pipeline', theirFolder], {
    encoding: 'utf8',
  })
  if (child.status !== 0) throw new Error(child.stderr)
  const peer = JSON.parse(child.stdout.trim().split('\n').at(-1)!) as Record<string, number>
  const out = join(values.out, 'ours')
  rmSync(out, { recursive: true, force: true })
  const config = curateConfig({
    inputs: file,
    output_dir: out,
    preset: 'fineweb',
    normalise: { unicode: 'none', whitespace: false },
    pii: { email: false, ip: false },
    dedup: { exact: false, near: 'datatrove' },
  })
  const { user, system } = process.cpuUsage()
  const { summary } = await resultOf(runCurate(config, { workers: 1 }))
  const after = process.cpuUsage()
  const spent = (after.user + after.system - user - system) / 1e6
  const filtered =
    summary!.kept.documents +
    summary!.dropped.filter(({ step }) => step === 'near').reduce((sum, { documents }) => sum + documents, 0)
  const row = {
    documents: planted.length,
    seconds: spent,
    filtered,
    kept: summary!.kept.documents,
    peer,
    ratio: spent / peer.seconds!,
  }
  say(
    `pipeline: kept ${row.kept} of ${filtered} against ${peer.kept} of ${peer.filtered}; ${spent.toFixed(1)} s against ${peer.seconds!.toFixed(1)} s, ratio ${row.ratio.toFixed(3)}`,
  )
  return row
}

mkdirSync(values.out, { recursive: true })
const texts = (await realDocuments(values.data)).filter((_, i) => i % Number(values.every) === 0)
const file = join(values.out, 'documents.jsonl')
writeFileSync(file, texts.map((text) => `${JSON.stringify({ text })}\n`).join(''))
const settings = join(values.out, 'settings.json')
const fineweb2 = { ...language, max_non_alpha_words_ratio: language.min_alpha_words_ratio }
const badWordsFile = fileURLToPath(import.meta.resolve(`naughty-words/${badWords}.json`))
writeFileSync(settings, JSON.stringify({ language: values.language, fineweb2, bad_words: badWordsFile }))
const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
say(`${texts.length} documents, ${(bytes / 1e6).toFixed(1)} MB`)
const command = [script, file, settings, values.words]
const child = spawnSync(values.python, [...command, 'verdicts'], {
  encoding: 'utf8',
  maxBuffer: 1 << 30,
  stdio: ['ignore', 'pipe', 'inherit'],
})
if (child.status !== 0) throw new Error(`${values.python} ${script} failed`)
const theirs = child.stdout
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Record<string, Verdict>)
const result: Record<string, unknown> = {
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.versions.node },
  settings: { ...values, data: values.data.map((path) => path.split('/').slice(-2).join('/')), out: '-', python: '-' },
  documents: texts.length,
  bytes,
}
const target = join(values.out, `peer-${values.words}.json`)
/** After each part, so that what is measured is not lost with what comes after it. */
const add = (part: Record<string, unknown>): void =>
  writeFileSync(target, `${JSON.stringify(Object.assign(result, part), null, 1)}\n`)
add({ verdicts: agreement(texts, theirs), signatures: signatures(texts, theirs) })
// Whose words they are decides what is measured: only the same ones make it a comparison.
if (values.words === 'ours') {
  add({ times: await times(texts, command) })
  add({ pipeline: await pipeline(texts, command) })
}
say(`→ ${target}`)
