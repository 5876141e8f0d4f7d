// One job: records → documents that are kept so far, with what is needed to compare them with all others. Depends on the file and the
// settings alone, never on other jobs, so that any number of workers or machines give the same, and one that died is simply done again.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type FileSink, writeFileAtomic, writeFileInTurns } from '../../files/atomic-write.ts'
import type { LanguageIdentifier } from '../language/identifier.ts'
import { openLanguageIdentifier } from '../language/identify-language.ts'
import { likelyEncoding } from '../read/encoding.ts'
import type { BadStretch } from '../read/formats/read-context.ts'
import { ContaminationIndex } from './contamination.ts'
import { type Example, Examples } from './examples.ts'
import { languageOf } from './language.ts'
import { Ledger, type SourceAccount, type Step } from './ledger.ts'
import { MinHasher } from './minhash.ts'
import { normalise } from './normalise.ts'
import { maskPii } from './pii.ts'
import { judge } from './quality.ts'
import { type JobRecord, type JobReport, readJob } from './read-job.ts'
import type { Job, MapSettings, SourceSettings } from './settings.ts'
import { encodeSigned } from './signature-file.ts'
import { simplifiedWords } from './simplify.ts'
import { TextView } from './text-view.ts'

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

/** What a job left: its accounts, and the size and hash of each file. */
export interface JobManifest {
  plan: string
  job: number
  file: string
  documents: number
  accounts: Record<string, SourceAccount>
  examples: Example[]
  notices: string[]
  /** The first bad record, for a message. */
  firstBad?: Quarantined & { file: string }
  lines: { bytes: number; sha256: string }
  signatures: { bytes: number; sha256: string }
}

/** Names of what a job writes. */
export function jobFiles(
  out: string,
  index: number,
): Record<'lines' | 'signatures' | 'manifest' | 'quarantine', string> {
  const name = String(index).padStart(6, '0')
  return {
    lines: join(out, 'work', `${name}.jsonl`),
    signatures: join(out, 'work', `${name}.signatures`),
    manifest: join(out, 'work', `${name}.json`),
    quarantine: join(out, 'quarantine', `${name}.jsonl`),
  }
}

/** The manifest of a job that is done for this plan, its files being there; undefined for any other. */
export function doneJob(out: string, index: number, plan: string): JobManifest | undefined {
  const { lines, signatures, manifest } = jobFiles(out, index)
  if (!existsSync(manifest)) return undefined
  try {
    const done = JSON.parse(readFileSync(manifest, 'utf8')) as JobManifest
    const isWhole =
      done.plan === plan &&
      statSync(lines).size === done.lines.bytes &&
      statSync(signatures).size === done.signatures.bytes
    return isWhole ? done : undefined
  } catch {
    return undefined
  }
}

/** Bad records of one job that are written down one by one; a file that is rubbish has millions, and they are counted all the same. */
const MOST_QUARANTINED = 100_000
/** Bytes of a bad record that are written down; offset and length find the rest. */
const EXCERPT_BYTES = 200
/** Bytes that are put together before they are written. */
const BUFFERED = 1 << 20

/** Does jobs with one set of settings; keeps what is costly to make. */
export class Mapper {
  private readonly settings: MapSettings
  private readonly hasher: MinHasher
  private readonly index: ContaminationIndex | undefined
  private readonly identifier: LanguageIdentifier | undefined
  private readonly lineRules: RegExp[][]
  private readonly documentRules: RegExp[][]

  private constructor(
    settings: MapSettings,
    hasher: MinHasher,
    index: ContaminationIndex | undefined,
    identifier: LanguageIdentifier | undefined,
  ) {
    this.settings = settings
    this.hasher = hasher
    this.index = index
    this.identifier = identifier
    const compiled = (patterns: readonly string[]): RegExp[] => patterns.map((pattern) => new RegExp(pattern, 'u'))
    this.lineRules = settings.sources.map(({ dropLines }) => compiled(dropLines))
    this.documentRules = settings.sources.map(({ dropDocuments }) => compiled(dropDocuments))
  }

