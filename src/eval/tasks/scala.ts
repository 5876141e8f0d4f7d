// ScaLA (Nielsen 2023): whether a sentence is acceptable. Files of it as EuroEval publishes them (`text`, `label`), or any treebank of
// Universal Dependencies (.conllu), whose sentences are corrupted by its rules: a word is taken out, or two neighbours change places, where
// that cannot leave a good sentence.

import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { InputError } from '../../errors.ts'
import { PythonRandom } from '../python-random.ts'
import type { Doc, TaskConfig } from '../task-config.ts'
import { filesNamed, needData, rowsOf } from './need-data.ts'

/** A word of a treebank's sentence. */
export interface Token {
  form: string
  upos: string
  /** A space comes behind it. */
  isSpaced: boolean
}

const PROMPTS: Readonly<Record<string, { description: string; text: string; yes: string; no: string }>> = {
  da: {
    description: 'Følgende er sætninger og om de er grammatisk korrekte.',
    text: 'Sætning: {{text}}\nGrammatisk korrekt:',
    yes: 'ja',
    no: 'nej',
  },
  nb: {
    description: 'Følgende er setninger og hvorvidt de er grammatisk korrekte.',
    text: 'Setning: {{text}}\nGrammatisk korrekt:',
    yes: 'ja',
    no: 'nei',
  },
  sv: {
    description: 'Följande är meningar och huruvida de är grammatiskt korrekta.',
    text: 'Mening: {{text}}\nGrammatisk korrekt:',
    yes: 'ja',
    no: 'nej',
  },
  en: {
    description: 'The following are sentences and whether they are grammatically correct.',
    text: 'Sentence: {{text}}\nGrammatically correct:',
    yes: 'yes',
    no: 'no',
  },
}

/** Sentences to be judged, in the language that the file's name tells (`da_ddt-ud-dev.conllu`, `scala_nb/`), else in English words. */
export function scala(data: string | undefined): TaskConfig {
  const path = needData(data, 'scala', 'a treebank (.conllu) or files of ScaLA (test.jsonl, train.jsonl)')
  const treebanks = filesNamed(path, /\.conllu$/)
  const language = /(?:^|[/_-])(da|nb|nn|no|sv)(?:[/_.-]|$)/.exec(treebanks[0] ? basename(treebanks[0]) : path)?.[1]
  const prompt = PROMPTS[language === 'nn' || language === 'no' ? 'nb' : (language ?? 'en')]!
  return {
    task: 'scala',
    output_type: 'multiple_choice',
    test_split: 'test',
    fewshot_split: 'train',
    custom_dataset: async () => (treebanks.length > 0 ? ofTreebanks(treebanks) : ofFiles(path)),
    description: `${prompt.description}\n\n`,
    doc_to_text: prompt.text,
    doc_to_choice: [prompt.yes, prompt.no],
    doc_to_target: '{{0 if label == "correct" else 1}}',
    metric_list: [{ metric: 'mcc' }, { metric: 'macro_f1' }, { metric: 'acc' }],
    metadata: { version: 1 },
  }
}

async function ofFiles(path: string): Promise<{ test: Doc[]; train: Doc[] }> {
  const find = (split: string): string | undefined =>
    filesNamed(path, new RegExp(`${split}[^/]*\\.(?:jsonl|csv|parquet)$`))[0]
  const [test, train] = [find('test'), find('train')]
  if (test === undefined) throw new InputError(`task scala: ${path}: expected a file such as test.jsonl, got none`)
  return { test: await rowsOf(test), train: train === undefined ? [] : await rowsOf(train) }
}

/** Half of the sentences as they are, half corrupted; the first 64 are for examples. */
function ofTreebanks(files: readonly string[]): { test: Doc[]; train: Doc[] } {
  const random = new PythonRandom(4242)
  const sentences = files.flatMap((file) => readConllu(readFileSync(file, 'utf8'), file))
  const docs: Doc[] = []
  for (const tokens of sentences) {
    const text = detokenized(tokens)
    if (tokens.length < 5 || Array.from(text).length > 500) continue
    const isCorrupted = docs.length % 2 === 1
    const changed = isCorrupted ? corrupt(tokens, random) : undefined
    if (isCorrupted && changed === undefined) continue
    docs.push(
      changed === undefined
        ? { text, label: 'correct', corruption_type: null }
        : { text: changed.text, label: 'incorrect', corruption_type: changed.type },
    )
  }
  const shots = Math.min(64, Math.floor(docs.length / 4))
  return { train: docs.slice(0, shots), test: docs.slice(shots) }
}

