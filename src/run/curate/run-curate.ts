// A curation from files to files, as a generator of events: parts on all cores, then what needs all of them. Stopped at any time, the same
// call goes on where it was and ends with the same bytes.

import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { globalStep } from '../../data/curate/global-step.ts'
import { doneJob, type JobManifest, WORK_FOLDERS } from '../../data/curate/job-files.ts'
import { Ledger, NO_ARTICLE } from '../../data/curate/ledger.ts'
import { mapJobs } from '../../data/curate/map-jobs.ts'
import type { Job } from '../../data/curate/settings.ts'
import { DATA_FOLDER, type OutputFile, writeOutput } from '../../data/curate/write-output.ts'
import { CheckpointError, InputError, UsageError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { sweepLeftovers } from '../../files/leftover.ts'
import { takeOutputDirectory } from '../../files/output-directory.ts'
import { lockOutput } from '../../files/output-lock.ts'
import { counted } from '../../report/amounts.ts'
import { Count, eventsOf, type Tell, type Watch, type WorkEvent } from '../../work.ts'
import { resolveData } from '../resolve-data.ts'
import type { CurateConfig } from './config.ts'
import { curateReport } from './curate-report.ts'
import { type CurateSummary, curateLines, curateSummary, lossNotices } from './curate-summary.ts'
import { type CuratePlan, makePlan, placePlan, readPlan } from './plan.ts'
import { arrayOf, jobsOfShard, markShard, missingShards } from './shards.ts'

/** How a curation is run; nothing of it changes what comes out. */
export interface RunCurateOptions {
  /** Threads that work at once. Default: one per core that this process may use. */
  workers?: number
  /** Does only the jobs of shard `shard` (from 0) of `shards`; `mergeCurate` does the rest once all are there. */
  shards?: number
  shard?: number
  /** Takes the place of a curation of other inputs or settings in the same folder. */
  overwrite?: boolean
  signal?: AbortSignal
}

/** What came of it. Keys are those that programs read. */
export interface CurateResult {
  out: string
  /** Absent where only a shard was done. */
  summary?: CurateSummary
  files?: OutputFile[]
  shard?: { shard: number; shards: number; jobs: number; documents: number }
}

/**
 * Curates. UsageError for settings that do not fit, InputError where too much is bad or nothing is kept.
 *
 * @example
 * for await (const event of runCurate(curateConfig({ inputs: 'texts/', output_dir: 'runs/danish', lang: 'da' }))) console.log(event.type)
 */
export async function* runCurate(
  config: CurateConfig,
  options: RunCurateOptions = {},
): AsyncGenerator<WorkEvent, CurateResult> {
  const { shards, shard, overwrite = false, signal } = options
  const out = config.output_dir
  if ((shards === undefined) !== (shard === undefined))
    throw new UsageError(
      `${shards === undefined ? 'shards' : 'shard'}: expected a number beside ${shards === undefined ? 'shard' : 'shards'}, got nothing`,
    )
  if (shards !== undefined && !(shard! >= 0 && shard! < shards))
    throw new UsageError(`shard: expected 0 to ${shards - 1}, got ${shard}. Shards are counted from 0`)
  const workers = options.workers ?? availableParallelism()
  yield { type: 'started', work: 'curate' }
  const result = yield* eventsOf(
    async ({ tell, signal: stopped }) => {
      const watch = { tell, signal: stopped }
      const inputs = await resolveData(config.inputs, watch)
      const files = await resolveData(config.contamination.files, watch, { usual: null })
      const named = { ...config, inputs, contamination: { ...config.contamination, files } }
      const plan = await makePlan(named, (message) => tell({ type: 'notice', message }))
      if (shards !== undefined) plan.shards = shards
      // Machines that share a folder each hold a lock of their own.
      const giveBack = shards === undefined ? takeOutputDirectory(out, 'output_dir') : () => {}
      try {
        placePlan(mkdir(out), plan, overwrite)
        if (shards === undefined) {
          sweep(out)
          const manifests = await mapAll(plan.jobs, plan, out, workers, tell, stopped)
          return await finish(plan, manifests, out, { tell, signal: stopped })
        }
        const unlock = lockOutput(join(mkdir(join(out, 'shards')), `${shard}.lock`), `${out}, shard ${shard}`, 'shard')
        try {
          const jobs = jobsOfShard(plan.jobs, shards, shard!)
          const manifests = await mapAll(jobs, plan, out, workers, tell, stopped)
          markShard(out, plan, shards, shard!, manifests)
          const documents = manifests.reduce((sum, { documents: count }) => sum + count, 0)
          return { out, shard: { shard: shard!, shards, jobs: jobs.length, documents } }
        } finally {
          unlock()
        }
      } finally {
        giveBack()
      }
    },
    { signal },
  )
  yield { type: 'result', result, lines: linesOf(result) }
  return result
}

/** The global step over the shards of a folder. CheckpointError, which names them, where some are missing. */
export async function* mergeCurate(
  out: string,
  { signal }: { signal?: AbortSignal } = {},
): AsyncGenerator<WorkEvent, CurateResult> {
  const plan = readPlan(out)
  yield { type: 'started', work: 'curate merge' }
  const result = yield* eventsOf(
    async (watch) => {
      const giveBack = takeOutputDirectory(out, 'output_dir')
      try {
        const manifests = plan.jobs.map(({ index }) => doneJob(out, index, plan.settings.plan))
        const open = manifests.filter((manifest) => manifest === undefined).length
        if (open > 0) {
          const missing =
            plan.shards === undefined ? '' : ` of shards ${arrayOf(missingShards(out, plan, plan.shards))}`
          throw new CheckpointError(
            `parts in ${out}: expected all ${plan.jobs.length}, got ${plan.jobs.length - open}. Run what is missing${missing} first (anneal curate status ${out})`,
          )
        }
        sweep(out)
        return await finish(plan, manifests as JobManifest[], out, watch)
      } finally {
        giveBack()
      }
    },
    { signal },
  )
  yield { type: 'result', result, lines: linesOf(result) }
  return result
}

/** Takes away what a run that was killed has not finished. Not while shards are at work: theirs may be on other machines. */
function sweep(out: string): void {
  for (const folder of ['', ...WORK_FOLDERS, DATA_FOLDER]) sweepLeftovers(join(out, folder))
}

async function mapAll(
  jobs: readonly Job[],
  plan: CuratePlan,
  out: string,
  workers: number,
  tell: Tell,
  signal: AbortSignal,
): Promise<JobManifest[]> {
  const total = jobs.reduce((sum, { size }) => sum + size, 0)
  const count = new Count({ tell }, { label: 'reading and judging', unit: 'bytes', total })
  const progress = (bytes: number): void => count.add(bytes)
  const manifests = await mapJobs(jobs, plan.settings, { out, workers, progress }, { tell, signal })
  for (const message of new Set(manifests.flatMap(({ notices }) => notices))) tell({ type: 'notice', message })
  checkBad(manifests, plan.max_bad, out, tell)
  return manifests
}

/** InputError where more records, or more of their bytes, are bad than may be. One bad record is a slip, unless it is most of what there is. */
function checkBad(manifests: readonly JobManifest[], most: number, out: string, tell: Tell): void {
  const ledger = new Ledger()
  for (const { accounts } of manifests) ledger.add(new Ledger(structuredClone(accounts)))
  const { records, recordBytes, quarantined, quarantinedBytes } = ledger.total()
  const damage = Object.entries(quarantined).filter(([reason]) => reason !== NO_ARTICLE)
  const bad = damage.reduce((sum, [, count]) => sum + count, 0)
  const empty = quarantined[NO_ARTICLE] ?? 0
  if (empty > 0)
    tell({
      type: 'notice',
      message: `${counted(empty, 'page')} of ${records.toLocaleString('en')} records without an article, such as menus, in ${join(out, 'quarantine')}`,
    })
  if (bad === 0) return
  const reasons = damage.map(([reason, count]) => `${count} ${reason}`).join(', ')
  const first = manifests.find(({ firstBad }) => firstBad !== undefined)!.firstBad!
  const where = `${first.file}, byte ${first.offset}`
  const detail = first.detail === undefined ? '' : `: ${first.detail}`
  const advice =
    first.encoding === undefined
      ? ''
      : `. It is perhaps ${first.encoding}: set \`encoding: ${first.encoding.toLowerCase()}\`, for all or for its source`
  const share = Math.max(bad / records, quarantinedBytes / Math.max(1, recordBytes))
  const isSmall = quarantinedBytes <= recordBytes / 2
  const isSlip = bad === 1 && most > 0 && first.reason !== 'unreadable-file' && records > 1 && isSmall
  if (share <= most || isSlip) {
    tell({
      type: 'notice',
      message: `${counted(bad, 'bad record')} of ${records.toLocaleString('en')} (${reasons}) in ${join(out, 'quarantine')}; the first at ${where}${detail}${advice}`,
    })
    return
  }
  throw new InputError(
    `bad records in ${where}: expected at most ${100 * most} %, got ${bad} of ${records} (${reasons}; ${((100 * quarantinedBytes) / Math.max(1, recordBytes)).toFixed(1)} % of the bytes)${detail}${advice}. ` +
      `All of them are in ${join(out, 'quarantine')}; what was good is kept. Mend the data, or raise max_bad and run it again`,
  )
}

async function finish(plan: CuratePlan, manifests: JobManifest[], out: string, watch: Watch): Promise<CurateResult> {
  const { settings, jobs, output } = plan
  const found = await globalStep(jobs, manifests, settings, out, watch)
  const { format, file_mb } = output
  const files = await writeOutput(jobs, manifests, found, { format, fileBytes: file_mb * 1e6 }, out, watch)
  const kept = files.reduce((sum, { documents }) => sum + documents, 0)
  if (kept !== found.ledger.kept().documents)
    throw new Error(`ledger: ${found.ledger.kept().documents} documents are kept, ${kept} were written`)
  const summary = await curateSummary(plan, found, files)
  writeFileAtomic(join(out, 'summary.json'), `${JSON.stringify(summary, null, 1)}\n`)
  const page = join(out, 'report.html')
  writeFileAtomic(page, curateReport(plan, summary, found))
  watch.tell?.({ type: 'saved', what: 'report', path: page })
  for (const message of lossNotices(summary)) watch.tell?.({ type: 'notice', message })
  if (kept === 0) throw nothingKept(summary, page)
  return { out, summary, files }
}

function nothingKept({ read, dropped }: CurateSummary, page: string): InputError {
  if (read.documents === 0)
    return new InputError('inputs: expected some text, got files without any. Look at what they hold')
  const [worst] = [...dropped].sort((a, b) => b.documents - a.documents)
  const why = worst === undefined ? '' : ` ${worst.documents} went by ${worst.reason} (${worst.step}).`
  const key = worst?.step === 'quality' ? ` Change or switch off \`rules.${worst.rule}\`;` : ''
  return new InputError(
    `documents: expected some to be kept, got none of ${read.documents}.${why}${key} ${page} shows examples`,
  )
}

function linesOf({ out, summary, shard }: CurateResult): string[] {
  if (shard !== undefined)
    return [
      `shard ${shard.shard} of ${shard.shards}: ${counted(shard.jobs, 'part')}, ${counted(shard.documents, 'document')} so far → ${out}`,
    ]
  return curateLines(summary!, out)
}

function mkdir(path: string): string {
  mkdirSync(path, { recursive: true })
  return path
}
