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
import { checkNotInput, checkOutputFile } from '../../files/output-file.ts'
import { counted } from '../../report/amounts.ts'
import { VERSION } from '../../version.ts'
import { type Decision, readDecisions } from './annotation-queue.ts'
import { type DatamapOptions, readMap } from './run-datamap.ts'

/** Which examples of which map go into the new version. */
export interface SelectOptions extends Pick<DatamapOptions, 'runs' | 'epochs' | 'track'> {
  /** A JSONL file to write; `<out>.provenance.json` stands beside it. */
  out: string
  /** By a metric, or a JSONL file of {guid}, as the page saves them. */
  by: SelectionOptions | { ids: string }
  /** All but those. */
  isInverted?: boolean
  onNotice?: (message: string) => void
}

/** What became of the rows. */
export interface NewVersion {
  out: string
  rows: number
  before: number
  relabelled: number
  dropped: number
  /** Rows of the data that no map has and that are kept: held out, empty, or of a fold that is not there. */
  unmapped: number
}

/** Writes the chosen examples; inverted, all rows but those. */
export async function selectVersion(options: SelectOptions): Promise<NewVersion> {
  const { out, by, isInverted = false, onNotice, ...map } = options
  checkOutputFile(out, 'out')
  if ('ids' in by) checkNotInput(out, 'out', [by.ids])
  const { dynamics, places } = await readMap(map)
  const chosen = new Set('ids' in by ? await indicesIn(by.ids, dynamics) : selectExamples(places, by))
  const kept = dynamics.examples.flatMap((_, i) => (chosen.has(i) !== isInverted ? [i] : []))
  if (kept.length === 0) throw new UsageError('out: expected examples that are left, got none. Choose others')
  const how = { select: { ...by, inverted: isInverted } }
  const choice = { kept: new Map(kept.map((i) => [i, undefined])), keepsOthers: isInverted }
  return write(out, dynamics, choice, { how, runs: map.runs, onNotice })
}

/** Writes all rows with the decisions of queues in them ({@link readDecisions}). */
export async function applyDecisions({
  runs,
  decisions: files,
  out,
  onNotice,
}: {
  runs: readonly string[]
  decisions: readonly string[]
  out: string
  onNotice?: (message: string) => void
}): Promise<NewVersion & { checked: number; open: number }> {
  checkOutputFile(out, 'out')
  checkNotInput(out, 'out', files)
  const { dynamics } = await readMap({ runs })
  const decided = await readDecisions(files, dynamics, onNotice)
  const isOpen = ({ newLabel, isDropped, isChecked }: Decision): boolean =>
    newLabel === null && !isDropped && !isChecked
  const kept = new Map<number, string | undefined>()
  for (const i of dynamics.examples.keys())
    if (!decided.get(i)?.isDropped) kept.set(i, decided.get(i)?.newLabel ?? undefined)
  const all = [...decided.values()]
  const checked = all.filter((each) => !isOpen(each)).length
  const how = { decisions: files, checked }
  const version = await write(out, dynamics, { kept, keepsOthers: true }, { how, runs, onNotice })
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

/** What is written: by index the example's new label, or undefined for its own; and whether rows that no map has go along. */
interface Choice {
  kept: ReadonlyMap<number, string | undefined>
  keepsOthers: boolean
}

async function write(
  out: string,
  dynamics: Dynamics,
  { kept, keepsOthers }: Choice,
  about: { how: object; runs: readonly string[]; onNotice: ((message: string) => void) | undefined },
): Promise<NewVersion> {
  const { examples, labels, source } = dynamics
  const { textColumn = 'text', labelColumn = 'label' } = source ?? {}
  const onNotice = about.onNotice ?? (() => {})
  checkNotInput(out, 'out', source?.dataset ?? [])
  for (const notice of dynamics.notices) onNotice(notice)
  const rows = (await rowsOfData(dynamics, onNotice)) ?? examples.map(rowOfRecord(textColumn, labelColumn, labels))
  const others = rows.length - examples.length
  if (others > 0)
    onNotice(
      `${counted(others, 'row of the data is', 'rows of the data are')} in no map (held out, empty, or of a fold that is not there): ${keepsOthers ? 'kept as they are' : 'left out'}`,
    )
  const [unmapped, before] = [keepsOthers ? others : 0, examples.length + (keepsOthers ? others : 0)]
  let relabelled = 0
  const written = writeFileAtomic(out, (sink) => {
    for (const { index, fields } of rows) {
      if (index === undefined ? !keepsOthers : !kept.has(index)) continue
      const newLabel = index === undefined ? undefined : kept.get(index)
      const isNew = newLabel !== undefined && newLabel !== labels[examples[index!]!.gold]
      if (isNew) relabelled++
      sink.write(`${JSON.stringify(isNew ? { ...fields, [labelColumn]: newLabel } : fields)}\n`)
    }
  })
  const version = { rows: kept.size + unmapped, before, relabelled, dropped: examples.length - kept.size, unmapped }
  const hash = new ContentHash()
  const dataset = (source?.dataset ?? []).filter(existsSync)
  const provenance = {
    ...version,
    ...about.how,
    runs: about.runs,
    dataset,
    examples: hash.add(examples.map(({ guid }) => guid).join('\n')).digest(),
    sha256: written.sha256,
    anneal: VERSION,
  }
  writeFileAtomic(`${out}.provenance.json`, `${JSON.stringify(provenance, null, 2)}\n`)
  return { out, ...version }
}

/** A row as it is written, and the example of the map that it is, if it is one. */
interface DataRow {
  index?: number | undefined
  fields: Record<string, unknown>
}

/** What is known of an example without its data. */
const rowOfRecord =
  (textColumn: string, labelColumn: string, labels: readonly string[]) =>
  ({ guid, text, gold }: DynamicsExample, index: number): DataRow => ({
    index,
    fields: { guid, [textColumn]: text, [labelColumn]: labels[gold] },
  })

/** All rows as they stand in the data, with all of their columns; undefined where the data is not there any more. InputError where it changed. */
async function rowsOfData(
  { examples, source }: Dynamics,
  onNotice: (message: string) => void,
): Promise<DataRow[] | undefined> {
  if (source === undefined) return undefined
  const gone = source.dataset.filter((path) => !existsSync(path))
  if (gone.length > 0) {
    onNotice(
      `the data is not there (${gone.join(', ')}): rows have the text and label that the run kept, and no other columns`,
    )
    return undefined
  }
  const places = new Map(examples.map(({ file, line }, i) => [`${file}:${line}`, i]))
  const rows: DataRow[] = []
  for await (const { row, id } of readRows(source.dataset, { maxBadFraction: 1, onNotice })) {
    const place = `${id.file}:${id.line}`
    const index = places.get(place)
    const fields = typeof row === 'string' ? { text: row } : row
    if (index !== undefined && fields[source.textColumn] !== examples[index]!.text)
      throw new InputError(`${place}: expected the text that the run learnt from, got another one: ${CHANGED}`)
    rows.push({ index, fields })
    places.delete(place)
  }
  const [missing] = places.keys()
  if (missing !== undefined)
    throw new InputError(`${missing}: expected the text that the run learnt from, got nothing: ${CHANGED}`)
  return rows
}

const CHANGED = 'the data changed since. Use the file as it was, or train again'
