// The documents of all jobs under one numbering, in the order of jobs and pieces. Nothing of them is held: heads and keys are read
// through, and texts where they lie.

import { closeSync, openSync, readSync } from 'node:fs'
import { type JobManifest, jobFiles } from './job-files.ts'
import type { Job } from './settings.ts'
import { type Heads, SignatureFile } from './signature-file.ts'

/** What is read of a document's line. */
export interface StoredDocument {
  text: string
  file: string
  offset: number
  source: string
}

interface Piece {
  begin: number
  documents: number
  lines: string
  signatures: SignatureFile
}

/** Far fewer than a process may have open. */
const MOST_OPEN = 64

/** All documents, 0 to `count` − 1. */
export class AllDocuments {
  readonly count: number = 0
  readonly pieces: readonly Piece[]
  private open: { piece: Piece; descriptor: number }[] = []

  /** `manifests` are in the order of the jobs. CheckpointError where a file is not the one that its manifest tells of. */
  constructor(jobs: readonly Job[], manifests: readonly JobManifest[], bands: number, out: string) {
    const pieces: Piece[] = []
    for (const [i, manifest] of manifests.entries())
      for (const [number, { documents, signatures }] of manifest.pieces.entries()) {
        const files = jobFiles(out, jobs[i]!.index, number)
        const file = new SignatureFile(files.signatures, documents, bands)
        file.check(signatures)
        pieces.push({ begin: this.count, documents, lines: files.lines, signatures: file })
        this.count += documents
      }
    this.pieces = pieces
  }

  /** Visits the heads of all documents in their order. */
  eachHead(visit: (document: number, heads: Heads, at: number) => void): void {
    for (const { begin, signatures } of this.pieces) {
      let document = begin
      for (const heads of signatures.heads()) for (let at = 0; at < heads.count; at++) visit(document++, heads, at)
    }
  }

  /** Visits the keys of a band of all documents in their order, the two halves at `at` of `keys`; both are 0 where there is none. */
  eachKey(band: number, visit: (document: number, keys: Uint32Array, at: number) => void): void {
    for (const { begin, signatures } of this.pieces) {
      let document = begin
      for (const keys of signatures.keys(band)) for (let at = 0; at < keys.length; at += 2) visit(document++, keys, at)
    }
  }

  /** Documents, given in their order, by their content hashes; those of the same text in their order. */
  byContent(documents: Uint32Array): Uint32Array {
    const hashes = new Uint32Array(4 * documents.length)
    let next = 0
    for (const { begin, documents: size, signatures } of this.pieces) {
      if (next === documents.length) break
      if (documents[next]! >= begin + size) continue
      let first = begin
      for (const heads of signatures.heads()) {
        for (; next < documents.length && documents[next]! < first + heads.count; next++)
          for (let word = 0; word < 4; word++) hashes[4 * next + word] = heads.hashWord(documents[next]! - first, word)
        first += heads.count
      }
    }
    const order = Uint32Array.from(documents, (_, i) => i).sort((a, b) => {
      for (let word = 0; word < 4; word++) {
        const difference = hashes[4 * a + word]! - hashes[4 * b + word]!
        if (difference !== 0) return difference
      }
      return a - b
    })
    return order.map((i) => documents[i]!)
  }

  /** The line of a document. */
  read(document: number): StoredDocument {
    const piece = this.pieceOf(document)
    const head = piece.signatures.head(document - piece.begin)
    const bytes = Buffer.alloc(head.field(0, 'length'))
    readSync(this.descriptor(piece), bytes, 0, bytes.length, head.offset(0))
    return JSON.parse(bytes.toString('utf8')) as StoredDocument
  }

  close(): void {
    for (const { descriptor } of this.open) closeSync(descriptor)
    this.open = []
  }

  private pieceOf(document: number): Piece {
    let low = 0
    let high = this.pieces.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.pieces[middle]!.begin <= document) low = middle
      else high = middle - 1
    }
    return this.pieces[low]!
  }

  private descriptor(piece: Piece): number {
    const known = this.open.find((each) => each.piece === piece)
    if (known !== undefined) return known.descriptor
    if (this.open.length >= MOST_OPEN) closeSync(this.open.shift()!.descriptor)
    const descriptor = openSync(piece.lines, 'r')
    this.open.push({ piece, descriptor })
    return descriptor
  }
}
