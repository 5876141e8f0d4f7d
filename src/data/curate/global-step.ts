// The step that needs all documents: exact duplicates, near-duplicates, texts of evaluations. It reads the signatures of all jobs
// through, as often as its memory makes it necessary, and holds 13 bytes for each document and never more than two texts.

import { join } from 'node:path'
import { Count, turn, type Watch } from '../../work.ts'
import { AllDocuments } from './all-documents.ts'
import type { Candidates, Room } from './candidate-groups.ts'
import { beginning, type Example, Examples } from './examples.ts'
import type { JobManifest } from './job-files.ts'
import { entryBytes, KeyTable, partOf } from './key-table.ts'
import { Ledger } from './ledger.ts'
import { asSet, jaccard, MinHasher } from './minhash.ts'
import { closure, verified } from './near-duplicates.ts'
import type { Job, MapSettings } from './settings.ts'
import { simplifiedWords } from './simplify.ts'

/** Why a document of the jobs is not in the output. */
export const REASON = { kept: 0, exact: 1, near: 2, contamination: 3 } as const

/** Stands for no other. */
const NONE = 0xffff_ffff

/** Bytes for what is compared at a time, beside the numbers of each document. */
const MEMORY_BYTES = 256 << 20

/** What becomes of all documents. */
export interface GlobalResult {
  /** For each document in the order of jobs one of `REASON`. */
  reasons: Uint8Array
  /** For each document that stays the documents that it stands for, itself included. */
  clusterSize: Uint32Array
  ledger: Ledger
  examples: Example[]
  /** Sizes of clusters of near-duplicates from 2 on, and how many there are of each. */
  sizes: [size: number, clusters: number][]
  largest: number
  /** Comparisons that were left out because too many documents share a band. */
  unchecked: number
  /** Items of evaluations of which text was found: 1 + the item → documents. */
  contaminated: [item: number, documents: number][]
}

/** Compares all documents of the jobs. `manifests` are in the order of the jobs. `memoryBytes` changes nothing of what comes out. */
export async function globalStep(
  jobs: readonly Job[],
  manifests: readonly JobManifest[],
  settings: MapSettings,
  out: string,
  watch: Watch = {},
  memoryBytes: number = MEMORY_BYTES,
): Promise<GlobalResult> {
  const all = new AllDocuments(jobs, manifests, settings.dedup.shape.bands, out)
  const { count } = all
  const reasons = new Uint8Array(count)
  /** The document that one goes for. */
  const goesFor = new Uint32Array(count).fill(NONE)
  const ledger = new Ledger()
  const examples = new Examples()
  for (const manifest of manifests) {
    ledger.add(new Ledger(structuredClone(manifest.accounts)))
    for (const example of manifest.examples) examples.keep(example)
  }
  try {
    if (settings.dedup.exact) await markExact(all, reasons, goesFor, memoryBytes, watch)
    let unchecked = 0
    if (settings.dedup.near !== 'none') {
      const room = { memoryBytes, spill: join(out, 'work', 'candidates') }
      unchecked = await markNear(all, settings, reasons, goesFor, room, watch)
    }
    await turn(watch)
    const contaminated = markContaminated(all, reasons)
    account(all, reasons, settings, ledger)
    ledger.check()
    keepExamples(all, reasons, goesFor, examples)
    const clusterSize = new Uint32Array(count)
    const sizes = nearSizes(reasons, goesFor, clusterSize)
    clusterSize.fill(0)
    for (let i = 0; i < count; i++) {
      // A duplicate of one that goes for another counts for that other.
      let at = i
      while (goesFor[at] !== NONE) at = goesFor[at]!
      if (reasons[at] === REASON.kept) clusterSize[at]!++
    }
    return {
      reasons,
      clusterSize,
      ledger,
      examples: examples.all(),
      sizes,
      largest: sizes.at(-1)?.[0] ?? 0,
      unchecked,
      contaminated,
    }
  } finally {
    all.close()
  }
}

/** Of documents with the same text the first in the order of files stays. */
async function markExact(
  all: AllDocuments,
  reasons: Uint8Array,
  goesFor: Uint32Array,
  memoryBytes: number,
  watch: Watch,
): Promise<void> {
  const parts = Math.max(1, Math.ceil((all.count * entryBytes(4)) / memoryBytes))
  const passes = new Count(watch, { label: 'looking for equal texts', unit: 'passes', total: parts })
  const hash = new Uint32Array(4)
  for (let part = 0; part < parts; part++) {
    const table = new KeyTable(4, all.count / parts)
    all.eachHead((document, heads, at) => {
      for (let word = 0; word < 4; word++) hash[word] = heads.hashWord(at, word)
      if (parts > 1 && partOf(hash, 0, parts) !== part) return
      const first = table.firstOf(table.entry(hash, 0, document))
      if (first === document) return
      reasons[document] = REASON.exact
      goesFor[document] = first
    })
    passes.add()
    await turn(watch)
  }
}