  static async create(settings: MapSettings): Promise<Mapper> {
    const hasher = new MinHasher(settings.dedup.shape)
    const { contamination } = settings
    const index = contamination === undefined ? undefined : await ContaminationIndex.read(contamination)
    const { language } = settings
    const identifier = language === undefined ? undefined : await openLanguageIdentifier(language.identifier)
    return new Mapper(settings, hasher, index, identifier)
  }

  /** Does a job, unless it is done, and returns its manifest. `progress` hears of bytes of records. */
  async run(job: Job, out: string, progress: (bytes: number) => void = () => {}): Promise<JobManifest> {
    const done = doneJob(out, job.index, this.settings.plan)
    if (done !== undefined) {
      progress(job.size)
      return done
    }
    const files = jobFiles(out, job.index)
    mkdirSync(join(out, 'work'), { recursive: true })
    rmSync(files.manifest, { force: true })
    const source = this.settings.sources[job.source]!
    const work = new JobWork(source)
    let signatures: { size: number; sha256: string } | undefined
    const lines = await writeFileInTurns(files.lines, async (lineSink) => {
      signatures = await writeFileInTurns(files.signatures, async (signatureSink) => {
        const output = new Output(lineSink, signatureSink, this.settings.dedup.shape.bands)
        for await (const record of readJob(job, source, work)) {
          progress(record.recordBytes)
          this.document(record, job, source, work, output)
        }
        output.flush()
        work.documents = output.documents
      })
    })
    this.writeQuarantine(files.quarantine, out, job, work)
    work.ledger.check()
    const manifest: JobManifest = {
      plan: this.settings.plan,
      job: job.index,
      file: job.file,
      documents: work.documents,
      accounts: work.ledger.sources,
      examples: work.examples.all(),
      notices: work.notices,
      ...(work.quarantined.length > 0 && { firstBad: { file: job.file, ...work.quarantined[0]! } }),
      lines: { bytes: lines.size, sha256: lines.sha256 },
      signatures: { bytes: signatures!.size, sha256: signatures!.sha256 },
    }
    writeFileAtomic(files.manifest, `${JSON.stringify(manifest)}\n`)
    return manifest
  }

  private writeQuarantine(path: string, out: string, { file }: Job, work: JobWork): void {
    if (work.quarantined.length === 0) {
      rmSync(path, { force: true })
      return
    }
    mkdirSync(join(out, 'quarantine'), { recursive: true })
    const lines = work.quarantined.map((bad) => `${JSON.stringify({ file, ...bad })}\n`)
    const more = work.numBad - work.quarantined.length
    if (more > 0) lines.push(`${JSON.stringify({ file, reason: 'and more', records: more })}\n`)
    writeFileAtomic(path, lines.join(''))
  }

