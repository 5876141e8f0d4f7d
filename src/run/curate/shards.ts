// Work that is shared between machines or tasks: which jobs are whose, a mark for each shard that is done, and which are missing.

import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { doneJob, type JobManifest } from '../../data/curate/job-files.ts'
import { Ledger } from '../../data/curate/ledger.ts'
import type { Job } from '../../data/curate/settings.ts'
import { UsageError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { type CuratePlan, readPlan } from './plan.ts'

/** Every `shards`th job from `shard` on. */
export function jobsOfShard(jobs: readonly Job[], shards: number, shard: number): Job[] {
  return jobs.filter(({ index }) => index % shards === shard)
}

/** Leaves the mark that a shard is done: what it was given and what it counted. */
export function markShard(
  out: string,
  plan: CuratePlan,
  shards: number,
  shard: number,
  manifests: readonly JobManifest[],
): void {
  const ledger = new Ledger()
  for (const { accounts } of manifests) ledger.add(new Ledger(structuredClone(accounts)))
  ledger.check()
  const mark = {
    plan: plan.settings.plan,
    shards,
    shard,
    jobs: manifests.map(({ job }) => job),
    documents: manifests.reduce((sum, { documents }) => sum + documents, 0),
    accounts: ledger.sources,
  }
  mkdirSync(join(out, 'shards'), { recursive: true })
  writeFileAtomic(markOf(out, shards, shard), `${JSON.stringify(mark)}\n`)
}

/** Shards whose jobs are not all there. One without jobs is done when its mark is there. */
export function missingShards(out: string, plan: CuratePlan, shards: number): number[] {
  const missing: number[] = []
  for (let shard = 0; shard < shards; shard++) {
    const jobs = jobsOfShard(plan.jobs, shards, shard)
    const isDone = jobs.length === 0 || jobs.every(({ index }) => doneJob(out, index, plan.settings.plan) !== undefined)
    if (!isDone) missing.push(shard)
  }
  return missing
}

/** What a folder holds of a curation. */
export interface CurateStatus {
  parts: number
  parts_done: number
  shards: number | null
  missing: number[]
  /** The missing ones as `sbatch --array` takes them; empty where none is. */
  array: string
  merged: boolean
}

/** How far a folder is. `shards` where nobody has begun with a number of them. UsageError for a folder of nobody's. */
export function curateStatus(out: string, shards?: number): CurateStatus {
  const plan = readPlan(out)
  const number = shards ?? plan.shards ?? null
  if (number !== null && !(number >= 1)) throw new UsageError(`shards: expected a whole number ≥ 1, got ${number}`)
  const done = plan.jobs.filter(({ index }) => doneJob(out, index, plan.settings.plan) !== undefined).length
  const missing = number === null ? [] : missingShards(out, plan, number)
  return {
    parts: plan.jobs.length,
    parts_done: done,
    shards: number,
    missing,
    array: arrayOf(missing),
    merged: isMerged(out, plan),
  }
}

/** `3,17,40-44` */
export function arrayOf(numbers: readonly number[]): string {
  const runs: [number, number][] = []
  for (const number of numbers) {
    const last = runs.at(-1)
    if (last !== undefined && last[1] === number - 1) last[1] = number
    else runs.push([number, number])
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
}

function isMerged(out: string, plan: CuratePlan): boolean {
  const file = join(out, 'summary.json')
  if (!existsSync(file)) return false
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { plan?: string }).plan === plan.settings.plan
  } catch {
    return false
  }
}

function markOf(out: string, shards: number, shard: number): string {
  return join(out, 'shards', `${String(shard).padStart(5, '0')}-of-${String(shards).padStart(5, '0')}.json`)
}

/** Variables in which schedulers count the tasks of an array. */
const INDEX_VARIABLES = ['SLURM_ARRAY_TASK_ID', 'JOB_COMPLETION_INDEX', 'AWS_BATCH_JOB_ARRAY_INDEX'] as const

/** The shard that the scheduler gave this task; undefined without one. UsageError where it is no number. */
export function shardOfEnvironment(environment: Readonly<Record<string, string | undefined>>): number | undefined {
  const name = INDEX_VARIABLES.find((variable) => environment[variable] !== undefined)
  if (name === undefined) return undefined
  const value = environment[name]!
  if (!/^\d+$/.test(value)) throw new UsageError(`${name}: expected a whole number, got '${value}'`)
  return Number(value)
}
