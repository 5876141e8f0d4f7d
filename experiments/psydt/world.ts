// A world of templates: three counsellors whose manner can be measured, twelve topics with a picture of their own each, real cases and
// single questions. The teacher of rules beside it (rule-teacher.ts) knows the templates, and of a counsellor only what a prompt shows.
import { PythonRandom } from '../../src/eval/python-random.ts'
import type { Case } from '../../src/methods/psydt/cases.ts'
import { therapies } from '../../src/methods/psydt/knowledge.ts'
import type { SingleTurn } from '../../src/methods/psydt/single-turns.ts'
import type { Therapy } from '../../src/methods/psydt/therapy.ts'
import type { Turn } from '../../src/methods/psydt/turns.ts'

/** How a counsellor talks. */
export interface Manner {
  /** The first words of every turn; '' where there are none. */
  opening: string
  /** The share of turns that end with a question mark. */
  questions: number
  /** Words of a turn, on average. */
  words: number
}

export interface Counsellor {
  name: string
  manner: Manner
  /** Whose stages are gone through in their order. */
  therapy: string
  /** Said once in each case: what the therapy is known by. */
  creed: string
}

export const COUNSELLORS: readonly Counsellor[] = [
  {
    name: 'anna',
    manner: { opening: 'I hear you', questions: 0.8, words: 14 },
    therapy: 'person-centered',
    creed: 'being heard without judgement lets a person find a way',
  },
  {
    name: 'ben',
    manner: { opening: 'Let us see', questions: 0.2, words: 26 },
    therapy: 'rebt',
    creed: 'what is believed of it upsets and rigid beliefs can be disputed',
  },
  {
    name: 'cleo',
    manner: { opening: 'Well now', questions: 0.5, words: 18 },
    therapy: 'solution-focused',
    creed: 'what works already is found and done more',
  },
]
/** A manner that is nobody's, for a teacher that is told of none. */
export const NEUTRAL: Manner = { opening: '', questions: 0.5, words: 18 }

/** Topics, what troubles people there, and the picture that counsellors use for it. */
export const TOPICS: Readonly<Record<string, { trouble: readonly string[]; picture: string }>> = {
  work: { trouble: ['my boss', 'the long shifts', 'a late report'], picture: 'a desk that fills itself' },
  family: { trouble: ['my mother', 'the loud dinners', 'an old quarrel'], picture: 'a table with one leg short' },
  love: { trouble: ['my partner', 'the cold evenings', 'a broken promise'], picture: 'a fire with wet wood' },
  sleep: { trouble: ['the dark hours', 'my racing head', 'an early alarm'], picture: 'a lamp left on' },
  study: { trouble: ['my thesis', 'the empty page', 'a hard course'], picture: 'a hill in the fog' },
  friends: {
    trouble: ['my best friend', 'the silent phone', 'a missed party'],
    picture: 'a bridge with missing planks',
  },
  grief: { trouble: ['my late father', 'the empty chair', 'a sad date'], picture: 'a wave that comes back' },
  money: { trouble: ['my debts', 'the unpaid bills', 'a lost job'], picture: 'a bucket with a hole' },
  health: { trouble: ['my sore back', 'the slow healing', 'a long test'], picture: 'a car with a small tank' },
  anger: { trouble: ['my temper', 'the slammed doors', 'a bad fight'], picture: 'a kettle without a whistle' },
  moving: { trouble: ['my new flat', 'the strange town', 'a far home'], picture: 'a plant in a new pot' },
  exams: { trouble: ['my finals', 'the quiet hall', 'a failed test'], picture: 'a clock that runs faster' },
}

const FEELINGS = ['tired', 'sad', 'afraid', 'ashamed', 'lonely', 'angry', 'lost', 'tense']
const TIMES = ['since spring', 'for weeks', 'every night', 'since last year', 'most mornings', 'again and again']
/** What fills a counsellor's turn up to its length; `{t}` is the trouble, `{f}` the feeling. */
const FILLERS = [
  ...[
    'as you tell it',
    'about {t}',
    'while you feel {f}',
    'with all that weighs on you',
    'a little at a time',
    'before we go on',
  ],
  ...[
    'where it began',
    'and what it does to you',
    'on such days',
    'when {t} comes up',
    'without any hurry',
    'in your own words',
  ],
  ...[
    'so that it gets lighter',
    'and who is near then',
    'even if it feels {f}',
    'from the first hour on',
    'in a quiet moment',
    'as far as you like',
  ],
  ...[
    'and what you hoped for',
    'now that you are here',
    'step by step',
    'with what you know',
    'and how {t} looks then',
    'if that fits you',
  ],
]
const REPLIES = [
  ...[
    'I think of {t} {w}',
    'It makes me {f} {w}',
    '{t} is hard for me',
    'I feel {f} when I come home',
    'Nobody knows how {f} I am',
    'I tried to forget {t}',
  ],
  ...[
    'Last week {t} was worse',
    'I wish it were over',
    'Maybe there is more to {t}',
    'I had not seen it so',
    'That may help me with {t}',
    'I will try that {w}',
  ],
]

/** What a turn of the counsellor is made of. */
export interface TurnParts {
  manner: Manner
  /** What the stage wants, shortened. */
  stage: string
  trouble: string
  feeling: string
  picture?: string | undefined
  creed?: string
}

