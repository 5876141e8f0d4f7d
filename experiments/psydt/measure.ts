// What a twin says to clients that nobody was trained on, and how near it comes to the counsellor.
import { rouge } from '../../src/eval/metrics/rouge.ts'
import type { Lm } from '../../src/lm/lm.ts'
import { collect } from '../../src/lm/lm.ts'
import type { Case } from '../../src/methods/psydt/cases.ts'
import { therapies } from '../../src/methods/psydt/knowledge.ts'
import { writeLines } from '../../src/methods/psydt/turns.ts'
import { KEPT_ROUNDS, talkOf } from './setting.ts'
import { type Counsellor, mannerOf, shortStage, stageOf, topicOfPicture } from './world.ts'

/** A place of a session, and what the counsellor said there. */
export interface Place {
  case: Case
  round: number
  real: string
}

/** Places among the kept rounds that are asked: the first turn, where no manner is to be seen yet, and three behind it. */
const PLACES = [0, 1, 3, 6]

export const placesOf = (cases: readonly Case[]): Place[] =>
  cases.flatMap((one) => PLACES.map((round) => ({ case: one, round, real: one.turns[2 * round + 1]!.text })))

/** An answer at each place, drawn as the paper draws. With `example`, that case stands in the instruction, as a prompt alone would have it. */
export async function answersAt(
  lm: Lm,
  places: readonly Place[],
  seed: number,
  example?: (topic: string) => Case,
): Promise<string[]> {
  return Promise.all(
    places.map(async ({ case: one, round }, i) => {
      const [system, ...said] = talkOf({ turns: one.turns.slice(0, 2 * round + 1) }).messages
      const shown =
        example === undefined ? '' : `\n\nAnswer as in this session:\n${writeLines(example(one.topic).turns, 'en')}`
      const { text } = await collect(
        lm.generate({
          messages: [{ role: 'system', content: `${String(system!.content)}${shown}` }, ...said] as never,
          ...{ maxNewTokens: 80, temperature: 0.9, topP: 0.75, topK: 20, seed: 1000 * seed + i },
        }),
      )
      return text.trim()
    }),
  )
}

/** Figures of one arm. Shares are of answers. */
export interface Figures {
  /** Share that begins with the counsellor's opening, and that ends with a question; words on average, and their deviation. */
  opening: number
  questions: number
  words: number
  wordsDeviation: number
  /** 1 − the mean of how far opening, questions and words (against the counsellor's own, at most 1) are off. */
  manner: number
  /** The same of first turns, where no turn before says how to talk. */
  mannerFirst: number
  /** Share that names the stage of the therapy that is due. */
  stage: number
  /** Where the counsellor used the topic's picture: share with the right one, and with another topic's. */
  picture: number
  otherPicture: number
  rougeL: number
}

export function figuresOf(places: readonly Place[], answers: readonly string[], counsellor: Counsellor): Figures {
  const n = answers.length
  const share = (is: (text: string, place: Place) => boolean): number =>
    answers.filter((text, i) => is(text, places[i]!)).length / n
  const own = mannerOf(places.map(({ real }) => real))
  const countWords = (text: string): number => text.split(/\s+/).filter(Boolean).length
  const mannerAt = (is: (place: Place) => boolean) => {
    const some = answers.filter((_, i) => is(places[i]!))
    const part = (has: (text: string) => boolean): number => some.filter(has).length / some.length
    const opening = part((text) => text.startsWith(`${counsellor.manner.opening},`))
    const questions = part((text) => text.endsWith('?'))
    const words = some.reduce((sum, text) => sum + countWords(text), 0) / some.length
    const off = [1 - opening, Math.abs(questions - own.questions), Math.min(1, Math.abs(words - own.words) / own.words)]
    return { opening, questions, words, manner: 1 - off.reduce((sum, one) => sum + one, 0) / off.length }
  }
  const { words, ...manner } = mannerAt(() => true)
  const { stages } = therapies('en').retrieve(counsellor.therapy)
  const pictured = places.flatMap((place, i) =>
    topicOfPicture(place.real) === undefined ? [] : [[place, answers[i]!] as const],
  )
  const ofPictured = (is: (topic: string | undefined, place: Place) => boolean): number =>
    pictured.filter(([place, text]) => is(topicOfPicture(text), place)).length / pictured.length
  return {
    ...manner,
    words,
    wordsDeviation: Math.sqrt(answers.reduce((sum, text) => sum + (countWords(text) - words) ** 2, 0) / n),
    mannerFirst: mannerAt(({ round }) => round === 0).manner,
    stage: share((text, { round }) =>
      text.toLowerCase().includes(shortStage(stageOf({ stages }, KEPT_ROUNDS[round]!, 8))),
    ),
    picture: ofPictured((topic, place) => topic === place.case.topic),
    otherPicture: ofPictured((topic, place) => topic !== undefined && topic !== place.case.topic),
    rougeL: places.reduce((sum, { real }, i) => sum + rouge('rougeL', real, answers[i]!), 0) / n,
  }
}
