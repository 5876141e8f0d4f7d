// A queue for people, there and back: which examples of a map they should look at, and what they decided of them.

import { existsSync, readFileSync } from 'node:fs'
import type { Dynamics } from '../../data/datamap/dynamics-files.ts'
import { readRows } from '../../data/read/sources.ts'
import { InputError, UsageError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { checkNotInput, checkOutputFile } from '../../files/output-file.ts'
import { didYouMean } from '../../nearest.ts'
import { counted } from '../../report/amounts.ts'
import { type DatamapOptions, readMap } from './run-datamap.ts'

/** How a queue is made. */
export interface QueueOptions extends Pick<DatamapOptions, 'runs' | 'epochs' | 'flagFraction'> {
  out: string
  /** `borda`: all by likelihood of an error; or only those with a flag, the most telling first. Default `borda`. */
  by?: 'borda' | 'error' | 'common'
  /** Default 200. */
  top?: number
  onNotice?: (message: string) => void
}

/**
 * Writes what people should look at: a JSONL line for each example, with `new_label`, `drop` and `checked` to be filled in. Returns how many.
 * UsageError where `out` is not called .jsonl, or is a queue in which something is decided.
 */
export async function writeQueue(options: QueueOptions): Promise<number> {
  const { out, by = 'borda', top = 200, onNotice, ...map } = options
  checkOutputFile(out, 'out')
  // Who reads it again goes by the name.
  if (!/\.jsonl?$/i.test(out)) throw new UsageError(`out: expected a file that ends in .jsonl, got ${out}`)
  refuseDecided(out)
  const { dynamics, places, flags } = await readMap(map)
  for (const notice of dynamics.notices) onNotice?.(notice)
  checkNotInput(out, 'out', dynamics.source?.dataset ?? [])
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

/** What people have decided cannot be made again: such a file is not written over. */
function refuseDecided(file: string): void {
  if (!existsSync(file)) return
  const decided = readFileSync(file, 'utf8').split('\n').filter(isDecided).length
  if (decided === 0) return
  throw new UsageError(
    `out: expected a new file, got ${file}, a queue in which ${counted(decided, 'example is', 'examples are')} decided. Choose another one`,
  )
}

function isDecided(line: string): boolean {
  try {
    const { guid, new_label: newLabel, drop, checked } = JSON.parse(line) as Record<string, unknown>
    return guid !== undefined && [newLabel, drop, checked].some((field) => !isBlank(field) && field !== false)
  } catch {
    return false
  }
}

/** What a person said of an example: another label, that it goes, or that it was looked at. */
export interface Decision {
  newLabel: string | null
  isDropped: boolean
  isChecked: boolean
}

/**
 * What queues say, by the example's index; later lines and files overrule earlier ones. A label that no example has is told; one that
 * differs from a label only in case or spaces is an InputError, and so is an example that is not in the map.
 */
export async function readDecisions(
  files: readonly string[],
  { examples, labels }: Dynamics,
  onNotice?: (message: string) => void,
): Promise<Map<number, Decision>> {
  const indexOf = new Map(examples.map(({ guid }, i) => [guid, i]))
  const decided = new Map<number, Decision>()
  for await (const { row, id } of readRows(files, { maxBadFraction: 0 })) {
    const place = `${id.file}:${id.line}`
    const fields = row as Record<string, unknown>
    const index = indexOf.get(String(fields.guid))
    if (index === undefined)
      throw new InputError(
        `${place}, field 'guid': expected an example of the map, got ${JSON.stringify(fields.guid) ?? 'nothing'}. Is the queue another run's?`,
      )
    const newLabel = isBlank(fields.new_label) ? null : labelIn(fields.new_label, labels, place)
    const [isDropped, isChecked] = [flagIn(fields, 'drop', place), flagIn(fields, 'checked', place)]
    if (isDropped && newLabel !== null)
      throw new InputError(`${place}: expected either drop or new_label, got both. Decide for one`)
    decided.set(index, { newLabel, isDropped, isChecked })
  }
  const fresh = [...decided.values()].flatMap(({ newLabel }) =>
    newLabel === null || labels.includes(newLabel) ? [] : [newLabel],
  )
  for (const label of new Set(fresh)) {
    const count = fresh.filter((other) => other === label).length
    onNotice?.(
      `new_label '${label}', of ${counted(count, 'example')}, is a label that no example has: it becomes one.${didYouMean(label, labels)}`,
    )
  }
  return decided
}

/** An empty cell of a table is one that nobody filled in. */
const isBlank = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === 'string' && value.trim() === '')

function labelIn(value: unknown, labels: readonly string[], place: string): string {
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new InputError(`${place}, field 'new_label': expected a label or null, got ${JSON.stringify(value)}`)
  const label = String(value)
  if (labels.includes(label)) return label
  const alike = labels.filter((own) => plain(own) === plain(label))
  if (alike.length === 0) return label.trim()
  if (alike.length === 1 && label.trim() === alike[0]) return alike[0]
  throw new InputError(`${place}, field 'new_label': expected ${alike.join(' or ')}, got '${label}'`)
}

const plain = (label: string): string => label.normalize('NFKC').trim().toLowerCase()

/** Programs that show tables write TRUE and FALSE. */
function flagIn(fields: Record<string, unknown>, key: string, place: string): boolean {
  const value = fields[key]
  if (typeof value === 'boolean') return value
  if (isBlank(value)) return false
  const word = String(value).trim().toLowerCase()
  if (word === 'true' || word === '1') return true
  if (word === 'false' || word === '0') return false
  throw new InputError(`${place}, field '${key}': expected true or false, got ${JSON.stringify(value)}`)
}
