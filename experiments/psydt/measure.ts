// What a twin says to clients that nobody was trained on, and how near it comes to the counsellor.
import { rouge } from '../../src/eval/metrics/rouge.ts'
import type { Lm } from '../../src/lm/lm.ts'
import { collect } from '../../src/lm/lm.ts'
import type { Case } from '../../src/methods/psydt/cases.ts'
import { therapies } from '../../src/methods/psydt/knowledge.ts'
import { writeLines } from '../../src/methods/psydt/turns.ts'
import { talkOf } from './setting.ts'
import { type Counsellor, mannerOf, shortStage, stageOf, topicOfPicture } from './world.ts'

/** A place of a session, and what the counsellor said there. */
export interface Place {
  case: Case
  round: number
  real: string
}

/** Rounds that are asked: at the beginning, where the picture stands, towards the end. */
const ROUNDS = [0, 2, 4, 7]

export const placesOf = (cases: readonly Case[]): Place[] =>
  cases.flatMap((one) => ROUNDS.map((round) => ({ case: one, round, real: one.turns[2 * round + 1]!.text })))

/** An answer at each place, drawn as the paper draws. With `example`, that case stands in the instruction, as a prompt alone would have it. */
export async function answersAt(
  lm: Lm,
  places: readonly Place[],
  counsellor: Counsellor,
  seed: number,
  example?: (topic: string) => Case,
): Promise<string[]> {
  return Promise.all(
    places.map(async ({ case: one, round }, i) => {
      const [system, ...said] = talkOf({ turns: one.turns.slice(0, 2 * round + 1) }, counsellor).messages
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
  const lengths = answers.map((text) => text.split(/\s+/).filter(Boolean).length)
  const words = lengths.reduce((sum, length) => sum + length, 0) / n
  const opening = share((text) => text.startsWith(`${counsellor.manner.opening},`))
  const questions = share((text) => text.endsWith('?'))
  const off = [1 - opening, Math.abs(questions - own.questions), Math.min(1, Math.abs(words - own.words) / own.words)]
  const { stages } = therapies('en').retrieve(counsellor.therapy)
  const pictured = places.flatMap((place, i) =>
    topicOfPicture(place.real) === undefined ? [] : [[place, answers[i]!] as const],
  )
  const ofPictured = (is: (topic: string | undefined, place: Place) => boolean): number =>
    pictured.filter(([place, text]) => is(topicOfPicture(text), place)).length / pictured.length
  return {
    opening,
    questions,
    words,
    wordsDeviation: Math.sqrt(lengths.reduce((sum, length) => sum + (length - words) ** 2, 0) / n),
    manner: 1 - off.reduce((sum, one) => sum + one, 0) / off.length,
    stage: share((text, { round }) => text.toLowerCase().includes(shortStage(stageOf({ stages }, round, 8)))),
    picture: ofPictured((topic, place) => topic === place.case.topic),
    otherPicture: ofPictured((topic, place) => topic !== undefined && topic !== place.case.topic),
    rougeL: places.reduce((sum, { real }, i) => sum + rouge('rougeL', real, answers[i]!), 0) / n,
  }
}