/** The sentences of a CoNLL-U file. Ranges such as `3-4` give the form, the words in them are left out. */
export function readConllu(text: string, file: string): Token[][] {
  const sentences: Token[][] = []
  for (const block of text.split(/\r?\n\s*\r?\n/)) {
    const tokens: Token[] = []
    let until = 0
    for (const line of block.split(/\r?\n/)) {
      if (line === '' || line.startsWith('#')) continue
      const [id = '', form = '', , upos = '', , , , , , misc = ''] = line.split('\t')
      if (form === '')
        throw new InputError(`${file}: expected lines of CoNLL-U (ten columns), got '${line.slice(0, 40)}'`)
      if (id.includes('.')) continue
      const range = /^\d+-(\d+)$/.exec(id)
      if (range === null && Number(id) <= until) continue
      if (range !== null) until = Number(range[1])
      tokens.push({ form, upos: range === null ? upos : 'X', isSpaced: !misc.includes('SpaceAfter=No') })
    }
    if (tokens.length > 0) sentences.push(tokens)
  }
  return sentences
}

/** The sentence as it was written. */
export function detokenized(tokens: readonly Token[]): string {
  return tokens
    .map(({ form, isSpaced }) => form + (isSpaced ? ' ' : ''))
    .join('')
    .trim()
}

/** Word classes whose loss a sentence may survive: these words are not taken out. */
const DISPENSABLE: ReadonlySet<string> = new Set(['ADJ', 'ADV', 'PUNCT', 'SYM', 'DET', 'NUM', 'INTJ', 'X', 'PART'])

/** One corruption, or nothing where none is sure to leave a bad sentence. */
export function corrupt(tokens: readonly Token[], random: PythonRandom): { text: string; type: string } | undefined {
  const ways = random.below(2) === 0 ? [takeOut, flip] : [flip, takeOut]
  for (const way of ways) {
    const changed = way(tokens, random)
    if (changed !== undefined && detokenized(changed) !== detokenized(tokens))
      return { text: detokenized(changed), type: way === flip ? 'flip_neighbours' : 'delete' }
  }
  return undefined
}

function takeOut(tokens: readonly Token[], random: PythonRandom): Token[] | undefined {
  const places = [...tokens.keys()].filter((i) => {
    const { upos, isSpaced } = tokens[i]!
    // Of two like words in a row one may be missing, and what has no space around it is part of its neighbour.
    const isAlone = tokens[i - 1]?.upos !== upos && tokens[i + 1]?.upos !== upos
    return !DISPENSABLE.has(upos) && isAlone && (isSpaced || tokens[i + 1]?.upos === 'PUNCT')
  })
  if (places.length === 0) return undefined
  const at = places[random.below(places.length)]!
  const rest = tokens.map((token) => ({ ...token }))
  if (at > 0) rest[at - 1]!.isSpaced = tokens[at]!.isSpaced
  rest.splice(at, 1)
  return rest
}

function flip(tokens: readonly Token[], random: PythonRandom): Token[] | undefined {
  const isMovable = ({ upos }: Token): boolean => !['PUNCT', 'SYM', 'X', 'INTJ'].includes(upos)
  const places = [...tokens.keys()].slice(0, -1).filter((i) => {
    const [a, b] = [tokens[i]!, tokens[i + 1]!]
    // Like words, and an adverb beside anything, often stand as well the other way round.
    const isFree = a.upos === b.upos || a.upos === 'ADV' || b.upos === 'ADV'
    // A subject and its verb the other way round are a question.
    const isQuestion = [a.upos, b.upos].every((upos) => ['VERB', 'AUX', 'PRON', 'PROPN', 'NOUN'].includes(upos))
    return isMovable(a) && isMovable(b) && !isFree && !isQuestion && a.isSpaced && a.form !== b.form
  })
  if (places.length === 0) return undefined
  const at = places[random.below(places.length)]!
  const changed = tokens.map((token) => ({ ...token }))
  ;[changed[at]!.form, changed[at + 1]!.form] = [changed[at + 1]!.form, changed[at]!.form]
  return changed
}
