// The step that needs all documents: exact duplicates, near-duplicates, texts of evaluations. It reads the signatures of all jobs, holds
// some 60 bytes for each document and never more than two texts.

import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { CheckpointError } from '../../errors.ts'
import { turn, type Watch } from '../../work.ts'
import { beginning, type Example, Examples } from './examples.ts'
import { Ledger } from './ledger.ts'
import { type JobManifest, jobFiles } from './map-job.ts'
import { asSet, jaccard, MinHasher } from './minhash.ts'
import { type Candidates, closure, clusterSizes, KEPT, type Removed, verified } from './near-duplicates.ts'
import type { Job, MapSettings } from './settings.ts'
import { recordBytes, SignedRecords } from './signature-file.ts'
import { simplifiedWords } from './simplify.ts'

/** Why a document of the jobs is not in the output. */
export const REASON = { kept: 0, exact: 1, near: 2, contamination: 3 } as const

/** What becomes of all documents. */
export interface GlobalResult {
  /** For each document in the order of jobs one of `REASON`. */
  reasons: Uint8Array
  /** For each document that stays the documents that it stands for, itself included. */
  clusterSize: Uint32Array
  /** Where each job's documents begin among all. */
  begins: readonly number[]
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

/** Compares all documents of the jobs. `manifests` are in the order of the jobs. */
export async function globalStep(
  jobs: readonly Job[],
  manifests: readonly JobManifest[],
  settings: MapSettings,
  out: string,
  watch: Watch = {},
): Promise<GlobalResult> {
  const all = new AllDocuments(jobs, manifests, settings.dedup.shape.bands, out)
  const { count } = all
  const reasons = new Uint8Array(count)
  const standsFor = new Uint32Array(count).fill(KEPT)
  const ledger = new Ledger()
  for (const { accounts } of manifests) ledger.add(new Ledger(structuredClone(accounts)))
  const examples = new Examples()
  for (const manifest of manifests) for (const example of manifest.examples) examples.keep(example)
  const texts = new Texts(all, jobs, out)
  try {
    const label = (what: string): void => watch.tell?.({ type: 'progress', label: what, done: 0, unit: 'documents' })
    const { exact, near, shape, threshold } = settings.dedup
    if (exact) {
      label('exact duplicates')
      markExact(all, reasons, standsFor)
    }
    await turn(watch)
    let removed: Removed = new Uint32Array(0)
    let unchecked = 0
    if (near !== 'none') {
      label('near-duplicates')
      const candidates: Candidates = {
        count,
        bands: shape.bands,
        keys: (band) => all.keys(band),
        has: (document) => all.hasKeys[document] === 1 && reasons[document] === REASON.kept,
        compare: (a, b) => all.compare(a, b),
      }
      if (near === 'datatrove') removed = closure(candidates)
      else {
        const hasher = new MinHasher(shape)
        const sets = new ShingleSets(texts, hasher)
        const found = verified(candidates, (document, kept) => jaccard(sets.of(document), sets.of(kept)) >= threshold)
        removed = found.removed
        unchecked = found.unchecked
      }
      for (let i = 0; i < count; i++) {
        if (removed[i] === KEPT) continue
        reasons[i] = REASON.near
        standsFor[i] = removed[i]!
      }
    }
    await turn(watch)
    const contaminated = new Map<number, number>()
    for (let i = 0; i < count; i++) {
      const item = all.contaminated[i]!
      if (item === 0 || reasons[i] !== REASON.kept) continue
      contaminated.set(item, (contaminated.get(item) ?? 0) + 1)
      reasons[i] = REASON.contamination
    }
    account(all, reasons, settings, ledger)
    ledger.check()
    for (const [step, reason] of [
      ['exact', REASON.exact],
      ['near', REASON.near],
      ['contamination', REASON.contamination],
    ] as const)
      for (const i of all.smallest(reasons, reason)) {
        const of = standsFor[i] === KEPT ? undefined : beginning(texts.read(standsFor[i]!).text)
        const { text, file, offset, source } = texts.read(i)
        const hash = all.hashOf(i)
        examples.keep({
          step,
          reason: step,
          source,
          file,
          offset,
          text: beginning(text),
          hash,
          ...(of !== undefined && { of }),
        })
      }
    const sizes = [...clusterSizes(removed)]
    return {
      reasons,
      clusterSize: sizesOf(standsFor, reasons),
      begins: all.begins,
      ledger,
      examples: examples.all(),
      sizes,
      largest: sizes.at(-1)?.[0] ?? 0,
      unchecked,
      contaminated: [...contaminated].sort(([a], [b]) => a - b),
    }
  } finally {
    texts.close()
  }
}

/** What is held of all documents: hashes and a few numbers each; keys of one band at a time. */
class AllDocuments {
  readonly count: number
  readonly begins: number[] = []
  readonly hasKeys: Uint8Array
  readonly contaminated: Uint32Array
  readonly sources: Uint16Array
  readonly words: Uint32Array
  readonly bytes: Uint32Array
  readonly offsets: Float64Array
  readonly lengths: Uint32Array
  /** Four numbers a document. */
  private readonly hashes: Uint32Array
  private readonly files: string[]
  private readonly bands: number
  private readonly manifests: readonly JobManifest[]
  private held: { band: number; low: Uint32Array; high: Uint32Array } | undefined