  /** Takes one document through the steps. */
  private document(record: JobRecord, job: Job, source: SourceSettings, work: JobWork, output: Output): undefined {
    const { settings } = this
    const { name } = source
    const { ledger } = work
    const rawBytes = Buffer.byteLength(record.text)
    let text = normalise(record.text, settings.normalise)
    let view = new TextView(text)
    let bytes = Buffer.byteLength(text)
    ledger.read(name, record.recordBytes)
    ledger.enter(name, 'read', view.count, rawBytes)
    ledger.pass(name, 'read', view.count, rawBytes)
    const drop = (step: Step, reason: string): undefined => {
      ledger.drop(name, step, reason, view.count, bytes)
      work.examples.add({ step, reason, source: name, file: job.file, offset: record.offset }, text)
    }
    const setText = (next: string): void => {
      if (next === text) return
      text = next
      view = new TextView(text)
      bytes = Buffer.byteLength(text)
    }
    ledger.enter(name, 'normalise', view.count, rawBytes)
    if (view.count === 0) return drop('normalise', 'empty')
    ledger.pass(name, 'normalise', view.count, bytes)

    const lineRules = this.lineRules[job.source]!
    const documentRules = this.documentRules[job.source]!
    if (lineRules.length > 0 || documentRules.length > 0) {
      ledger.enter(name, 'source', view.count, bytes)
      if (documentRules.some((rule) => rule.test(text))) return drop('source', 'drop_documents')
      if (lineRules.length > 0) {
        const lines = text.split('\n')
        const kept = lines.filter((line) => !lineRules.some((rule) => rule.test(line)))
        if (kept.length < lines.length) {
          ledger.change(name, 'drop_lines', lines.length - kept.length)
          setText(normalise(kept.join('\n'), settings.normalise))
        }
        if (view.count === 0) return drop('source', 'empty')
      }
      ledger.pass(name, 'source', view.count, bytes)
    }

    let language: { language: string; language_score: number } | undefined
    if (settings.language !== undefined) {
      ledger.enter(name, 'language', view.count, bytes)
      const found = languageOf(text, this.identifier!, settings.language)
      language = { language: found.language, language_score: Math.round(found.score * 1e4) / 1e4 }
      if (found.reason !== undefined) return drop('language', found.reason)
      ledger.pass(name, 'language', view.count, bytes)
    }

    ledger.enter(name, 'quality', view.count, bytes)
    const judged = judge(view, source.rules)
    if ('reason' in judged) return drop('quality', judged.reason)
    if (judged.linesDropped > 0) ledger.change(name, 'c4_lines', judged.linesDropped)
    if (judged.view !== view) {
      text = judged.text
      view = judged.view
      bytes = Buffer.byteLength(text)
    }
    ledger.pass(name, 'quality', view.count, bytes)

    ledger.enter(name, 'pii', view.count, bytes)
    const masked = maskPii(text, settings.pii)
    for (const [kind, count] of Object.entries(masked.counts)) ledger.change(name, `pii_${kind}`, count)
    setText(masked.text)
    ledger.pass(name, 'pii', view.count, bytes)

    const hash = createHash('sha256').update(text).digest()
    const row = {
      id: hash.toString('hex', 0, 16),
      text,
      source: name,
      file: job.file,
      offset: record.offset,
      ...language,
      ...(source.licence !== undefined && { licence: source.licence }),
      ...record.fields,
    }
    output.add(row, {
      hash: hash.subarray(0, 16),
      words: view.count,
      bytes,
      contaminated: this.index?.find(text) ?? 0,
      source: job.source,
      keys: settings.dedup.near === 'none' ? undefined : this.hasher.bandKeys(simplifiedWords(text)),
    })
    return undefined
  }
}

/** What a job gathers beside its documents. */
class JobWork implements JobReport {
  readonly ledger = new Ledger()
  readonly examples = new Examples()
  readonly notices: string[] = []
  readonly quarantined: Quarantined[] = []
  /** All of them; the list may end before. */
  numBad = 0
  documents = 0
  private readonly source: string

  constructor({ name }: SourceSettings) {
    this.source = name
    this.ledger.source(name)
  }

  notice(message: string): void {
    this.notices.push(message)
  }

  bad({ reason, line, offset, length, detail, bytes }: BadStretch): void {
    this.ledger.quarantine(this.source, reason, length)
    const encoding = reason === 'invalid-utf8' && bytes !== undefined ? likelyEncoding(bytes) : undefined
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
}

/** Lines and signatures of the documents that stay, put together in pieces. */
class Output {
  documents = 0
  private readonly lines: FileSink
  private readonly signatures: FileSink
  private readonly bands: number
  private pieces: Buffer[] = []
  private records: Uint8Array[] = []
  private buffered = 0
  private offset = 0

  constructor(lines: FileSink, signatures: FileSink, bands: number) {
    this.lines = lines
    this.signatures = signatures
    this.bands = bands
  }

  add(row: object, signed: Omit<Parameters<typeof encodeSigned>[0], 'offset' | 'length'>): void {
    const line = Buffer.from(`${JSON.stringify(row)}\n`)
    this.records.push(encodeSigned({ ...signed, offset: this.offset, length: line.length }, this.bands))
    this.pieces.push(line)
    this.offset += line.length
    this.buffered += line.length
    this.documents++
    if (this.buffered > BUFFERED) this.flush()
  }

  flush(): void {
    this.lines.write(Buffer.concat(this.pieces))
    this.signatures.write(Buffer.concat(this.records))
    this.pieces = []
    this.records = []
    this.buffered = 0
  }
}
