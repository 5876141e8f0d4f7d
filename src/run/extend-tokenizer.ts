// A model with a vocabulary that fits another language: tokens learnt on its text, and a row for each in the embedding and the head, as a
// generator of events.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { datedSteps, writeModel } from '../checkpoint/model-directory/write-model.ts'
import { readDocuments } from '../data/read/sources.ts'
import { onSide, type Side } from '../data/split.ts'
import { InputError, UsageError } from '../errors.ts'
import { extendVocabulary } from '../model/extend-vocabulary.ts'
import { counted, percent } from '../report/amounts.ts'
import { extendBpe, type NewToken } from '../text/extend-bpe.ts'
import { type Fertility, FertilityCounter } from '../text/fertility.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { eventsOf, type Watch, type WorkEvent } from '../work.ts'
import { refuseQuantized } from './edit/edit-model.ts'
import { checkTarget, takeTarget } from './edit/edit-target.ts'
import { fittingTokenizer } from './edit/edit-windows.ts'
import { loadModel } from './load-model.ts'
import { modelSource, sourceConfig } from './model-source.ts'
import { resolveData } from './resolve-data.ts'
import { resolveModels } from './resolve-model.ts'
import { bringCompanions, hashSource } from './source-files.ts'

/** Which model gets which new tokens. */
export interface ExtendTokenizerOptions {
  /** A model directory, an adapter's directory, or a name on the hub. */
  model: string
  /** Files or folders of the language to learn: text, Markdown, JSONL (.gz), CSV, TSV, Parquet. */
  paths: readonly string[]
  /** A new or empty folder for model and tokenizer. */
  out: string
  /** Tokens to add; default 4000. */
  newTokens?: number
  /** A rarer pair is never merged. Default 2. */
  minFrequency?: number
  /** Field that holds the text of a row. Default `text`. */
  textKey?: string
  /** The share of lines that may be bad, 0 to 1; they are left out. Default 0.001. */
  maxBadFraction?: number
  /** Lets a model in `out` be replaced. */
  overwrite?: boolean
}

/** The result's keys are those that programs read. */
export interface ExtendedTokenizer {
  out: string
  vocab_size_before: number
  vocab_size: number
  new_tokens: number
  documents: number
  /** Tokens a word before and after, on documents that nothing was learnt from where there are enough. */
  fertility_before: number
  fertility: number
  held_out: boolean
}

/** The share of documents that fertility is measured on, and how many documents that takes at least. */
const HELD = 0.05
const LEAST_HELD = 20

/**
 * Learns tokens, gives them rows that begin as the mean of their pieces' rows, and writes model and tokenizer to `out`. Old ids stay.
 *
 * @example
 * const { fertility } = await resultOf(extendTokenizer({ model: 'models/base', paths: ['danish/'], out: 'models/base-da', newTokens: 8000 }))
 */