  constructor(jobs: readonly Job[], manifests: readonly JobManifest[], bands: number, out: string) {
    this.count = manifests.reduce((sum, { documents }) => sum + documents, 0)
    this.bands = bands
    this.manifests = manifests
    this.files = jobs.map(({ index }) => jobFiles(out, index).signatures)
    const { count } = this
    this.hasKeys = new Uint8Array(count)
    this.contaminated = new Uint32Array(count)
    this.sources = new Uint16Array(count)
    this.words = new Uint32Array(count)
    this.bytes = new Uint32Array(count)
    this.offsets = new Float64Array(count)
    this.lengths = new Uint32Array(count)
    this.hashes = new Uint32Array(4 * count)
    let at = 0
    for (const [i, manifest] of manifests.entries()) {
      this.begins.push(at)
      const records = this.records(i, true)
      for (let record = 0; record < manifest.documents; record++, at++) {
        this.hasKeys[at] = records.hasKeys(record) ? 1 : 0
        this.contaminated[at] = records.field(record, 'contaminated')
        this.sources[at] = records.field(record, 'source')
        this.words[at] = records.field(record, 'words')
        this.bytes[at] = records.field(record, 'bytes')
        this.lengths[at] = records.field(record, 'length')
        this.offsets[at] = records.offset(record)
        for (let word = 0; word < 4; word++) this.hashes[4 * at + word] = records.hashWord(record, word)
      }
    }
  }

  /** Keys of a band, read anew for each band. */
  keys(band: number): { low: Uint32Array; high: Uint32Array } {
    if (this.held?.band === band) return this.held
    const low = this.held?.low ?? new Uint32Array(this.count)
    const high = this.held?.high ?? new Uint32Array(this.count)
    let at = 0
    for (const [i, { documents }] of this.manifests.entries()) {
      const records = this.records(i, false)
      for (let record = 0; record < documents; record++, at++) {
        low[at] = records.key(record, band, 0)
        high[at] = records.key(record, band, 1)
      }
    }
    this.held = { band, low, high }
    return this.held
  }

  /** By content hash; documents of the same text in their order. */
  compare(a: number, b: number): number {
    for (let word = 0; word < 4; word++) {
      const difference = this.hashes[4 * a + word]! - this.hashes[4 * b + word]!
      if (difference !== 0) return difference
    }
    return a - b
  }

  sameText(a: number, b: number): boolean {
    for (let word = 0; word < 4; word++) if (this.hashes[4 * a + word] !== this.hashes[4 * b + word]) return false
    return true
  }

  hashWord(document: number, word: number): number {
    return this.hashes[4 * document + word]!
  }

  hashOf(document: number): string {
    return [0, 1].map((word) => this.hashWord(document, word).toString(16).padStart(8, '0')).join('')
  }

  /** The few documents of a reason with the smallest hashes. */
  smallest(reasons: Uint8Array, reason: number): number[] {
    const found: number[] = []
    for (let i = 0; i < this.count; i++) {
      if (reasons[i] !== reason) continue
      found.push(i)
      if (found.length < 64) continue
      found.sort((a, b) => this.compare(a, b))
      found.length = 3
    }
    return found.sort((a, b) => this.compare(a, b)).slice(0, 3)
  }

