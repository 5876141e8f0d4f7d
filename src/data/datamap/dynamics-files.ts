// The folder `training_dynamics`: what a classifier said of every example after every epoch. Its epochs are files as Dataset Cartography
// (Swayamdipta et al. 2020) has them, `dynamics_epoch_0.jsonl` of {guid, logits_epoch_0, gold}, and its own are read here too; beside them
// stand the rows themselves, so that a map needs nothing else.

import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { InputError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { readRows } from '../read/sources.ts'
import type { LabelledRow } from '../tuning/labelled.ts'

/** When logits are taken: in the forward pass that a step learns from, in a pass after the epoch, or of rows from which nothing is learnt. */
export type DynamicsTime = 'during' | 'after' | 'crossfit'

/** What the folder says of itself. */
export interface DynamicsHeader {
  when: DynamicsTime
  /** By id. */
  labels: readonly string[]
  /** Whole epochs that are recorded. */
  epochs: number
  rows: number
  dataset: readonly string[]
  textColumn: string
  labelColumn: string
  folds?: number | undefined
  fold?: number | undefined
}

/** An example of a map: the logits of its epochs, one after the other. */
export interface DynamicsExample {
  guid: string
  /** The id of its label. */
  gold: number
  /** [epochs, labels] */
  logits: Float32Array
  text?: string
  file?: string
  line?: number
}

/** All that was recorded, of one run or of all folds. */
export interface Dynamics {
  /** Absent where the files do not say. */
  when: DynamicsTime | undefined
  labels: readonly string[]
  epochs: number
  examples: readonly DynamicsExample[]
  /** Where the rows came from, and what their columns are called; absent where the files do not say. */
  source?: Pick<DynamicsHeader, 'dataset' | 'textColumn' | 'labelColumn' | 'folds' | 'fold'>
  notices: readonly string[]
}

const HEADER = 'dynamics.json'
const ROWS = 'rows.jsonl'

const headerSchema = z.object({
  when: z.enum(['during', 'after', 'crossfit']),
  labels: z.array(z.string()).min(2),
  epochs: z.int().nonnegative(),
  rows: z.int().nonnegative(),
  dataset: z.array(z.string()),
  textColumn: z.string(),
  labelColumn: z.string(),
  folds: z.int().optional(),
  fold: z.int().optional(),
})

/** Begins a folder, or goes on with one after `header.epochs` epochs. */
export function writeDynamicsRows(
  folder: string,
  header: DynamicsHeader,
  rows: Iterable<LabelledRow & { gold: number }>,
): void {
  mkdirSync(folder, { recursive: true })
  writeFileAtomic(join(folder, ROWS), (sink) => {
    for (const { id, gold, label, text, file, line } of rows)
      sink.write(`${JSON.stringify({ guid: id, gold, label, text, file, line })}\n`)
  })
  writeHeader(folder, header)
}

/** Writes epoch `epoch`, from 0: [rows, labels] logits; rows of NaN were not seen and are left out. Returns how many those are. */
export function writeDynamicsEpoch(
  folder: string,
  header: DynamicsHeader,
  epoch: number,
  rows: readonly { id: string; gold: number }[],
  logits: Float32Array,
): number {
  const size = header.labels.length
  let unseen = 0
  writeFileAtomic(join(folder, `dynamics_epoch_${epoch}.jsonl`), (sink) => {
    for (const [i, { id, gold }] of rows.entries()) {
      // Nine digits are all that a 32-bit float has.
      const own = Array.from(logits.subarray(i * size, (i + 1) * size), (x) => Number(x.toPrecision(9)))
      if (own.some(Number.isNaN)) unseen++
      else sink.write(`${JSON.stringify({ guid: id, [`logits_epoch_${epoch}`]: own, gold })}\n`)
    }
  })
  writeHeader(folder, { ...header, epochs: epoch + 1 })
  return unseen
}

function writeHeader(folder: string, header: DynamicsHeader): void {
  writeFileAtomic(join(folder, HEADER), `${JSON.stringify(header, null, 2)}\n`)
}

/**
 * Reads runs: a folder of epochs, a run's folder with `training_dynamics`, or one with `fold-0`, `fold-1`, …; several are the folds of one.
 * Examples keep the order of their rows. `epochs` reads only the first so many (burn-out).
 */
export async function readDynamics(places: readonly string[], epochs?: number): Promise<Dynamics> {
  const folders = places.flatMap(foldersIn)
  const parts: Dynamics[] = []
  for (const folder of folders) parts.push(await readFolder(folder, epochs))
  const [first] = parts
  const most = Math.min(...parts.map((part) => part.epochs))
  const labels = first!.labels
  for (const [i, part] of parts.entries())
    if (part.labels.join('\n') !== labels.join('\n'))
      throw new InputError(
        `${folders[i]}: expected the labels of ${folders[0]} (${labels.join(', ')}), got ${part.labels.join(', ')}. These are not folds of one data set`,
      )
  const notices = [...parts.flatMap((part) => part.notices), ...missingFolds(parts)]
  if (parts.some((part) => part.epochs !== most))
    notices.push(`the runs have ${parts.map((part) => part.epochs).join(', ')} epochs; the first ${most} count`)
  const examples = parts.flatMap((part) => part.examples)
  const seen = new Map<string, number>()
  for (const { guid } of examples) {
    if (seen.has(guid))
      throw new InputError(`${folders.join(', ')}: expected every example once, got ${guid} twice. Give each fold once`)
    seen.set(guid, 1)
  }
  const short = examples.map((example) => ({ ...example, logits: example.logits.subarray(0, most * labels.length) }))
  const isMixed = new Set(parts.map((part) => part.when)).size > 1
  if (isMixed)
    throw new InputError(
      `${folders.join(', ')}: expected runs of one kind, got ${parts.map((part) => part.when ?? 'unknown').join(', ')}`,
    )
  return {
    when: first!.when,
    labels,
    epochs: most,
    examples: inRowOrder(short),
    ...(first!.source && { source: first!.source }),
    notices,
  }
}

/** One notice where runs are cross-fitted and not all of their folds are there: rows of the others are in no map. */
function missingFolds(parts: readonly Dynamics[]): string[] {
  const folds = Math.max(0, ...parts.map(({ source }) => source?.folds ?? 0))
  const present = new Set(parts.map(({ source }) => source?.fold))
  const missing = Array.from({ length: folds }, (_, fold) => fold).filter((fold) => !present.has(fold))
  if (missing.length === 0) return []
  const names = missing.slice(0, 20).map((fold) => `fold-${fold}`)
  return [
    `${missing.length} of ${folds} folds ${missing.length === 1 ? 'is' : 'are'} not there (${names.join(', ')}${missing.length > 20 ? ', …' : ''}): their examples are not in the map. Go on with the same command and resume_from_checkpoint: auto`,
  ]
}

/** Folds hold rows here and there: back to the order of the files. */
function inRowOrder(examples: DynamicsExample[]): DynamicsExample[] {
  if (examples.some(({ line }) => line === undefined)) return examples
  const files = [...new Set(examples.map(({ file }) => file!))].sort()
  const rank = new Map(files.map((file, i) => [file, i]))
  return examples.sort((a, b) => rank.get(a.file!)! - rank.get(b.file!)! || a.line! - b.line!)
}

function foldersIn(place: string): string[] {
  if (!existsSync(place)) throw new InputError(`${place}: expected the folder of a run, got nothing. Check the path`)
  const own = [place, join(place, 'training_dynamics')].find((folder) =>
    existsSync(join(folder, 'dynamics_epoch_0.jsonl')),
  )
  if (own !== undefined) return [own]
  const folds = readdirSync(place)
    .filter((name) => /^fold-\d+$/.test(name))
    .sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)))
  const lacking = folds.filter((name) => !existsSync(join(place, name, 'training_dynamics', 'dynamics_epoch_0.jsonl')))
  if (folds.length > 0 && lacking.length === 0) return folds.map((name) => join(place, name, 'training_dynamics'))
  throw new InputError(
    `${place}: expected training_dynamics with dynamics_epoch_0.jsonl${folds.length > 0 ? ` in each of ${folds.length} folds` : ''}, got none${folds.length > 0 ? ` in ${lacking.join(', ')}` : ''}. Train with stage: classify and training_dynamics: after, or let its first epoch end`,
  )
}

