// Tokenizers on texts of several languages: how many tokens a word takes in each (text/fertility.ts).
import { listFiles } from '../data/read/files.ts'
import { readDocuments } from '../data/read/sources.ts'
import { InputError, UsageError } from '../errors.ts'
import { isGguf, loadGgufTokenizer } from '../gguf/load-parts.ts'
import { counted, percent } from '../report/amounts.ts'
import { type Fertility, FertilityCounter } from '../text/fertility.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { hasTokenizer } from '../text/tokenizer-files.ts'
import { eventsOf, type Tell, turn, type WorkEvent } from '../work.ts'
import { resolveData } from './resolve-data.ts'
import { resolveModelPath } from './resolve-model.ts'

/** Which tokenizers are measured on which texts. */
export interface MeasureFertilityOptions {
  /** Directories with a tokenizer.json, GGUF files, or names on the hub. */
  tokenizers: readonly string[]
  /** Files or folders, with a language (BCP 47) in front where words need one: `da=corpus/`, `ja=text.jsonl`. */
  texts: readonly string[]
  /** Field that holds the text of a row. Default `text`. */
  textKey?: string | undefined
  /** The share of lines that may be bad, 0 to 1; they are left out. Default 0.001. */
  maxBadFraction?: number | undefined
}

/** One tokenizer on one text. */
export interface MeasuredFertility extends Fertility {
  tokenizer: string
  text: string
  language?: string
}

/** Every tokenizer on every text, texts in the order given. */
export interface FertilityTable {
  rows: MeasuredFertility[]
}

/**
 * Measures every tokenizer on every text.
 *
 * @example
 * const { rows } = await resultOf(measureFertility({ tokenizers: ['models/base', 'runs/danish'], texts: ['da=da.txt', 'en=en.txt'] }))
 */
export function measureFertility(
  options: MeasureFertilityOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, FertilityTable> {
  return eventsOf((watch) => work(options, watch), { signal })
}

async function work(
  { tokenizers, texts, textKey = 'text', maxBadFraction = 0.001 }: MeasureFertilityOptions,
  watch: { signal: AbortSignal; tell: Tell },
): Promise<FertilityTable> {
  const { tell } = watch
  if (tokenizers.length === 0) throw new UsageError('tokenizers: expected at least one, got none')
  if (texts.length === 0) throw new UsageError('texts: expected at least one file or folder, got none')
  const asked: { path: string; paths: string[]; language?: string }[] = []
  for (const text of texts.map(parseText)) {
    const paths = await resolveData([text.path], watch)
    listFiles(paths) // what is not there is said before an hour of counting
    asked.push({ ...text, paths })
  }
  const opened: [string, Tokenizer][] = []
  for (const name of tokenizers) opened.push([name, await open(name, watch)])
  tell({
    type: 'started',
    work: 'fertility',
    message: `${counted(opened.length, 'tokenizer')} on ${counted(texts.length, 'text')}`,
  })
  const rows: MeasuredFertility[] = []
  for (const { path, paths, language } of asked) {
    const counters = opened.map(([name, tokenizer]) => ({ name, counter: new FertilityCounter(tokenizer, language) }))
    const documents = readDocuments(paths, {
      textKey,
      maxBadFraction,
      onNotice: (message) => tell({ type: 'notice', message }),
    })
    let done = 0
    for await (const { text } of documents) {
      for (const { counter } of counters) counter.add(text)
      if (++done % 64 === 0) {
        tell({ type: 'progress', label: `counting ${path}`, done, unit: 'documents' })
        await turn(watch)
      }
    }
    for (const { name, counter } of counters) {
      const { result } = counter
      if (result.words === 0)
        throw new InputError(`${path}: expected words, got ${counted(result.documents, 'document')} without any`)
      const row = { tokenizer: name, text: path, ...(language !== undefined && { language }), ...result }
      rows.push(row)
      tell({ type: 'row', table: 'fertility', row: shown(row) })
    }
  }
  const result = { rows }
  tell({ type: 'result', result })
  return result
}

/** `da=corpus/`: a language of Intl's kind in front of a path. */
function parseText(text: string): { path: string; language?: string } {
  const [, language, path] = /^([A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*)=(.+)$/.exec(text) ?? []
  return language === undefined ? { path: text } : { path: path!, language }
}

async function open(name: string, watch: { signal: AbortSignal; tell: Tell }): Promise<Tokenizer> {
  const path = await resolveModelPath(name, watch, 'tokenizer')
  const inGguf = isGguf(path) ? await loadGgufTokenizer(path) : undefined
  if (inGguf !== undefined) return inGguf
  if (hasTokenizer(path)) return Tokenizer.fromDirectory(path)
  throw new InputError(
    `${name}: expected a directory with tokenizer.json, a .gguf file or a name on the hub, got none of them. Check the path`,
  )
}

const shown = ({
  tokenizer,
  text,
  words,
  fertility,
  continued,
  bytesPerToken,
  unknown,
}: MeasuredFertility): Record<string, string> => ({
  text,
  tokenizer,
  words: words.toLocaleString('en'),
  'tokens/word': fertility.toFixed(3),
  'words cut': percent(continued),
  'bytes/token': bytesPerToken.toFixed(2),
  unknown: percent(unknown),
})
