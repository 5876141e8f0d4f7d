// What is written of one stretch of a file while it is read: documents that stay, their signatures, bad records, and the accounts.

import { mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { type FileSink, writeFileAtomic } from '../../files/atomic-write.ts'
import { likelyEncoding } from '../read/encoding.ts'
import type { BadStretch } from '../read/formats/read-context.ts'
import { Examples } from './examples.ts'
import type { Quarantined } from './job-files.ts'
import { Ledger } from './ledger.ts'
import type { JobReport } from './read-job.ts'
import { SignatureWriter, type Signed } from './signature-file.ts'

/** Bad records of one piece that are written down one by one; a file that is rubbish has millions, and they are counted all the same. */
const MOST_QUARANTINED = 100_000
/** Bytes of a bad record that are written down; offset and length find the rest. */
const EXCERPT_BYTES = 200
/** Bytes that are put together before they are written. */
const BUFFERED = 1 << 20

/** What a piece gathers beside its documents. */
export class PieceWork implements JobReport {
  readonly ledger: Ledger = new Ledger()
  readonly examples: Examples = new Examples()
  readonly notices: string[] = []
  readonly quarantined: Quarantined[] = []
  /** All of them; the list may end before. */
  private numBad = 0
  private readonly source: string

  constructor(source: string) {
    this.source = source
    this.ledger.source(source)
  }

  notice(message: string): void {
    this.notices.push(message)
  }

  bad({ reason, line, offset, length, detail, bytes }: BadStretch): void {
    this.ledger.quarantine(this.source, reason, length)
    const encoding = bytes === undefined ? undefined : encodingOf(reason, bytes)
    this.numBad++
    if (this.quarantined.length >= MOST_QUARANTINED) return
    // Lossy on purpose: the excerpt is for people, the offset is for tools.
    const excerpt = bytes === undefined ? '' : Buffer.from(bytes.subarray(0, EXCERPT_BYTES)).toString('utf8')
    this.quarantined.push({
      ...(line > 0 && { line }),
      offset,
      length,
      reason,
      ...(detail !== undefined && { detail }),
      ...(encoding !== undefined && { encoding }),
      excerpt,
    })
  }

  /** Writes the bad records of `file` to `path`; nothing lies there where there are none. */
  writeQuarantine(path: string, file: string): void {
    if (this.quarantined.length === 0) {
      rmSync(path, { force: true })
      return
    }
    mkdirSync(dirname(path), { recursive: true })
    const lines = this.quarantined.map((bad) => `${JSON.stringify({ file, ...bad })}\n`)
    const more = this.numBad - this.quarantined.length
    if (more > 0) lines.push(`${JSON.stringify({ file, reason: 'and more', records: more })}\n`)
    writeFileAtomic(path, lines.join(''))
  }
}

/** What a record that is no UTF-8 is perhaps encoded in, as `encoding` takes it. */
function encodingOf(reason: BadStretch['reason'], bytes: Uint8Array): string | undefined {
  if (reason !== 'invalid-utf8' && reason !== 'nul') return undefined
  const likely = likelyEncoding(bytes)
  if (likely === 'UTF-16') return bytes[0] === 0 ? 'UTF-16BE' : 'UTF-16LE'
  return likely === 'UTF-32' ? undefined : likely
}

/** Lines and signatures of the documents that stay, put together before they are written. */
export class PieceOutput {
  documents = 0
  private readonly lines: FileSink
  private readonly signatures: SignatureWriter
  private pieces: Buffer[] = []
  private buffered = 0
  private offset = 0

  constructor(lines: FileSink, signatures: FileSink, bands: number) {
    this.lines = lines
    this.signatures = new SignatureWriter(signatures, bands)
  }

  add(row: object, signed: Omit<Signed, 'offset' | 'length'>): void {
    const line = Buffer.from(`${JSON.stringify(row)}\n`)
    this.signatures.add({ ...signed, offset: this.offset, length: line.length })
    this.pieces.push(line)
    this.offset += line.length
    this.buffered += line.length
    this.documents++
    if (this.buffered > BUFFERED) this.flush()
  }

  /** To be called at the end. */
  end(): void {
    this.flush()
    this.signatures.flush()
  }

  private flush(): void {
    this.lines.write(Buffer.concat(this.pieces))
    this.pieces = []
    this.buffered = 0
  }
}