export function extendTokenizer(
  options: ExtendTokenizerOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, ExtendedTokenizer> {
  return eventsOf((watch) => work(options, watch), { signal })
}

async function work(given: ExtendTokenizerOptions, watch: Watch): Promise<ExtendedTokenizer> {
  const { out, newTokens = 4000, minFrequency, overwrite = false } = given
  const { model: path } = await resolveModels({ model: given.model }, watch)
  const source = modelSource(path)
  if (source.isGguf)
    throw new UsageError(
      `model: expected the directory of a model, got the GGUF file ${path}. Make one of it first: anneal export --to hf --model ${path} --out DIR`,
    )
  refuseQuantized({ source, config: sourceConfig(source) }, 'extend its vocabulary')
  checkTarget(source, out, overwrite)
  const paths = await resolveData(given.paths, watch)
  const old = await fittingTokenizer(source, sourceConfig(source))
  watch.tell?.({ type: 'started', work: 'tokenizer' })
  const giveBack = takeTarget(out)
  try {
    const texts = new Texts(paths, given, watch)
    const { tokenizer, added } = await extendBpe(old, texts.of('train'), {
      newTokens,
      ...(minFrequency !== undefined && { minFrequency }),
      ...(watch.signal && { signal: watch.signal }),
      onProgress: ({ phase, done, total }) =>
        watch.tell?.(
          phase === 'count'
            ? { type: 'progress', label: 'reading', done, unit: 'documents' }
            : { type: 'progress', label: 'merging', done, unit: 'tokens', ...(total !== undefined && { total }) },
        ),
    })
    const notice = (message: string): void => watch.tell?.({ type: 'notice', message })
    if (added.length === 0)
      throw new InputError(
        `${paths.join(', ')}: expected pairs of tokens that come ${minFrequency ?? 2} times or more, got none. Give more text`,
      )
    if (added.length < newTokens)
      notice(
        `the text gives ${counted(added.length, 'token')} of the ${newTokens.toLocaleString('en')} asked for. Give more text, lower the minimum frequency, or ask for fewer`,
      )
    const measured = await fertilities(texts, old, tokenizer)
    if (!measured.isHeldOut)
      notice(
        `fertility is measured on the text that tokens were learnt from, which has ${counted(texts.read, 'document')}: on other text it is higher`,
      )
    const { before, after, isHeldOut } = measured
    const result: ExtendedTokenizer = {
      out,
      vocab_size_before: old.vocabSize,
      vocab_size: tokenizer.vocabSize,
      new_tokens: added.length,
      documents: texts.read,
      fertility_before: before.fertility,
      fertility: after.fertility,
      held_out: isHeldOut,
    }
    await write(source, out, {
      tokenizer,
      added,
      paths,
      result,
      options: { newTokens, minFrequency: minFrequency ?? 2 },
    })
    watch.tell?.({ type: 'saved', what: 'model', path: out })
    watch.tell?.({ type: 'result', result, lines: linesOf(result, before, after, added, tokenizer) })
    return result
  } finally {
    giveBack()
  }
}

/** The documents of the paths: all, or one side of those. */
class Texts {
  read = 0
  private readonly paths: readonly string[]
  private readonly options: Pick<ExtendTokenizerOptions, 'textKey' | 'maxBadFraction'>
  private readonly watch: Watch
  private isTold = false

  constructor(
    paths: readonly string[],
    options: Pick<ExtendTokenizerOptions, 'textKey' | 'maxBadFraction'>,
    watch: Watch,
  ) {
    this.paths = paths
    this.options = options
    this.watch = watch
  }

  async *of(side: Side | 'all'): AsyncGenerator<string> {
    const { textKey = 'text', maxBadFraction } = this.options
    const { tell } = this.watch
    const documents = readDocuments(this.paths, {
      textKey,
      ...(!this.isTold && { onNotice: (message: string) => tell?.({ type: 'notice', message }) }),
      ...(maxBadFraction !== undefined && { maxBadFraction }),
    })
    this.isTold = true
    for await (const { text } of side === 'all' ? documents : onSide(documents, side, { fraction: HELD })) yield text
    this.read = documents.report.documents
  }
}

async function fertilities(
  texts: Texts,
  old: Tokenizer,
  extended: Tokenizer,
): Promise<{ before: Fertility; after: Fertility; isHeldOut: boolean }> {
  const measure = async (side: Side | 'all'): Promise<[Fertility, Fertility]> => {
    const counters = [new FertilityCounter(old), new FertilityCounter(extended)] as const
    for await (const text of texts.of(side)) for (const counter of counters) counter.add(text)
    return [counters[0].result, counters[1].result]
  }
  const [before, after] = await measure('validation')
  if (before.documents >= LEAST_HELD) return { before, after, isHeldOut: true }
  const [all, allAfter] = await measure('all')
  return { before: all, after: allAfter, isHeldOut: false }
}

interface Written {
  tokenizer: Tokenizer
  added: readonly NewToken[]
  paths: readonly string[]
  result: ExtendedTokenizer
  options: Record<string, unknown>
}

/** What describes the old vocabulary in other words; a reader would take one of these for it. */
const OTHER_VOCABULARIES = ['tokenizer.model', 'vocab.json', 'merges.txt', 'added_tokens.json', 'spiece.model']

async function write(
  source: ReturnType<typeof modelSource>,
  out: string,
  { tokenizer, added, paths, result, options }: Written,
): Promise<void> {
  const { model, lineage, steps } = await loadModel(source, { onto: 'dequantized', device: 'cpu' })
  try {
    extendVocabulary(model, added, Math.max(model.config.vocabSize, tokenizer.vocabSize))
    const { out: _, ...report } = result
    const step = { pass: 'extend-tokenizer', options: { data: paths, ...options }, report }
    await writeModel(out, {
      model,
      companions: async (directory) => {
        await bringCompanions(source, directory)
        for (const name of OTHER_VOCABULARIES) rmSync(join(directory, name), { force: true })
        await tokenizer.save(directory)
      },
      lineage: [...lineage, ...datedSteps([...steps, step], hashSource(source), source.base)],
    })
  } finally {
    model.free()
  }
}

function linesOf(
  result: ExtendedTokenizer,
  before: Fertility,
  after: Fertility,
  added: readonly NewToken[],
  tokenizer: Tokenizer,
): string[] {
  const { vocab_size_before: from, vocab_size: to, documents, held_out, out } = result
  const longest = added
    .toSorted((a, b) => b.pieces.length - a.pieces.length)
    .slice(0, 5)
    .map(({ id, pieces }) => `${tokenizer.decode([id]).trim()} (${pieces.length})`)
  return [
    `${counted(result.new_tokens, 'new token')} from ${counted(documents, 'document')}: ${from.toLocaleString('en')} → ${to.toLocaleString('en')}`,
    `tokens a word ${before.fertility.toFixed(3)} → ${after.fertility.toFixed(3)}, words cut ${percent(before.continued)} → ${percent(after.continued)}${held_out ? ', on documents that nothing was learnt from' : ''}`,
    `in the place of most old tokens: ${longest.join(', ')}`,
    `→ ${out}`,
  ]
}
