// A model and how it answered questions: read from records where they are whole, else asked, kept as they come, and gone on with.
import { existsSync } from 'node:fs'
import { UsageError } from '../../errors.ts'
import type { GateLabel, GateRecord } from '../../eval/gates/gate-record.ts'
import { hashText } from '../../files/hash.ts'
import type { Engine } from '../../infer/engine.ts'
import type { Lm } from '../../lm/lm.ts'
import { CHECK_TEXT, questionVector } from '../../prompting/base/question-probe.ts'
import { type IndexInfo, indexInfo, openIndex, type SearchIndex } from '../../retrieve/store/search-index.ts'
import type { Watch } from '../../work.ts'
import { type LoadLmOptions, loadLm } from '../load-lm.ts'
import { type GateQuestionRow, readGateQuestions } from './gate-questions.ts'
import {
  checkRecordSettings,
  dropTornLine,
  type KeptRecords,
  type RecordSettings,
  readGateRecords,
  recordWriter,
} from './gate-records.ts'
import { recordAnswers } from './record-answers.ts'
import { relationShots } from './shots.ts'

/** Where questions and answers come from. */
export interface GateSource extends Pick<LoadLmOptions, 'device' | 'dtype'> {
  /** As `loadLm` takes it. */
  model: string
  /** Records as JSONL: what the file has of the questions is not asked again, and the rest is added to it. */
  records: string
  /** Files of questions with answers; needed where there are no records. */
  data?: readonly string[]
  /** An index of documents, for questions that come without. */
  index?: string | undefined
  /** Documents at most. Default 1, or as the records have it. */
  k?: number | undefined
  /** Before each question one question with its answer of each other relation, from the part that gates are fitted on. Default false. */
  shots?: boolean
  /** Default `better`. */
  label?: GateLabel
  /** Of the split, the start, the order and the examples. Default 0. */
  seed?: number
}

const MAX_NEW_TOKENS = 15
/** Numbers of the model's vector that are kept to know it again. */
const CHECK_NUMBERS = 64

/** Loads the model and gives it with its records to `use`. InputError where records are there that are not of this model, these questions and this k. */
export async function withGateRecords<R>(
  source: GateSource,
  watch: Watch,
  use: (lm: Engine, records: GateRecord[]) => Promise<R>,
): Promise<R> {
  const { model, records: path, data = [], index, k, seed = 0, device, dtype } = source
  const notice = (message: string): void => watch.tell?.({ type: 'notice', message })
  const kept = existsSync(path) ? readGateRecords(path, notice) : undefined
  if (kept === undefined && data.length === 0)
    throw new UsageError(
      `records: expected a file that is there, or questions to ask as \`data\`, got neither (${path})`,
    )
  if (kept !== undefined && kept.settings === undefined && data.length > 0)
    throw new UsageError(
      `records: expected a file that was begun with these questions, got ${path}, which does not say what was asked. Leave \`data\` out, or choose another file`,
    )
  const questions = data.length === 0 ? undefined : await readGateQuestions(data, notice)
  const asked = questions && questionSettings(questions, source, notice)
  // Examples are drawn from the part that gates are fitted on, so that they hold for one seed.
  const hasShots = source.shots || typeof kept?.settings?.shots === 'number'
  const given = { ...asked, ...(k !== undefined && { k }), ...(hasShots && { shots: seed }) }
  // Before the model is loaded, which takes longest.
  if (kept?.settings !== undefined) checkRecordSettings(path, kept.settings, given)
  const lm = await loadLm(model, { ...(device && { device }), ...(dtype && { dtype }) })
  try {
    const own = { model: nameOf(lm, model), check: await checkOf(lm) }
    if (kept?.settings !== undefined) checkRecordSettings(path, kept.settings, own)
    if (questions === undefined) return await use(lm, whole(path, kept!, notice))
    const settings: RecordSettings = kept?.settings ?? {
      ...own,
      ...asked!,
      k: k ?? 1,
      maxNewTokens: MAX_NEW_TOKENS,
      shots: source.shots ? seed : null,
      today: new Date().toISOString().slice(0, 10),
    }
    return await use(lm, await answered(lm, questions, kept?.records ?? [], settings, { path, index, notice, watch }))
  } finally {
    lm.free()
  }
}

interface Place {
  path: string
  index: string | undefined
  notice: (message: string) => void
  watch: Watch
}

/** All records: those that are kept, and those that are asked now. */
async function answered(
  lm: Lm,
  questions: readonly GateQuestionRow[],
  kept: readonly GateRecord[],
  settings: RecordSettings,
  { path, index, notice, watch }: Place,
): Promise<GateRecord[]> {
  if (kept.length === questions.length) return [...kept]
  if (kept.length > 0)
    notice(`going on with ${path}: ${kept.length} of ${questions.length} questions are answered and not asked again`)
  if (existsSync(path)) dropTornLine(path)
  const examples = settings.shots === null ? '' : relationShots(questions, settings.shots).slice(kept.length)
  let retriever: SearchIndex | undefined
  try {
    if (settings.index !== null) retriever = openIndex(index!)
    const add = recordWriter(path, settings)
    const made = await recordAnswers(
      lm,
      questions.slice(kept.length),
      {
        k: settings.k,
        maxNewTokens: settings.maxNewTokens,
        examples,
        checks: ['vanilla', 'taare'],
        today: settings.today,
        onRecord: add,
        ...(retriever !== undefined && { retriever }),
      },
      watch,
    )
    return [...kept, ...made]
  } finally {
    retriever?.close()
  }
}

/** Records that are used as they are. */
function whole(path: string, { settings, records }: KeptRecords, notice: (message: string) => void): GateRecord[] {
  if (settings === undefined) notice(`${path}: nothing says which model gave these answers: that is not checked`)
  else if (records.length < settings.questions)
    notice(
      `${path}: ${records.length} of ${settings.questions} questions are answered; with the questions as data the rest is asked`,
    )
  return records
}

/** What of the settings the questions decide. UsageError where some need an index and there is none. */
function questionSettings(
  questions: readonly GateQuestionRow[],
  { index }: Pick<GateSource, 'index'>,
  notice: (message: string) => void,
): Pick<RecordSettings, 'questions' | 'data' | 'index'> {
  const bare = questions.findIndex(({ passages }) => passages === undefined)
  if (bare >= 0 && index === undefined)
    throw new UsageError(`index: expected one, as question ${bare + 1} comes without \`passages\`, got none`)
  if (bare < 0 && index !== undefined) notice(`${index}: not asked, as every question comes with its passages`)
  const { documents, tokens, settings } = bare < 0 ? NO_INDEX : indexInfo(index!)
  if (settings?.embedding !== undefined)
    notice(`${index}: asked by its words; its vectors (${settings.embedding.name}) are not asked`)
  return {
    questions: questions.length,
    data: hashText(JSON.stringify(questions)).slice(0, 16),
    index: bare < 0 ? null : `${documents} documents, ${tokens} words`,
  }
}

const NO_INDEX: Pick<IndexInfo, 'documents' | 'tokens'> & Partial<Pick<IndexInfo, 'settings'>> = {
  documents: 0,
  tokens: 0,
}

const nameOf = ({ info }: Lm, model: string): string =>
  info === undefined ? model : info.revision === undefined ? info.name : `${info.name} at ${info.revision}`

async function checkOf(lm: Lm): Promise<number[]> {
  if (lm.hidden === undefined || lm.layers === undefined) return []
  const vector = await questionVector(lm, CHECK_TEXT, lm.layers)
  return Array.from(vector.subarray(0, CHECK_NUMBERS), (value) => Number(value.toPrecision(5)))
}
