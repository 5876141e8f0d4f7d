// Documents that share a key of a band, in groups, and groups that hang together, in batches: what is compared with what. Of each
// document two numbers are held; keys are taken part by part, groups lie in a file, and a batch is as large as the memory allows.

import { closeSync, openSync, readSync, rmSync } from 'node:fs'
import { writeFileInTurns } from '../../files/atomic-write.ts'
import { Count, turn, type Watch } from '../../work.ts'
import { entryBytes, KeyTable, partOf } from './key-table.ts'

/** Documents by number, 0 to count − 1, and their keys. */
export interface Candidates {
  count: number
  bands: number
  /** Visits the keys of a band of all documents in their order: two halves at `at` of `keys`. Those with 0 twice have none. */
  eachKey(band: number, visit: (document: number, keys: Uint32Array, at: number) => void): void
  /** Whether a document is to be compared. */
  has(document: number): boolean
  /** Documents, given in their order, by their content hashes. */
  byContent(documents: Uint32Array): Uint32Array
}

/** What comparing may use. */
export interface Room {
  /** Bytes beside the two numbers of each document. One that hangs together with too many others is not cut. */
  memoryBytes: number
  /** A file for what lies in between. */
  spill: string
}

/** Documents that hang together with no others, by content hash, and the groups of each; groups have numbers from 0 on. */
export interface Batch {
  documents: Uint32Array
  numGroups: number
  /** Calls `visit` for each group of the document at `index` of `documents`. */
  eachGroup(index: number, visit: (group: number) => void): void
  /** Tells that so many more of the documents have been compared. */
  compared(count: number): void
  /** Number of the part of the documents that hang together. */
  componentOf(index: number): number
}

/** Bytes that a batch takes for a document in a group. */
const MEMBER_BYTES = 48
/** Numbers that are put together before they are written. */
const BUFFERED = 1 << 16

/** All batches of documents that share a key with another one. */
export async function* candidateBatches(candidates: Candidates, room: Room, watch: Watch = {}): AsyncGenerator<Batch> {
  try {
    const parent = Uint32Array.from({ length: candidates.count }, (_, i) => i)
    await writeGroups(candidates, room, parent, watch)
    for (let i = 0; i < parent.length; i++) parent[i] = rootOf(parent, i)
    const sizes = new Uint32Array(candidates.count)
    eachMember(room.spill, (document) => sizes[parent[document]!]!++)
    const total = parent.reduce((sum, root) => sum + (sizes[root]! > 0 ? 1 : 0), 0)
    const count = new Count(watch, { label: 'comparing candidates', unit: 'documents', total })
    const compared = (more: number): void => count.add(more)
    for (let from = 0; from < sizes.length; ) {
      let members = 0
      let to = from
      while (to < sizes.length && (members === 0 || (members + sizes[to]!) * MEMBER_BYTES <= room.memoryBytes))
        members += sizes[to++]!
      if (members > 0) yield { ...batchOf(candidates, room.spill, parent, from, to, members), compared }
      from = to
      await turn(watch)
    }
  } finally {
    rmSync(room.spill, { force: true })
  }
}

/** Writes pairs of a document and its group into the spill, and joins what is in one group. */
async function writeGroups(
  { count, bands, eachKey, has }: Candidates,
  { memoryBytes, spill }: Room,
  parent: Uint32Array,
  watch: Watch,
): Promise<void> {
  const parts = Math.max(1, Math.ceil((count * entryBytes(2)) / memoryBytes))
  const passes = new Count(watch, { label: 'looking for near-duplicates', unit: 'passes', total: bands * parts })
  let groups = 0
  await writeFileInTurns(spill, async (sink) => {
    const pairs = new Uint32Array(2 * BUFFERED)
    let length = 0
    const flush = (): void => {
      sink.write(Buffer.from(pairs.buffer, 0, 4 * length))
      length = 0
    }
    const put = (document: number, group: number): void => {
      pairs[length++] = document
      pairs[length++] = group
      if (length === pairs.length) flush()
    }
    for (let band = 0; band < bands; band++)
      for (let part = 0; part < parts; part++) {
        const table = new KeyTable(2, count / parts)
        eachKey(band, (document, keys, at) => {
          if ((keys[at] === 0 && keys[at + 1] === 0) || !has(document)) return
          if (parts > 1 && partOf(keys, at, parts) !== part) return
          const entry = table.entry(keys, at, document)
          const first = table.firstOf(entry)
          if (first === document) return
          if (table.markOf(entry) === 0) {
            table.setMark(entry, ++groups)
            put(first, groups)
          }
          put(document, table.markOf(entry))
          join(parent, first, document)
        })
        passes.add()
        await turn(watch)
      }
    flush()
  })
}

function eachMember(spill: string, visit: (document: number, group: number) => void): void {
  const descriptor = openSync(spill, 'r')
  try {
    const pairs = new Uint32Array(2 * BUFFERED)
    const bytes = Buffer.from(pairs.buffer)
    for (let read = readSync(descriptor, bytes); read > 0; read = readSync(descriptor, bytes))
      for (let i = 0; i < read / 4; i += 2) visit(pairs[i]!, pairs[i + 1]!)
  } finally {
    closeSync(descriptor)
  }
}

/** The documents whose root lies in `from … to`, with their groups. */
function batchOf(
  { byContent }: Candidates,
  spill: string,
  parent: Uint32Array,
  from: number,
  to: number,
  members: number,
): Omit<Batch, 'compared'> {
  const given = new Uint32Array(members)
  const groups = new Uint32Array(members)
  let length = 0
  eachMember(spill, (document, group) => {
    if (parent[document]! < from || parent[document]! >= to) return
    given[length] = document
    groups[length++] = group
  })
  const inOrder = unique(given)
  const known = unique(groups)
  const documents = byContent(inOrder)
  const places = new Uint32Array(documents.length)
  for (const [place, document] of documents.entries()) places[find(inOrder, document)] = place
  const begin = new Uint32Array(documents.length + 1)
  for (let i = 0; i < members; i++) given[i] = places[find(inOrder, given[i]!)]!
  for (let i = 0; i < members; i++) begin[given[i]! + 1]!++
  for (let i = 0; i < documents.length; i++) begin[i + 1]! += begin[i]!
  const filled = begin.slice(0, documents.length)
  const byDocument = new Uint32Array(members)
  for (let i = 0; i < members; i++) byDocument[filled[given[i]!]!++] = find(known, groups[i]!)
  return {
    documents,
    numGroups: known.length,
    eachGroup: (index, visit) => {
      for (let i = begin[index]!; i < begin[index + 1]!; i++) visit(byDocument[i]!)
    },
    componentOf: (index) => parent[documents[index]!]!,
  }
}

/** Each number once, from the smallest on. */
function unique(numbers: Uint32Array): Uint32Array {
  const sorted = numbers.slice().sort()
  let count = 0
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[count++] = sorted[i]!
  return sorted.slice(0, count)
}

/** Place of a number that is there. */
function find(sorted: Uint32Array, number: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < number) low = middle + 1
    else high = middle
  }
  return low
}

function rootOf(parent: Uint32Array, document: number): number {
  let at = document
  while (parent[at] !== at) {
    parent[at] = parent[parent[at]!]!
    at = parent[at]!
  }
  return at
}

function join(parent: Uint32Array, a: number, b: number): void {
  const [x, y] = [rootOf(parent, a), rootOf(parent, b)]
  if (x !== y) parent[Math.max(x, y)] = Math.min(x, y)
}
