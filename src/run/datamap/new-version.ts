// From a map to a new version of the data: a subset, or what people decided of a queue. Rows keep their columns and their order; a file
// beside says what they were made of and why.

import { existsSync } from 'node:fs'
import type { Dynamics, DynamicsExample } from '../../data/datamap/dynamics-files.ts'
import type { SelectionOptions } from '../../data/datamap/regions.ts'
import { selectExamples } from '../../data/datamap/regions.ts'
import { readRows } from '../../data/read/sources.ts'
import { InputError, UsageError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { ContentHash } from '../../files/hash.ts'
import { checkOutputFile } from '../../files/output-file.ts'
import { VERSION } from '../../version.ts'
import { type DatamapOptions, readMap } from './run-datamap.ts'

/** Which examples of which map go into the new version. */
export interface SelectOptions extends Pick<DatamapOptions, 'runs' | 'epochs' | 'track'> {
  /** A JSONL file to write; `<out>.provenance.json` stands beside it. */
  out: string
  /** By a metric, or a JSONL file of {guid}, as the page saves them. */
  by: SelectionOptions | { ids: string }
  /** All but those. */
  isInverted?: boolean
}

/** What became of the rows. */
export interface NewVersion {
  out: string
  rows: number
  before: number
  relabelled: number
  dropped: number
}

/** Writes the chosen examples. */
export async function selectVersion({ out, by, isInverted = false, ...options }: SelectOptions): Promise<NewVersion> {
  checkOutputFile(out, 'out')
  const { dynamics, places } = await readMap(options)
  const chosen = new Set('ids' in by ? await indicesIn(by.ids, dynamics) : selectExamples(places, by))
  const kept = dynamics.examples.flatMap((_, i) => (chosen.has(i) !== isInverted ? [i] : []))
  if (kept.length === 0) throw new UsageError('out: expected examples that are left, got none. Choose others')
  const how = { select: { ...by, inverted: isInverted } }
  return write(out, dynamics, new Map(kept.map((i) => [i, undefined])), how, options.runs)
}

/** What a person said of an example: another label, that it goes, or that it was looked at. */
interface Decision {
  newLabel: string | null
  isDropped: boolean
  isChecked: boolean
}

/** How a queue is made. */
export interface QueueOptions extends Pick<DatamapOptions, 'runs' | 'epochs' | 'flagFraction'> {
  out: string
  /** `borda`: all by likelihood of an error; or only those with a flag, the most telling first. Default `borda`. */
  by?: 'borda' | 'error' | 'common'
  /** Default 200. */
  top?: number
}

/** Writes what people should look at: a JSONL line for each example, with `new_label`, `drop` and `checked` to be filled in. Returns how many. */
export async function writeQueue({ out, by = 'borda', top = 200, ...options }: QueueOptions): Promise<number> {
  checkOutputFile(out, 'out')
  const { dynamics, places, flags } = await readMap(options)
  const order = places
    .map((_, i) => i)
    .filter((i) => by === 'borda' || flags[i] === by)
    .sort((a, b) =>
      by === 'common'
        ? places[a]!.predictedConfidence - places[b]!.predictedConfidence || a - b
        : places[b]!.borda - places[a]!.borda || a - b,
    )
    .slice(0, top)
  const { labels, examples } = dynamics
  writeFileAtomic(out, (sink) => {
    for (const i of order) {
      const { guid, gold, predicted, borda, goldConfidence, predictedConfidence } = places[i]!
      const scores = { borda, gold_confidence: goldConfidence, predicted_confidence: predictedConfidence }
      const own = { guid, text: examples[i]!.text ?? null, label: labels[gold], suggested: labels[predicted] }
      sink.write(
        `${JSON.stringify({ ...own, flag: flags[i] ?? null, scores, new_label: null, drop: false, checked: false })}\n`,
      )
    }
  })
  return order.length
}

/** Writes all rows with the decisions of queues in them; later files overrule earlier ones. InputError for an example that is not in the map. */
export async function applyDecisions({
  runs,
  decisions: files,
  out,
}: {
  runs: readonly string[]
  decisions: readonly string[]
  out: string
}): Promise<NewVersion & { checked: number; open: number }> {
  checkOutputFile(out, 'out')
  const { dynamics } = await readMap({ runs })
  const indexOf = new Map(dynamics.examples.map(({ guid }, i) => [guid, i]))
  const decided = new Map<number, Decision>()
  for await (const { row, id } of readRows(files, { maxBadFraction: 0 })) {
    const place = `${id.file}:${id.line}`
    const fields = row as Record<string, unknown>
    const index = indexOf.get(String(fields.guid))
    if (index === undefined)
      throw new InputError(
        `${place}, field 'guid': expected an example of the map, got ${JSON.stringify(fields.guid)}. Is the queue another run's?`,
      )
    const { new_label: newLabel = null, drop = false, checked = false } = fields
    if (
      (newLabel !== null && (typeof newLabel !== 'string' || newLabel.trim() === '')) ||
      typeof drop !== 'boolean' ||
      typeof checked !== 'boolean'
    )
      throw new InputError(
        `${place}: expected new_label (a label or null), drop and checked (true or false), got ${JSON.stringify({ new_label: newLabel, drop, checked })}`,
      )
    if (drop && newLabel !== null)
      throw new InputError(`${place}: expected either drop or new_label, got both. Decide for one`)
    decided.set(index, { newLabel: newLabel as string | null, isDropped: drop, isChecked: checked })
  }
  const isOpen = ({ newLabel, isDropped, isChecked }: Decision): boolean =>
    newLabel === null && !isDropped && !isChecked
  const kept = new Map<number, string | undefined>()
  for (const i of dynamics.examples.keys())
    if (!decided.get(i)?.isDropped) kept.set(i, decided.get(i)?.newLabel ?? undefined)
  const all = [...decided.values()]
  const checked = all.filter((each) => !isOpen(each)).length
  const version = await write(out, dynamics, kept, { decisions: files, checked }, runs)
  return { ...version, checked, open: all.length - checked }
}

async function indicesIn(file: string, { examples }: Dynamics): Promise<number[]> {
  const indexOf = new Map(examples.map(({ guid }, i) => [guid, i]))
  const found: number[] = []
  for await (const { row, id } of readRows(file, { maxBadFraction: 0 })) {
    const guid = typeof row === 'string' ? row : row.guid
    const index = indexOf.get(String(guid))
    if (index === undefined)
      throw new InputError(
        `${id.file}:${id.line}, field 'guid': expected an example of the map, got ${JSON.stringify(guid)}. Are the ids another run's?`,
      )
    found.push(index)
  }
  return found
}

/** Index → its new label, or undefined for its own. */
async function write(
  out: string,
  dynamics: Dynamics,
  kept: ReadonlyMap<number, string | undefined>,
  how: object,
  runs: readonly string[],
): Promise<NewVersion> {
  const { examples, labels, source } = dynamics
  const { textColumn = 'text', labelColumn = 'label' } = source ?? {}
  const originals = await originalsOf(dynamics)
  let relabelled = 0
  const written = writeFileAtomic(out, (sink) => {
    for (const [i, newLabel] of kept) {
      const example = examples[i]!
      const own = originals.get(i) ?? {
        guid: example.guid,
        [textColumn]: example.text,
        [labelColumn]: labels[example.gold],
      }
      const isNew = newLabel !== undefined && newLabel !== labels[example.gold]
      if (isNew) relabelled++
      sink.write(`${JSON.stringify(isNew ? { ...own, [labelColumn]: newLabel } : own)}\n`)
    }
  })
  const version = { rows: kept.size, before: examples.length, relabelled, dropped: examples.length - kept.size }
  const hash = new ContentHash()
  const dataset = (source?.dataset ?? []).filter(existsSync)
  const provenance = {
    ...version,
    ...how,
    runs,
    dataset,
    examples: hash.add(examples.map(({ guid }) => guid).join('\n')).digest(),
    sha256: written.sha256,
    anneal: VERSION,
  }
  writeFileAtomic(`${out}.provenance.json`, `${JSON.stringify(provenance, null, 2)}\n`)
  return { out, ...version }
}

/** The rows as they stand in the data, with all of their columns; none where the data is not there any more. InputError where it changed. */
async function originalsOf({ examples, source }: Dynamics): Promise<Map<number, Record<string, unknown>>> {
  const found = new Map<number, Record<string, unknown>>()
  if (source === undefined || !source.dataset.every(existsSync)) return found
  const places = new Map(examples.map(({ file, line }, i) => [`${file}:${line}`, i]))
  for await (const { row, id } of readRows(source.dataset)) {
    const index = places.get(`${id.file}:${id.line}`)
    if (index === undefined) continue
    const fields = typeof row === 'string' ? { text: row } : row
    checkSame(fields[source.textColumn], examples[index]!)
    found.set(index, fields)
  }
  return found
}

function checkSame(text: unknown, { text: recorded, file, line }: DynamicsExample): void {
  if (text === recorded) return
  throw new InputError(
    `${file}:${line}: expected the text that the run learnt from, got another one: the data changed since. Use the file as it was, or train again`,
  )
}
