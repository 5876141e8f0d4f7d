// A language identifier from files of texts and their languages, as a generator of events, saved as one file.

import { saveLanguageIdentifier } from '../data/language/identifier-file.ts'
import type { LanguageModel } from '../data/language/language-model.ts'
import { trainLanguageIdentifier } from '../data/language/train-identifier.ts'
import { listFiles } from '../data/read/files.ts'
import { checkNotInput, checkOutputFile } from '../files/output-file.ts'
import { counted } from '../report/amounts.ts'
import { eventsOf, type Tell, type WorkEvent } from '../work.ts'
import { readSamples, type SampleColumns } from './read-samples.ts'
import { resolveData } from './resolve-data.ts'

/** What to read, and what to make of it. */
export interface TrainIdentifierOptions extends SampleColumns {
  /** Files or folders with a column of texts and one of labels; or, with `labels`, of text alone. */
  paths: readonly string[]
  /** The file to write. */
  out: string
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
  const samples = await readSamples(options.paths, options, tell)
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