  private records(job: number, checks: boolean): SignedRecords {
    const file = this.files[job]!
    const bytes = readFileSync(file)
    const { signatures, documents } = this.manifests[job]!
    const isRight =
      bytes.length === signatures.bytes &&
      bytes.length === documents * recordBytes(this.bands) &&
      (!checks || createHash('sha256').update(bytes).digest('hex') === signatures.sha256)
    if (!isRight) {
      throw new CheckpointError(
        `signatures in ${file}: expected what its manifest says, got something else. Delete it and run the same command again`,
      )
    }
    return new SignedRecords(bytes, this.bands, file)
  }
}

/** Of documents with the same text the first in the order of files stays. */
function markExact(all: AllDocuments, reasons: Uint8Array, standsFor: Uint32Array): void {
  let size = 16
  while (size < 2 * all.count) size *= 2
  const slots = new Uint32Array(size)
  for (let document = 0; document < all.count; document++) {
    let slot = all.hashWord(document, 0) & (size - 1)
    while (slots[slot] !== 0 && !all.sameText(slots[slot]! - 1, document)) slot = (slot + 1) & (size - 1)
    if (slots[slot] === 0) slots[slot] = document + 1
    else {
      reasons[document] = REASON.exact
      standsFor[document] = slots[slot]! - 1
    }
  }
}

/** Documents that each one stands for. A duplicate of one that goes for another counts for that other. */
function sizesOf(standsFor: Uint32Array, reasons: Uint8Array): Uint32Array {
  const sizes = new Uint32Array(standsFor.length)
  for (let i = 0; i < standsFor.length; i++) {
    let at = i
    while (standsFor[at] !== KEPT) at = standsFor[at]!
    if (reasons[at] === REASON.kept) sizes[at]!++
  }
  return sizes
}

function account(all: AllDocuments, reasons: Uint8Array, settings: MapSettings, ledger: Ledger): void {
  const { exact, near } = settings.dedup
  const steps = [
    ...(exact ? [['exact', REASON.exact] as const] : []),
    ...(near === 'none' ? [] : [['near', REASON.near] as const]),
    ...(settings.contamination === undefined ? [] : [['contamination', REASON.contamination] as const]),
  ]
  for (let i = 0; i < all.count; i++) {
    const source = settings.sources[all.sources[i]!]!.name
    const [words, bytes] = [all.words[i]!, all.bytes[i]!]
    for (const [step, reason] of steps) {
      ledger.enter(source, step, words, bytes)
      if (reasons[i] === reason) {
        ledger.drop(source, step, step, words, bytes)
        break
      }
      ledger.pass(source, step, words, bytes)
    }
  }
}

/** What is read of a document's line. */
interface StoredDocument {
  text: string
  file: string
  offset: number
  source: string
}

/** Documents by number, read where they lie. */
class Texts {
  private readonly all: AllDocuments
  private readonly jobs: readonly Job[]
  private readonly out: string
  private open: { job: number; descriptor: number }[] = []

  constructor(all: AllDocuments, jobs: readonly Job[], out: string) {
    this.all = all
    this.jobs = jobs
    this.out = out
  }

  read(document: number): StoredDocument {
    const job = this.jobOf(document)
    const bytes = Buffer.alloc(this.all.lengths[document]!)
    readSync(this.descriptor(job), bytes, 0, bytes.length, this.all.offsets[document]!)
    return JSON.parse(bytes.toString('utf8')) as StoredDocument
  }

  close(): void {
    for (const { descriptor } of this.open) closeSync(descriptor)
    this.open = []
  }

  private jobOf(document: number): number {
    const { begins } = this.all
    let low = 0
    let high = begins.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (begins[middle]! <= document) low = middle
      else high = middle - 1
    }
    return low
  }

  private descriptor(job: number): number {
    const known = this.open.find((each) => each.job === job)
    if (known !== undefined) return known.descriptor
    // Far fewer than a process may have open.
    if (this.open.length >= 64) closeSync(this.open.shift()!.descriptor)
    const descriptor = openSync(jobFiles(this.out, this.jobs[job]!.index).lines, 'r')
    this.open.push({ job, descriptor })
    return descriptor
  }
}

/** Shingles of documents, the last used ones held. */
class ShingleSets {
  private readonly texts: Texts
  private readonly hasher: MinHasher
  private readonly held = new Map<number, Float64Array>()
  private numbers = 0

  constructor(texts: Texts, hasher: MinHasher) {
    this.texts = texts
    this.hasher = hasher
  }

  of(document: number): Float64Array {
    const known = this.held.get(document)
    if (known !== undefined) {
      this.held.delete(document)
      this.held.set(document, known)
      return known
    }
    const set = asSet(this.hasher.shingles(simplifiedWords(this.texts.read(document).text)))
    this.held.set(document, set)
    this.numbers += set.length
    // 64 MB.
    for (const [oldest, { length }] of this.held) {
      if (this.numbers <= 8 << 20 || oldest === document) break
      this.held.delete(oldest)
      this.numbers -= length
    }
    return set
  }
}