async function readFolder(folder: string, limit: number | undefined): Promise<Dynamics> {
  const header = existsSync(join(folder, HEADER)) ? checkedHeader(join(folder, HEADER)) : undefined
  const present = readdirSync(folder).filter((name) => /^dynamics_epoch_\d+\.jsonl$/.test(name)).length
  const epochs = Math.min(header?.epochs ?? present, limit ?? Number.POSITIVE_INFINITY)
  if (epochs < 1) throw new InputError(`${folder}: expected one whole epoch or more, got ${epochs}`)
  const found = new Map<string, { gold: number; rows: (readonly number[])[] }>()
  for (let epoch = 0; epoch < epochs; epoch++)
    await readEpoch(join(folder, `dynamics_epoch_${epoch}.jsonl`), epoch, found)
  const size = header?.labels.length ?? found.values().next().value?.rows[0]?.length ?? 0
  const texts = new Map<string, { text?: string; file?: string; line?: number }>()
  if (existsSync(join(folder, ROWS)))
    for await (const { row } of readRows(join(folder, ROWS), { maxBadFraction: 0 })) {
      const { guid, text, file, line } = row as { guid: string; text: string; file: string; line: number }
      texts.set(guid, { text, file, line })
    }
  const examples: DynamicsExample[] = []
  let partial = 0
  for (const [guid, { gold, rows }] of found) {
    if (rows.length !== epochs || rows.includes(undefined as never)) {
      partial++
      continue
    }
    if (gold >= size || rows.some((row) => row.length !== size))
      throw new InputError(
        `${folder}, guid ${guid}: expected ${size} logits and a label below, got label ${gold} and ${rows[0]!.length} logits`,
      )
    examples.push({ guid, gold, logits: Float32Array.from(rows.flat()), ...texts.get(guid) })
  }
  if (examples.length === 0)
    throw new InputError(`${folder}: expected examples with logits of ${epochs} epochs, got none`)
  return {
    when: header?.when,
    labels: header?.labels ?? Array.from({ length: size }, (_, label) => String(label)),
    epochs,
    examples,
    ...(header && { source: header }),
    notices: partial === 0 ? [] : [`${partial} of ${found.size} examples are not in every epoch and are left out`],
  }
}