/** Returns how many comparisons were left out. */
async function markNear(
  all: AllDocuments,
  { dedup: { near, shape, threshold } }: MapSettings,
  reasons: Uint8Array,
  goesFor: Uint32Array,
  room: Room,
  watch: Watch,
): Promise<number> {
  const candidates: Candidates = {
    count: all.count,
    bands: shape.bands,
    eachKey: (band, visit) => all.eachKey(band, visit),
    has: (document) => reasons[document] === REASON.kept,
    byContent: (documents) => all.byContent(documents),
  }
  const removed: Candidates['has'] = (document) => reasons[document] === REASON.near
  const remove = (document: number, kept: number): void => {
    if (removed(kept)) throw new Error(`near-duplicates: document ${document} goes for ${kept}, which went before`)
    reasons[document] = REASON.near
    goesFor[document] = kept
  }
  if (near === 'datatrove') {
    await closure(candidates, room, remove, watch)
    return 0
  }
  const sets = new ShingleSets(all, new MinHasher(shape))
  const resembles = (document: number, kept: number): boolean => jaccard(sets.of(document), sets.of(kept)) >= threshold
  return await verified(candidates, room, resembles, remove, watch)
}

/** Items that were found in documents that would stay, with how many. */
function markContaminated(all: AllDocuments, reasons: Uint8Array): [item: number, documents: number][] {
  const found = new Map<number, number>()
  all.eachHead((document, heads, at) => {
    const item = heads.field(at, 'contaminated')
    if (item === 0 || reasons[document] !== REASON.kept) return
    found.set(item, (found.get(item) ?? 0) + 1)
    reasons[document] = REASON.contamination
  })
  return [...found].sort(([a], [b]) => a - b)
}

function account(all: AllDocuments, reasons: Uint8Array, settings: MapSettings, ledger: Ledger): void {
  const { exact, near } = settings.dedup
  const steps = [
    ...(exact ? [['exact', REASON.exact] as const] : []),
    ...(near === 'none' ? [] : [['near', REASON.near] as const]),
    ...(settings.contamination === undefined ? [] : [['contamination', REASON.contamination] as const]),
  ]
  all.eachHead((document, heads, at) => {
    const source = settings.sources[heads.field(at, 'source')]!.name
    const [words, bytes] = [heads.field(at, 'words'), heads.field(at, 'bytes')]
    for (const [step, reason] of steps) {
      ledger.enter(source, step, words, bytes)
      if (reasons[document] === reason) {
        ledger.drop(source, step, step, words, bytes)
        break
      }
      ledger.pass(source, step, words, bytes)
    }
  })
}

/** Sizes of clusters of near-duplicates (a document that stays and those that go for it): size → how many. `counts` is used up. */
function nearSizes(reasons: Uint8Array, goesFor: Uint32Array, counts: Uint32Array): [size: number, clusters: number][] {
  for (let i = 0; i < reasons.length; i++) if (reasons[i] === REASON.near) counts[goesFor[i]!]!++
  const sizes = new Map<number, number>()
  for (const others of counts) if (others > 0) sizes.set(others + 1, (sizes.get(others + 1) ?? 0) + 1)
  return [...sizes].sort(([a], [b]) => a - b)
}

/** Examples that a step keeps: those with the smallest hashes. */
const EXAMPLES = 3

function keepExamples(all: AllDocuments, reasons: Uint8Array, goesFor: Uint32Array, examples: Examples): void {
  const least: { document: number; hash: string }[][] = Object.values(REASON).map(() => [])
  all.eachHead((document, heads, at) => {
    const reason = reasons[document]!
    if (reason === REASON.kept) return
    const list = least[reason]!
    const word = (which: number): string => heads.hashWord(at, which).toString(16).padStart(8, '0')
    if (list.length === EXAMPLES && word(0) > list.at(-1)!.hash.slice(0, 8)) return
    list.push({ document, hash: [0, 1, 2, 3].map(word).join('') })
    list.sort((a, b) => (a.hash === b.hash ? a.document - b.document : a.hash < b.hash ? -1 : 1))
    list.length = Math.min(list.length, EXAMPLES)
  })
  for (const step of ['exact', 'near', 'contamination'] as const)
    for (const { document, hash } of least[REASON[step]]!) {
      const of = goesFor[document] === NONE ? undefined : beginning(all.read(goesFor[document]!).text)
      const { text, file, offset, source } = all.read(document)
      examples.keep({
        step,
        reason: step,
        source,
        file,
        offset,
        text: beginning(text),
        hash: hash.slice(0, 16),
        ...(of !== undefined && { of }),
      })
    }
}

/** Numbers of shingles that are held: 64 MB. */
const MOST_HELD = 8 << 20

/** Shingles of documents, the last used ones held. */
class ShingleSets {
  private readonly all: AllDocuments
  private readonly hasher: MinHasher
  private readonly held = new Map<number, Float64Array>()
  private numbers = 0

  constructor(all: AllDocuments, hasher: MinHasher) {
    this.all = all
    this.hasher = hasher
  }

  of(document: number): Float64Array {
    const known = this.held.get(document)
    if (known !== undefined) {
      this.held.delete(document)
      this.held.set(document, known)
      return known
    }
    const set = asSet(this.hasher.shingles(simplifiedWords(this.all.read(document).text)))
    this.held.set(document, set)
    this.numbers += set.length
    for (const [oldest, { length }] of this.held) {
      if (this.numbers <= MOST_HELD || oldest === document) break
      this.held.delete(oldest)
      this.numbers -= length
    }
    return set
  }
}
