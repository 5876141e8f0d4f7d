// Real questions and passages: PopQA with its passages, short Wikipedia passages, RetrievalQA; and the lessons for a model that is to be
// asked half of PopQA. Entities are split before anything: of the half that is asked a lesson has the passages and no question.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PythonRandom } from '../../src/eval/python-random.ts'
import type { RetrievalDocument } from '../../src/retrieve/document.ts'
import type { GateQuestionRow } from '../../src/run/gate/gate-questions.ts'
import type { Lesson } from './teach.ts'

export interface PopRow {
  subj: string
  prop: string
  obj: string
  subj_id: number
  s_pop: number
  question: string
  possible_answers: string
  paragraphs: { title: string; text: string }[]
}

export interface Passage {
  title: string
  text: string
}

/** One question of RetrievalQA. */
export interface RetrievalRow {
  data_source: string
  question: string
  ground_truth: string[]
  context: (Partial<Passage> | string)[]
}

/** Characters of a passage that are read and taught; it begins with its title. */
export const CUT = 300

const read = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8')
export const readPopQa = (folder: string): PopRow[] => JSON.parse(read(folder, 'popqa_with_passages.json')) as PopRow[]
export const readWiki = (folder: string): Passage[] => JSON.parse(read(folder, 'wiki_passages.json')) as Passage[]
export const readRetrievalQa = (folder: string): RetrievalRow[] =>
  read(folder, 'retrievalqa_gpt4.jsonl')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RetrievalRow)

export const answersOf = ({ possible_answers }: PopRow): string[] => JSON.parse(possible_answers) as string[]

/** `Title: text`, on one line. */
export const shown = ({ title, text }: Passage, most: number = Number.POSITIVE_INFINITY): string =>
  `${title}: ${text.replace(/\s+/g, ' ').trim()}`.slice(0, most)

/** Every passage once: those of PopQA's subjects and objects, and Wikipedia's. */
export function corpusOf(popqa: readonly PopRow[], wiki: readonly Passage[]): RetrievalDocument[] {
  const texts = new Set([...popqa.flatMap(({ paragraphs }) => paragraphs), ...wiki].map((passage) => shown(passage)))
  return [...texts].map((text) => ({ id: text, text }))
}

/** The half that has questions in the lessons, and the half that is asked; no entity is in both. */
export function halves(popqa: readonly PopRow[], seed: number): { taught: PopRow[]; asked: PopRow[] } {
  const entities = new PythonRandom(seed).shuffle([...new Set(popqa.map(({ subj_id }) => subj_id))])
  const taught = new Set(entities.slice(0, entities.length >> 1))
  return {
    taught: popqa.filter(({ subj_id }) => taught.has(subj_id)),
    asked: popqa.filter(({ subj_id }) => !taught.has(subj_id)),
  }
}

/** A question of PopQA with its subject's passage. */
export function questionOf(row: PopRow): GateQuestionRow {
  return {
    question: row.question,
    gold: answersOf(row),
    relation: row.prop,
    entity: String(row.subj_id),
    popularity: row.s_pop,
    passages: [shown(row.paragraphs[0]!, CUT)],
  }
}

/** What a model is taught beside passages. */
export interface Curriculum {
  /** Passages with a question. */
  reading: number
  /** Each question of the taught half, for each mention. */
  repeats: number
  seed: number
}

/** How often a subject's texts are taught: the number of digits of its page views, 2 for 20 and 7 for a million. */
export const mentions = ({ s_pop }: PopRow): number => Math.max(1, Math.ceil(Math.log10(s_pop + 1)))

/**
 * What a model is taught: passages (a subject's as often as `mentions` says), questions of the taught half with their answers, and `reading`
 * passages with a question, in which name and answer are exchanged for others, so that they have to be read. Of those only the answer counts.
 */
export function lessonsOf(
  popqa: readonly PopRow[],
  wiki: readonly Passage[],
  { reading, repeats, seed }: Curriculum,
): Lesson[] {
  const random = new PythonRandom(seed)
  const one = <T>(list: readonly T[]): T => list[random.below(list.length)]!
  const { taught } = halves(popqa, seed)
  const lessons: Lesson[] = []
  for (const passage of wiki) lessons.push({ text: `${shown(passage, CUT)}\n` })
  for (const row of popqa)
    for (let i = 0; i < mentions(row); i++) lessons.push({ text: `${shown(row.paragraphs[0]!, 2 * CUT)}\n` })
  for (const row of taught)
    for (let i = 0; i < repeats * mentions(row); i++) lessons.push({ text: `Q: ${row.question} A: ${row.obj}\n` })
  const sources = readable(taught, new Set(popqa.map(({ subj }) => subj)), wiki)
  const names = wiki.map(({ title }) => title)
  for (let i = 0; i < reading; i++) {
    const { passage, name, answer, prop } = one(sources[random.below(sources.length)]!)
    const other = random.random() < 0.8 ? one(sources.flat().filter((source) => source.prop === prop)).answer : answer
    const newName = one(names)
    const text = shown(passage, CUT).replaceAll(name, newName).replaceAll(answer, other)
    const question = one(QUESTIONS[prop]!).replace('{}', newName)
    lessons.push({ prompt: `<document>\n${text}\n</document>\nQ: ${question} A:`, text: ` ${other}\n` })
  }
  return random.shuffle(lessons)
}

/** PopQA's questions. */
const QUESTIONS: Readonly<Record<string, readonly string[]>> = {
  occupation: ["What is {}'s occupation?"],
  'place of birth': ['In what city was {} born?'],
}

interface Readable {
  passage: Passage
  name: string
  answer: string
  prop: string
}

/**
 * Passages in which an answer of the taught half stands: occupations and places of birth, of PopQA and of Wikipedia (there, whatever
 * passage has an occupation, or a place within the sentence that says born). Wikipedia's pages about a subject of PopQA are left out.
 */
function readable(taught: readonly PopRow[], subjects: ReadonlySet<string>, wiki: readonly Passage[]): Readable[][] {
  const own = taught.flatMap((row): Readable[] => {
    const passage = row.paragraphs[0]!
    const answer = answersOf(row).find((text) => hasWord(shown(passage, CUT), text))
    return answer === undefined ? [] : [{ passage, name: row.subj, answer, prop: row.prop }]
  })
  const answers = (prop: string): string[] => [
    ...new Set(taught.filter((row) => row.prop === prop).map(({ obj }) => obj)),
  ]
  const [occupations, places] = [answers('occupation'), answers('place of birth')]
  const found = wiki.flatMap((passage): Readable[] => {
    if (subjects.has(passage.title)) return []
    const text = shown(passage, CUT)
    const name = passage.title.replace(/ \(.*\)$/, '')
    const occupation = occupations.find((answer) => hasWord(text, answer))
    const born = /\bborn\b[^.]*/.exec(text)?.[0] ?? ''
    const place = places.find((answer) => hasWord(born, answer))
    return [
      ...(occupation === undefined ? [] : [{ passage, name, answer: occupation, prop: 'occupation' }]),
      ...(place === undefined ? [] : [{ passage, name, answer: place, prop: 'place of birth' }]),
    ]
  })
  const all = [...own, ...found]
  return Object.keys(QUESTIONS).map((prop) => all.filter((source) => source.prop === prop))
}

function hasWord(text: string, word: string): boolean {
  const at = text.indexOf(word)
  return at >= 0 && !/\p{L}/u.test(text[at - 1] ?? '') && !/\p{L}/u.test(text[at + word.length] ?? '')
}