async function readEpoch(
  file: string,
  epoch: number,
  found: Map<string, { gold: number; rows: (readonly number[])[] }>,
): Promise<void> {
  if (!existsSync(file))
    throw new InputError(`${file}: expected the logits of epoch ${epoch}, got nothing. Copy the folder again`)
  for await (const { row, id } of readRows(file, { maxBadFraction: 0 })) {
    const fields = row as Record<string, unknown>
    const { guid, gold } = fields
    const logits = fields[`logits_epoch_${epoch}`]
    const isFine =
      (typeof guid === 'string' || typeof guid === 'number') &&
      Number.isInteger(gold) &&
      (gold as number) >= 0 &&
      Array.isArray(logits) &&
      logits.length > 1 &&
      logits.every((logit) => Number.isFinite(logit) && Number.isFinite(Math.fround(logit)))
    if (!isFine)
      throw new InputError(
        `${id.file}:${id.line}: expected guid, gold (a label's number) and logits_epoch_${epoch} (numbers), got ${JSON.stringify(row).slice(0, 80)}`,
      )
    const entry = found.get(String(guid)) ?? { gold: gold as number, rows: [] }
    if (entry.gold !== gold || entry.rows[epoch] !== undefined)
      throw new InputError(
        `${id.file}:${id.line}: expected each guid once with the label that it had (${entry.gold}), got ${guid} with ${gold}`,
      )
    entry.rows[epoch] = logits as number[]
    found.set(String(guid), entry)
  }
}

function checkedHeader(file: string): DynamicsHeader {
  const parsed = headerSchema.safeParse(readJsonFile(file))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw new InputError(`${file}:${issue.path.join('.')}: ${issue.message}. Copy the folder again`)
}
