// A byte-level BPE tokenizer from files of text, as a generator of events, saved where models can find it.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readDocuments } from '../data/read/sources.ts'
import { UsageError } from '../errors.ts'
import { takeOutputDirectory } from '../files/output-directory.ts'
import { counted } from '../report/amounts.ts'
import { type BpeOptions, trainBpe } from '../text/bpe.ts'
import { END_OF_TEXT, SPECIAL_TOKENS } from '../text/special-tokens.ts'
import { eventsOf, type Tell, type WorkEvent } from '../work.ts'
import { resolveData } from './resolve-data.ts'

export interface TrainTokenizerOptions {
  /** Files or folders: text, Markdown, JSONL (.gz), CSV, TSV, Parquet. */
  paths: readonly string[]
  /** Folder for tokenizer.json; must not have one. */
  out: string
  /** Ids in all: special tokens, 256 bytes, merges. */
  vocabSize: number
  /** More control tokens than the end of a text and ChatML's marks. */
  specialTokens?: readonly string[]
  /** A rarer pair is never merged. Default 2. */
  minFrequency?: number
  preTokenizer?: BpeOptions['preTokenizer']
  /** Field that holds the text of a row. Default `text`. */
  textKey?: string
  /** The share of lines that may be bad, 0 to 1; they are left out. Default 0.001. */
  maxBadFraction?: number
  signal?: AbortSignal
}

/** The result's keys are those that programs read. */
export interface TrainedTokenizer {
  vocab_size: number
  documents: number
  out: string
}

/**
 * Trains and saves. UsageError where the vocabulary is too small or `out` has a tokenizer already.
 *
 * @example
 * for await (const event of trainTokenizer({ paths: ['corpus/'], out: 'runs/tokenizer', vocabSize: 8192 })) console.log(event.type)
 */
export async function* trainTokenizer(options: TrainTokenizerOptions): AsyncGenerator<WorkEvent, TrainedTokenizer> {
  const { out, vocabSize, signal } = options
  const specialTokens = [...new Set([...SPECIAL_TOKENS, ...(options.specialTokens ?? [])])]
  const least = 256 + specialTokens.length
  if (vocabSize < least) {
    throw new UsageError(
      `vocabSize: expected at least ${least} (256 bytes and ${specialTokens.length} special tokens), got ${vocabSize}`,
    )
  }
  if (existsSync(join(out, 'tokenizer.json'))) {
    throw new UsageError(
      `out: expected a folder without a tokenizer, got ${out}, whose models would no longer fit. Choose another one, or remove its tokenizer.json`,
    )
  }
  const giveBack = takeOutputDirectory(out, 'out')
  try {
    yield { type: 'started', work: 'tokenizer' }
    const result = yield* eventsOf(
      async (watch) => train({ ...options, paths: await resolveData(options.paths, watch) }, specialTokens, watch.tell),
      { signal },
    )
    const lines = [`${counted(result.vocab_size, 'token')} from ${counted(result.documents, 'document')} → ${out}`]
    yield { type: 'result', result, lines }
    return result
  } finally {
    giveBack()
  }
}

async function train(
  { paths, out, vocabSize, minFrequency, preTokenizer, textKey = 'text', maxBadFraction }: TrainTokenizerOptions,
  specialTokens: string[],
  tell: Tell,
): Promise<TrainedTokenizer> {
  const notice = (message: string): void => tell({ type: 'notice', message })
  const documents = readDocuments(paths, {
    textKey,
    onNotice: notice,
    ...(maxBadFraction !== undefined && { maxBadFraction }),
  })
  const { tokenizer } = await trainBpe(texts(documents), {
    vocabSize,
    specialTokens,
    roles: { eos: END_OF_TEXT, pad: END_OF_TEXT },
    ...(minFrequency !== undefined && { minFrequency }),
    ...(preTokenizer !== undefined && { preTokenizer }),
    onProgress: ({ phase, done, total }) =>
      tell(
        phase === 'count'
          ? { type: 'progress', label: 'reading', done, unit: 'bytes' }
          : { type: 'progress', label: 'merging', done, unit: 'tokens', ...(total !== undefined && { total }) },
      ),
  })
  if (tokenizer.vocabSize < vocabSize) {
    const frequency = minFrequency ?? 2
    const rarer = frequency > 1 ? ', lower the minimum frequency' : ''
    notice(
      `the text gives ${counted(tokenizer.vocabSize, 'token')} of the ${vocabSize.toLocaleString('en')} asked for: no pair is left that comes ` +
        `${frequency === 1 ? 'once' : `${frequency} times`}. Give more text${rarer}, or ask for fewer`,
    )
  }
  await tokenizer.save(out)
  return { vocab_size: tokenizer.vocabSize, documents: documents.report.documents, out }
}

async function* texts(documents: AsyncIterable<{ text: string }>): AsyncGenerator<string> {
  for await (const { text } of documents) yield text
}
