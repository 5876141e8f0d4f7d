// What a job leaves in the folder of a curation: its documents and their signatures in pieces, bad records, and a manifest that says
// that all of it is there. A large file that takes long has a manifest for each piece until it is done, so that a job that was stopped
// goes on at the next piece.

import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import type { Example } from './examples.ts'
import { Examples } from './examples.ts'
import type { Seen } from './job-records.ts'
import { Ledger, type SourceAccount } from './ledger.ts'

/** A record that could not be read, as it is written down. Offsets are bytes of the unpacked file. */
export interface Quarantined {
  line?: number
  offset: number
  length: number
  reason: string
  detail?: string
  /** What it is perhaps encoded in. */
  encoding?: string
  excerpt: string
}

/** Size and hash of a file. */
export interface FileMark {
  bytes: number
  sha256: string
}

/** What reading a stretch of a file gave, and two files of it. */
export interface PieceManifest {
  plan: string
  job: number
  file: string
  /** What the reader has given from the beginning of the file to the end of the piece. */
  seen: Seen
  /** Whether the file ends with it. */
  isLast: boolean
  documents: number
  accounts: Record<string, SourceAccount>
  examples: Example[]
  notices: string[]
  /** The first bad record, for a message. */
  firstBad?: Quarantined & { file: string }
  lines: FileMark
  signatures: FileMark
}

/** What a job left. */
export interface JobManifest extends Omit<PieceManifest, 'seen' | 'isLast' | 'lines' | 'signatures'> {
  pieces: { documents: number; lines: FileMark; signatures: FileMark }[]
}

/** Folders that jobs write into. */
export const WORK_FOLDERS: readonly string[] = ['work', 'quarantine']

/** Names of what a job writes for a piece; the manifest of the job has no piece. */
export function jobFiles(
  out: string,
  index: number,
  piece = 0,
): Record<'lines' | 'signatures' | 'manifest' | 'quarantine' | 'piece', string> {
  const job = String(index).padStart(6, '0')
  const name = piece === 0 ? job : `${job}.${piece}`
  return {
    lines: join(out, 'work', `${name}.jsonl`),
    signatures: join(out, 'work', `${name}.signatures`),
    manifest: join(out, 'work', `${job}.json`),
    piece: join(out, 'work', `${job}.${piece}.piece.json`),
    quarantine: join(out, 'quarantine', `${name}.jsonl`),
  }
}

/** The manifest of a job that is done for this plan, its files being there; undefined for any other. */
export function doneJob(out: string, index: number, plan: string): JobManifest | undefined {
  const done = readManifest<JobManifest>(jobFiles(out, index).manifest)
  if (done?.plan !== plan || !Array.isArray(done.pieces)) return undefined
  return done.pieces.every((piece, number) => isThere(out, index, number, piece)) ? done : undefined
}

/** The pieces of a job that are there for this plan, from the first on without a gap. */
export function donePieces(out: string, index: number, plan: string): PieceManifest[] {
  const pieces: PieceManifest[] = []
  for (;;) {
    const piece = readManifest<PieceManifest>(jobFiles(out, index, pieces.length).piece)
    if (piece?.plan !== plan || !isThere(out, index, pieces.length, piece)) return pieces
    pieces.push(piece)
    if (piece.isLast) return pieces
  }
}

/** Writes down that a piece is there. */
export function markPiece(out: string, number: number, piece: PieceManifest): void {
  writeFileAtomic(jobFiles(out, piece.job, number).piece, `${JSON.stringify(piece)}\n`)
}

/** Makes one manifest of those of all pieces, which then go. */
export function markJob(out: string, pieces: readonly PieceManifest[]): JobManifest {
  const [{ plan, job, file }] = pieces as [PieceManifest]
  const ledger = new Ledger()
  const examples = new Examples()
  for (const piece of pieces) {
    ledger.add(new Ledger(structuredClone(piece.accounts)))
    for (const example of piece.examples) examples.keep(example)
  }
  ledger.check()
  const firstBad = pieces.find((piece) => piece.firstBad !== undefined)?.firstBad
  const manifest: JobManifest = {
    plan,
    job,
    file,
    documents: pieces.reduce((sum, { documents }) => sum + documents, 0),
    accounts: ledger.sources,
    examples: examples.all(),
    notices: pieces.flatMap(({ notices }) => notices),
    ...(firstBad !== undefined && { firstBad }),
    pieces: pieces.map(({ documents, lines, signatures }) => ({ documents, lines, signatures })),
  }
  writeFileAtomic(jobFiles(out, job).manifest, `${JSON.stringify(manifest)}\n`)
  for (const number of pieces.keys()) rmSync(jobFiles(out, job, number).piece, { force: true })
  return manifest
}

function isThere(
  out: string,
  job: number,
  piece: number,
  { lines, signatures }: JobManifest['pieces'][number],
): boolean {
  const files = jobFiles(out, job, piece)
  const size = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? -1
  return size(files.lines) === lines.bytes && size(files.signatures) === signatures.bytes
}

function readManifest<T>(file: string): T | undefined {
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch {
    return undefined
  }
}
