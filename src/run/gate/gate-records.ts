// Records of how questions went, on disk as they come: a first line that says what was asked of whom, then a line for each question. A run
// that was stopped goes on behind the last whole line.
import { existsSync, readFileSync, truncateSync, type writeSync } from 'node:fs'
import { InputError } from '../../errors.ts'
import type { GateRecord, RecordedAnswer } from '../../eval/gates/gate-record.ts'
import { appendLine } from '../../files/append-line.ts'
import { withDiskFullError } from '../../files/atomic-write.ts'
import { isSameModel } from '../../prompting/base/question-probe.ts'
import { gateQuestion } from './gate-questions.ts'

/** What the answers depend on. */
export interface RecordSettings {
  /** Name and version of the model, and the beginning of its vector of a fixed text, by which models of one name are told apart. */
  model: string
  check: readonly number[]
  /** How many questions there are, and the hash of all of them with their passages. */
  questions: number
  data: string
  k: number
  /** The index by its size, where one is asked: documents and their words. */
  index: string | null
  maxNewTokens: number
  /** The seed by which examples were drawn, null where there were none. */
  shots: number | null
  /** The day that the model was told; not compared. */
  today: string
}

const FORMAT = 1
/** The day is that of the first run. */
const COMPARED = ['model', 'questions', 'data', 'k', 'index', 'maxNewTokens', 'shots'] as const
const SAID: Readonly<Record<(typeof COMPARED)[number], string>> = {
  model: 'model',
  questions: 'number of questions',
  data: 'questions, by their hash',
  k: 'k',
  index: 'index',
  maxNewTokens: 'tokens of an answer',
  shots: 'seed of examples',
}

/** What a file of records holds. */
export interface KeptRecords {
  /** Absent where the file was written by hand. */
  settings: RecordSettings | undefined
  records: GateRecord[]
}

/** Reads records; a last line that a kill has cut is left out, with a notice. InputError for a line that is no record. */
export function readGateRecords(path: string, notice: (message: string) => void = () => {}): KeptRecords {
  const bytes = contentOf(path)
  const end = bytes.lastIndexOf(10) + 1
  const whole = bytes.toString('utf8', 0, end).split('\n').slice(0, -1)
  // Without a line end the last line may still be whole, where somebody else wrote the file.
  const rest = bytes.toString('utf8', end)
  const isCut = rest !== '' && parsed(rest) === undefined
  const lines = rest === '' || isCut ? whole : [...whole, rest]
  if (isCut) notice(`${path}: its last line is cut off and left out`)
  const first = lines[0] === undefined ? undefined : parsed(lines[0])
  const settings = first?.gate_records === undefined ? undefined : settingsOf(path, first)
  const records: GateRecord[] = []
  for (const [i, line] of lines.entries()) {
    if ((i === 0 && settings !== undefined) || line.trim() === '') continue
    records.push(recordOf(parsed(line), `${path}:${i + 1}`))
  }
  if (records.length === 0 && settings === undefined)
    throw new InputError(`${path}: expected records of anneal gate fit, got none`)
  return { settings, records }
}

/** Cuts off what follows the last line end. */
export function dropTornLine(path: string): void {
  const bytes = contentOf(path)
  const end = bytes.lastIndexOf(10) + 1
  if (end < bytes.length) truncateSync(path, end)
}

/** Begins a file where there is none; then each call adds a record. DiskFullError names the file, which keeps its whole lines. */
export function recordWriter(
  path: string,
  settings: RecordSettings,
  write?: typeof writeSync,
): (record: GateRecord) => void {
  const add = (value: object): void => withDiskFullError(path, 0, () => appendLine(path, JSON.stringify(value), write))
  if (!existsSync(path)) add({ gate_records: FORMAT, ...settings })
  return add
}

/** InputError, in one line, where records are not of these settings. Only what is given is compared. */
export function checkRecordSettings(path: string, kept: RecordSettings, given: Partial<RecordSettings>): void {
  const refuse = (what: string, had: unknown, got: unknown): never => {
    throw new InputError(
      `${path}: expected answers of the ${what} that is asked for (${String(got ?? 'none')}), got those of ${String(had ?? 'none')}. Choose another file for the records, or remove this one`,
    )
  }
  for (const name of COMPARED)
    if (given[name] !== undefined && given[name] !== kept[name]) refuse(SAID[name], kept[name], given[name])
  if (given.check !== undefined && !isSameModel(given.check, kept.check))
    refuse('model', `another one that is called ${kept.model}, too`, kept.model)
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new InputError(`${path}: expected a file of records, got ${(cause as NodeJS.ErrnoException).code}`, { cause })
  }
}

function parsed(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function settingsOf(path: string, { gate_records: version, ...told }: Record<string, unknown>): RecordSettings {
  if (version !== FORMAT)
    throw new InputError(`${path}:1: expected records of version ${FORMAT}, got ${JSON.stringify(version)}`)
  const { model, check, questions, data } = told
  const isSound =
    typeof model === 'string' && isNumbers(check) && Number.isSafeInteger(questions) && typeof data === 'string'
  if (!isSound) throw new InputError(`${path}:1: expected what anneal gate fit was asked for, got something else`)
  return told as unknown as RecordSettings
}

const isNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.every(Number.isFinite)
const isShare = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1

/** Whoever wrote the file: nothing of a record is taken on trust. */
function recordOf(row: Record<string, unknown> | undefined, place: string): GateRecord {
  const check = (isSound: boolean, what: string): void => {
    if (!isSound) throw new InputError(`${place}: expected a record ${what}. anneal gate fit writes them`)
  }
  check(row !== undefined, 'in JSON, got something else')
  const { passages: _, ...question } = gateQuestion(row!, place)
  const { closed, retrieved, checks, spent } = row as unknown as GateRecord
  check(
    typeof closed?.text === 'string' && typeof retrieved?.text === 'string',
    'with a `text` of both `closed` and `retrieved`, got one without',
  )
  const { logprobs, entropies, pTrue } = closed as RecordedAnswer
  check(
    logprobs === undefined || (isNumbers(logprobs) && logprobs.every((value) => value <= 0)),
    'with `logprobs` of numbers up to 0, got others',
  )
  check(
    entropies === undefined || (isNumbers(entropies) && entropies.every((value) => value >= 0)),
    'with `entropies` of numbers of at least 0, got others',
  )
  check(pTrue === undefined || isShare(pTrue), 'with a `pTrue` from 0 to 1, got another')
  for (const one of Object.values(checks ?? {}))
    check(
      isShare(one?.yes) && typeof one?.text === 'string',
      'with `checks` of `yes` from 0 to 1 and `text`, got others',
    )
  for (const one of Object.values(spent ?? {}))
    check(
      one !== null && isNumbers([one?.seconds, one?.promptTokens, one?.newTokens]) && one!.seconds >= 0,
      'with `spent` of `seconds`, `promptTokens` and `newTokens`, got others',
    )
  return {
    ...question,
    closed,
    retrieved,
    ...(checks !== undefined && { checks }),
    ...(spent !== undefined && { spent }),
  }
}
