// What is known of languages: a table that is given, shares that are counted, and what a model makes of parallel sentences.
import { readDocuments, readRows } from '../../data/read/sources.ts'
import { InputError, UsageError } from '../../errors.ts'
import { subwordOverlap } from '../../eval/transfer/overlap.ts'
import { sentenceSimilarity } from '../../eval/transfer/sentence-similarity.ts'
import type { KnownLanguage } from '../../eval/transfer/transfer.ts'
import type { Lm } from '../../lm/lm.ts'
import { counted } from '../../report/amounts.ts'
import type { Tell } from '../../work.ts'

/** Texts of one language, as `da=corpus/` names them. */
export interface NamedTexts {
  language: string
  path: string
}

/** `da=corpus/` → its language and path; UsageError without a language. `option` says in the message what it stands for. */
export function namedTexts(text: string, option: string): NamedTexts {
  const at = text.indexOf('=')
  if (at > 0 && at < text.length - 1) return { language: text.slice(0, at), path: text.slice(at + 1) }
  throw new UsageError(`${option}: expected a language and a path such as da=texts.txt, got ${text}`)
}

/** Rows with `language`, columns of numbers, and a `seed` where they are others for every seed (CSV, JSON lines, …). */
export async function readPredictors(path: string): Promise<KnownLanguage[]> {
  const known: KnownLanguage[] = []
  for await (const { row, id } of readRows(path)) {
    const { language, seed, ...values } = row as Readonly<Record<string, unknown>>
    const place = `${id.file}:${id.line ?? ''}`
    if (typeof language !== 'string' || language === '')
      throw new InputError(
        `${place}: expected a language, got ${JSON.stringify(language) ?? 'nothing'}. Name it in a column language`,
      )
    const numbers = Object.entries(values).flatMap(([name, value]) => {
      if (value === '' || value === null) return [] // not known of this language; what needs it says so
      const number = typeof value === 'number' ? value : Number(value)
      if (Number.isFinite(number)) return [[name, number] as const]
      throw new InputError(
        `${place}: expected a number for ${name}, got ${JSON.stringify(value)}. Leave the column out, or put numbers in it`,
      )
    })
    const own = { language, ...(seed !== undefined && seed !== '' && seed !== null && { seed: String(seed) }) }
    if (known.some((one) => one.language === own.language && one.seed === own.seed))
      throw new InputError(
        `${place}: expected each language once${own.seed === undefined ? '' : ' for each seed'}, got ${language} again`,
      )
    known.push({ ...own, values: Object.fromEntries(numbers) })
  }
  if (known.length > 0) return known
  throw new InputError(`${path}: expected rows with a language and numbers, got none`)
}

/** Share of the pre-training text, by UTF-8 bytes of what is there of each language. */
export async function countedShares(
  texts: readonly NamedTexts[],
  { signal, tell }: { signal: AbortSignal; tell: Tell },
): Promise<KnownLanguage[]> {
  eachOnce(texts, 'pretraining')
  const bytes: number[] = []
  for (const { path } of texts) {
    let sum = 0
    for await (const { text } of readDocuments(path, { onNotice: (message) => tell({ type: 'notice', message }) })) {
      sum += Buffer.byteLength(text)
      signal.throwIfAborted()
    }
    bytes.push(sum)
  }
  const all = bytes.reduce((a, b) => a + b, 0)
  return texts.map(({ language }, i) => ({ language, values: { share: bytes[i]! / all } }))
}

/** A language that is named twice would be counted twice, or have two values of which one is taken. */
function eachOnce(texts: readonly NamedTexts[], option: string): void {
  const again = texts.find(({ language }, i) => texts.findIndex((one) => one.language === language) < i)
  if (again === undefined) return
  throw new UsageError(
    `${option}: expected each language once, got ${again.language} again. Put its texts into one folder, and name that`,
  )
}

/** The lines of a file, blank ones too: where one were left out, those behind it would stand beside the sentences of others. */
async function readLines(path: string): Promise<string[]> {
  const lines: string[] = []
  let text = ''
  for await (const document of readDocuments(path, { maxBadFraction: 0 })) {
    text += document.text
    if (document.isContinued) continue
    lines.push(...text.trimEnd().split('\n'))
    text = ''
  }
  return lines
}

/** Overlap of tokens with the source's (Dice), and similarity of sentences over the layers of the model. Line n of every file says the same. */
export async function fromParallel(
  lm: Lm,
  texts: readonly NamedTexts[],
  source: string,
  { signal, tell }: { signal: AbortSignal; tell: Tell },
): Promise<KnownLanguage[]> {
  eachOnce(texts, 'parallel')
  const read = new Map<string, string[]>()
  for (const { language, path } of texts) read.set(language, await readLines(path))
  const first = read.get(source)
  if (first === undefined)
    throw new InputError(
      `parallel: expected sentences of ${source}, from which it is tuned, got those of ${[...read.keys()].join(', ')}`,
    )
  for (const [language, sentences] of read)
    mustBeParallel({ language, sentences }, { language: source, sentences: first })
  const said = (sentences: readonly string[]): string[] => sentences.filter((line) => line.trim() !== '')
  const idsOf = (sentences: readonly string[]): number[] =>
    sentences.flatMap((prompt) => lm.encode({ prompt, addSpecialTokens: false }))
  const known: KnownLanguage[] = []
  for (const [i, [language, sentences]] of [...read].entries()) {
    tell({ type: 'progress', label: 'parallel sentences', done: i, total: read.size, unit: 'languages' })
    if (language === source) continue
    const { mean } = await sentenceSimilarity(lm, said(first), said(sentences), { signal })
    const { dice } = subwordOverlap(idsOf(said(first)), idsOf(said(sentences)))
    known.push({ language, values: { subword_overlap: dice, sentence_similarity: mean } })
  }
  return known
}

interface Sentences {
  language: string
  sentences: readonly string[]
}

/** As many lines, and blank ones at the same places; InputError otherwise. */
function mustBeParallel(own: Sentences, source: Sentences): void {
  if (own.sentences.length !== source.sentences.length)
    throw new InputError(
      `parallel: expected as many sentences of ${own.language} as of ${source.language}, got ${counted(own.sentences.length, 'line')} and ${source.sentences.length}. Line n of both must say the same`,
    )
  const isBlank = ({ sentences }: Sentences, i: number): boolean => sentences[i]!.trim() === ''
  const at = own.sentences.findIndex((_, i) => isBlank(own, i) !== isBlank(source, i))
  if (at < 0) return
  const [blank, other] = isBlank(own, at) ? [own, source] : [source, own]
  throw new InputError(
    `parallel: expected a sentence of ${blank.language} in line ${at + 1}, as of ${other.language}, got a blank line. Line n of both must say the same`,
  )
}