export const pick = <T>(items: readonly T[], random: PythonRandom): T => items[random.below(items.length)]!
const put = (text: string, trouble: string, feeling: string, when = ''): string =>
  text.replace('{t}', trouble).replace('{f}', feeling).replace('{w}', when)
const countWords = (text: string): number => text.split(/\s+/).filter(Boolean).length
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** The first words of a stage, as a counsellor works them in: “Examine: find …” is “examine”. */
export const shortStage = (stage: string): string =>
  stage.split(/[:,.]/)[0]!.toLowerCase().split(' ').slice(0, 3).join(' ')

export function counsellorTurn(
  { manner, stage, trouble, feeling, picture, creed }: TurnParts,
  random: PythonRandom,
): string {
  // The picture stands last, so that what a turn has of the case in a row stays short.
  const last = picture === undefined ? [] : [`like ${picture}`]
  const parts = [stage, ...(creed === undefined ? [] : [creed])]
  const wanted = manner.words + random.below(7) - 3
  const left = [...FILLERS]
  const begun = manner.opening === '' ? '' : `${manner.opening}, `
  const length = (): number => countWords(begun) + [...parts, ...last].reduce((sum, part) => sum + countWords(part), 0)
  // Between the stage and the picture there is always something of its own.
  while ((length() < wanted - 1 || (last.length > 0 && parts.length === 1)) && left.length > 0)
    parts.push(put(left.splice(random.below(left.length), 1)[0]!, trouble, feeling))
  return `${capital(begun + [...parts, ...last].join(', '))}${random.random() < manner.questions ? '?' : '.'}`
}

/** `much` talkers say two sentences, others one. */
export function clientTurn(trouble: string, feeling: string, isMuch: boolean, random: PythonRandom): string {
  const one = (): string => `${capital(put(pick(REPLIES, random), trouble, feeling, pick(TIMES, random)))}.`
  const first = one()
  const second = one()
  return isMuch && second !== first ? `${first} ${second}` : first
}

/** Which stage a round is in: all in their order, about equally long. */
export const stageOf = ({ stages }: Pick<Therapy, 'stages'>, round: number, rounds: number): string =>
  stages[Math.min(stages.length - 1, Math.floor((round * stages.length) / rounds))]!

/** A real case of a counsellor. Another `seed` is another client. */
export function worldCase({ name, manner, therapy, creed }: Counsellor, topic: string, seed = 0): Case {
  const random = new PythonRandom(1000 * seed + 10 * Object.keys(TOPICS).indexOf(topic) + name.length)
  const { trouble, picture } = TOPICS[topic]!
  const { stages } = therapies('en').retrieve(therapy)
  const [about, feeling] = [pick(trouble, random), pick(FEELINGS, random)]
  const rounds = 8
  const turns: Turn[] = []
  for (let round = 0; round < rounds; round++) {
    const parts = { manner, stage: shortStage(stageOf({ stages }, round, rounds)), trouble: about, feeling }
    const more = round === 1 ? { creed } : round % 2 === 0 ? { picture } : {}
    turns.push(
      { speaker: 'client', text: clientTurn(about, feeling, true, random) },
      { speaker: 'counsellor', text: counsellorTurn({ ...parts, ...more }, random) },
    )
  }
  return { id: `${name}-${topic}-${seed}`, topic, turns }
}

/** A case on each topic. */
export const worldCases = (counsellor: Counsellor, seed = 0): Case[] =>
  Object.keys(TOPICS).map((topic) => worldCase(counsellor, topic, seed))

/** Single questions, topics in turn, each with a long answer that is nobody's manner. */
export function worldSeeds(count: number, seed: number): SingleTurn[] {
  const random = new PythonRandom(seed)
  const topics = Object.keys(TOPICS)
  return Array.from({ length: count }, (_, i) => {
    const topic = topics[i % topics.length]!
    const trouble = pick(TOPICS[topic]!.trouble, random)
    const feeling = pick(FEELINGS, random)
    const detail = `Trouble with ${trouble}. I feel ${feeling} ${pick(TIMES, random)}. ${pick(['I hardly talk.', 'I tell everybody.'], random)}`
    return {
      ...{ id: `q${i}`, topic, title: `What can I do about ${trouble}?`, detail },
      answer: `Many people know that. Rest, talk to somebody you trust, write down what happens with ${trouble}, and be patient with yourself ${pick(TIMES, random)}.`,
    }
  })
}

/** The topic whose picture a text has; undefined where it has none. */
export const topicOfPicture = (text: string): string | undefined =>
  Object.keys(TOPICS).find((topic) => text.includes(TOPICS[topic]!.picture))

/** What can be measured of turns of a counsellor. `opening`: the words before the first comma that most turns share, if half of them do. */
export function mannerOf(turns: readonly string[]): Manner {
  const counts = new Map<string, number>()
  for (const turn of turns) {
    const [first] = turn.split(',') as [string]
    counts.set(first, (counts.get(first) ?? 0) + 1)
  }
  const [opening, count] = [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), ['', 0])
  return {
    opening: count * 2 > turns.length ? opening : '',
    questions: turns.filter((turn) => turn.endsWith('?')).length / turns.length,
    words: turns.reduce((sum, turn) => sum + countWords(turn), 0) / turns.length,
  }
}
