// One job: records → documents that are kept so far, with what is needed to compare them with all others. Depends on the file and the
// settings alone, never on other jobs, so that any number of workers or machines give the same, and one that died is simply done again.

import { createHash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileInTurns } from '../../files/atomic-write.ts'
import type { LanguageIdentifier } from '../language/identifier.ts'
import { openLanguageIdentifier } from '../language/identify-language.ts'
import { ContaminationIndex } from './contamination.ts'
import { doneJob, donePieces, type JobManifest, jobFiles, markJob, markPiece, type PieceManifest } from './job-files.ts'
import { PieceOutput, PieceWork } from './job-piece.ts'
import { JobRecords } from './job-records.ts'
import { languageOf } from './language.ts'
import { NO_ARTICLE, type Step } from './ledger.ts'
import { MinHasher } from './minhash.ts'
import { normalise } from './normalise.ts'
import { maskPii } from './pii.ts'
import { judge } from './quality.ts'
import type { JobRecord } from './read-job.ts'
import type { Job, MapSettings, SourceSettings } from './settings.ts'
import { simplifiedWords } from './simplify.ts'
import { TextView } from './text-view.ts'

/** Bytes of records, or characters of their texts, of a piece: what is done again at most when a job is stopped. */
const PIECE_BYTES = 64 << 20

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

  /** Does what is left of a job and returns its manifest. `progress` hears with each record of bytes of the file as it is stored. */
  async run(
    job: Job,
    out: string,
    progress: (bytes: number) => void = () => {},
    pieceBytes: number = PIECE_BYTES,
  ): Promise<JobManifest> {
    const { plan } = this.settings
    let told = 0
    const tell = (bytes: number): void => {
      // The whole file lies open where other jobs have their parts of it.
      const more = Math.min(bytes, job.size - told)
      told += more
      progress(more)
    }
    const done = doneJob(out, job.index, plan)
    if (done !== undefined) {
      tell(job.size)
      return done
    }
    mkdirSync(join(out, 'work'), { recursive: true })
    rmSync(jobFiles(out, job.index).manifest, { force: true })
    const pieces = donePieces(out, job.index, plan)
    const source = this.settings.sources[job.source]!
    const records = new JobRecords(job, source, pieces.at(-1)?.seen ?? { records: 0, bad: 0, notices: 0 }, tell)
    while (pieces.at(-1)?.isLast !== true) {
      const piece = await this.piece(job, source, records, out, pieces.length, pieceBytes)
      // The manifest of the job says the same of a last one.
      if (!piece.isLast) markPiece(out, pieces.length, piece)
      pieces.push(piece)
    }
    tell(job.size)
    return markJob(out, pieces)
  }

  private async piece(
    job: Job,
    source: SourceSettings,
    records: JobRecords,
    out: string,
    number: number,
    pieceBytes: number,
  ): Promise<PieceManifest> {
    const files = jobFiles(out, job.index, number)
    const work = new PieceWork(source.name)
    records.report = work
    let documents = 0
    let signatures: { size: number; sha256: string } | undefined
    const lines = await writeFileInTurns(files.lines, async (lineSink) => {
      signatures = await writeFileInTurns(files.signatures, async (signatureSink) => {
        const output = new PieceOutput(lineSink, signatureSink, this.settings.dedup.shape.bands)
        let bytes = 0
        for (let record = await records.next(); record !== undefined; record = await records.next()) {
          this.document(record, job, source, work, output)
          // A row of Parquet takes no bytes that could be told apart.
          bytes += Math.max(record.recordBytes, record.text.length)
          if (bytes >= pieceBytes) break
        }
        output.end()
        documents = output.documents
      })
    })
    work.writeQuarantine(files.quarantine, job.file)
    work.ledger.check()
    const firstBad = work.quarantined.find(({ reason }) => reason !== NO_ARTICLE)
    return {
      plan: this.settings.plan,
      job: job.index,
      file: job.file,
      seen: { ...records.seen },
      isLast: records.isOver,
      documents,
      accounts: work.ledger.sources,
      examples: work.examples.all(),
      notices: work.notices,
      ...(firstBad !== undefined && { firstBad: { file: job.file, ...firstBad } }),
      lines: { bytes: lines.size, sha256: lines.sha256 },
      signatures: { bytes: signatures!.size, sha256: signatures!.sha256 },
    }
  }

  /** Takes one document through the steps. */
  private document(
    record: JobRecord,
    job: Job,
    source: SourceSettings,
    work: PieceWork,
    output: PieceOutput,
  ): undefined {
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
