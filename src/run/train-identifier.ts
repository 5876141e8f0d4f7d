// A language identifier from files of texts and their languages, as a generator of events, saved as one file.

import { saveLanguageIdentifier } from '../data/language/identifier-file.ts'
import type { LanguageModel } from '../data/language/language-model.ts'
import { type LanguageSample, trainLanguageIdentifier } from '../data/language/train-identifier.ts'
import { listFiles } from '../data/read/files.ts'
import { readRows } from '../data/read/sources.ts'
import { InputError } from '../errors.ts'
import { checkNotInput, checkOutputFile } from '../files/output-file.ts'
import { counted } from '../report/amounts.ts'
import { eventsOf, type Tell, type WorkEvent } from '../work.ts'
import { resolveData } from './resolve-data.ts'

/** What to read, and what to make of it. */
export interface TrainIdentifierOptions {
  /** Files or folders with a column of texts and one of labels; or, with `labels`, of text alone. */
  paths: readonly string[]
  /** The file to write. */
  out: string
  /** Columns. Default `text` and `label`. */
  textColumn?: string
  labelColumn?: string
  /** Names the columns of .csv and .tsv files that have no header. */
  columns?: readonly string[]
  /** The share of lines that may be bad, 0 to 1; they are left out. Default 0.001. */
  maxBadFraction?: number
  /** Rows of the table as a power of two. Default: what makes a file of some 512 KiB. */
  bits?: number
  epochs?: number
  seed?: number
  /** What the file says of its sources: for people, and for whoever asks whether it may be passed on. */
  sources?: string
  signal?: AbortSignal
}

/** The result's keys are those that programs read. */
export interface TrainedIdentifier {
  out: string
  labels: readonly string[]
  texts: number
  macro_f1: number
}

/**
 * Trains, tells of epochs as progress and of every label how it is told from the others, and saves.
 *
 * @example
 * for await (const event of trainIdentifier({ paths: ['nordic.jsonl'], out: 'nordic.lid' })) console.log(event.type)
 */
export async function* trainIdentifier(options: TrainIdentifierOptions): AsyncGenerator<WorkEvent, TrainedIdentifier> {
  checkOutputFile(options.out, 'out')
  yield { type: 'started', work: 'language identifier' }
  const result = yield* eventsOf(
    async (watch) => work({ ...options, paths: await resolveData(options.paths, watch) }, watch.tell),
    { signal: options.signal },
  )
  const lines = [
    `${counted(result.labels.length, 'label')} from ${counted(result.texts, 'text')}; macro-F1 of held-out texts ${result.macro_f1.toFixed(3)} → ${result.out}`,
  ]
  yield { type: 'result', result, lines }
  return result
}

async function work(options: TrainIdentifierOptions, tell: Tell): Promise<TrainedIdentifier> {
  const { out, bits, epochs = 10, seed, sources } = options
  checkNotInput(out, 'out', listFiles(options.paths))
  const samples = await readSamples(options, tell)
  const model = trainLanguageIdentifier(samples, {
    name: nameOf(out),
    epochs,
    ...(bits !== undefined && { bits }),
    ...(seed !== undefined && { seed }),
    about: sources === undefined ? {} : { sources },
    onEpoch: ({ epoch }) => tell({ type: 'progress', label: 'learning', done: epoch, total: epochs, unit: 'epochs' }),
  })
  const { texts, held } = tellOf(model, tell)
  saveLanguageIdentifier(model, out)
  tell({ type: 'saved', what: 'identifier', path: out })
  return { out, labels: model.labels, texts, macro_f1: held.macro_f1 }
}

async function readSamples(options: TrainIdentifierOptions, tell: Tell): Promise<LanguageSample[]> {
  const { paths, textColumn = 'text', labelColumn = 'label', columns, maxBadFraction = 0.001 } = options
  const samples: LanguageSample[] = []
  let empty = 0
  const onNotice = (message: string): void => tell({ type: 'notice', message })
  for await (const { row, id } of readRows(paths, { onNotice, maxBadFraction, ...(columns && { columns }) })) {
    const fields: Readonly<Record<string, unknown>> = typeof row === 'string' ? { text: row } : row
    const [text, given] = [fields[textColumn], fields[labelColumn]]
    const label = typeof given === 'number' ? String(given) : given // as in a table, where 0 and 1 are words too
    for (const [value, column] of [
      [text, textColumn],
      [label, labelColumn],
    ] as const)
      if (typeof value !== 'string')
        throw new InputError(
          `${id.file}:${id.line}: expected a text in column '${column}', got ${JSON.stringify(value) ?? `columns ${Object.keys(fields).slice(0, 20).join(', ')}`}`,
        )
    if ((text as string).trim() === '' || (label as string).trim() === '') empty++
    else samples.push({ text: text as string, label: (label as string).trim() })
  }
  if (empty > 0) onNotice(`${counted(empty, 'row')} with an empty text or label left out`)
  return samples
}

function tellOf(model: LanguageModel, tell: Tell): { texts: number; held: { macro_f1: number } } {
  const about = model.parts.about as {
    texts: Record<string, number>
    held_out: { macro_f1: number; f1: Record<string, number> }
  }
  for (const label of model.labels) {
    const row = { label, texts: about.texts[label]!, f1: about.held_out.f1[label]! }
    tell({ type: 'row', table: 'held-out texts', row })
  }
  return { texts: Object.values(about.texts).reduce((a, b) => a + b, 0), held: about.held_out }
}

/** `models/nordic.lid` → `nordic`. */
function nameOf(file: string): string {
  return file.replace(/^.*[/\\]/, '').replace(/\.[^.]*$/, '') || 'own'
}
