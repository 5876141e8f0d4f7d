// A linear classifier of the question's words alone. What a gate knows beyond it, it has from the model.

import { areaUnderRoc } from '../../data/ranks.ts'
import { InputError } from '../../errors.ts'

/** How questions are cut and how strongly weights are held down. */
export interface QuestionClassifierOptions {
  /** Words of a question, or the ids of its tokens as texts. Default: runs of letters and digits, in lower case. */
  words?: (question: string) => readonly string[]
  /** scikit-learn's C: the smaller the more are weights held down. Default 1. */
  c?: number
}

/** The probability that retrieval is wanted. */
export type QuestionClassifier = (question: string) => number

type Row = readonly (readonly [number, number])[]
const STEPS = 800

/**
 * Logistic regression on TF-IDF of the question's words: counts times log((1 + n) / (1 + df)) + 1, rows of unit length, weights with an L2
 * penalty, the intercept without (scikit-learn's defaults of both). InputError where all labels are the same.
 */
export function fitQuestionClassifier(
  questions: readonly string[],
  isWanted: readonly boolean[],
  { words = plainWords, c = 1 }: QuestionClassifierOptions = {},
): QuestionClassifier {
  if (new Set(isWanted).size < 2)
    throw new InputError('labels: expected questions with and without retrieval wanted, got only one kind')
  const places = new Map<string, number>()
  const seenIn: number[] = []
  const cut = questions.map(words)
  for (const list of cut)
    for (const word of new Set(list)) {
      const place = places.get(word) ?? places.size
      places.set(word, place)
      seenIn[place] = (seenIn[place] ?? 0) + 1
    }
  const idf = seenIn.map((count) => Math.log((1 + questions.length) / (1 + count)) + 1)
  const rowOf = (list: readonly string[]): Row => {
    const counts = new Map<number, number>()
    for (const word of list) {
      const place = places.get(word)
      if (place !== undefined) counts.set(place, (counts.get(place) ?? 0) + idf[place]!)
    }
    const length = Math.hypot(...counts.values()) || 1
    return [...counts].map(([place, value]) => [place, value / length])
  }
  const { weights, bias } = logistic(cut.map(rowOf), isWanted, places.size, c)
  return (question) => sigmoid(dot(rowOf(words(question)), weights) + bias)
}

/** How strongly weights are held down, of which {@link tuneQuestionClassifier} takes the best. */
const STRENGTHS = [0.1, 0.3, 1, 3, 10, 30, 100]

/** What a classifier is fitted to, or chosen by. */
export interface ClassifiedQuestions {
  questions: readonly string[]
  isWanted: readonly boolean[]
}

/** The classifier with the C that orders other questions best: as much as the words can be made to say in a straight line. */
export function tuneQuestionClassifier(
  fitted: ClassifiedQuestions,
  chosenBy: ClassifiedQuestions,
  options: Omit<QuestionClassifierOptions, 'c'> = {},
): QuestionClassifier {
  let best: { classify: QuestionClassifier; area: number } | undefined
  for (const c of STRENGTHS) {
    const classify = fitQuestionClassifier(fitted.questions, fitted.isWanted, { ...options, c })
    const area = areaUnderRoc(chosenBy.questions.map(classify), chosenBy.isWanted)
    if (best === undefined || area > best.area) best = { classify, area }
  }
  return best!.classify
}

const plainWords = (question: string): string[] => question.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

/** Minimises ½‖w‖² + C Σ loss by Nesterov's steps of the safe length; rows have at most unit length. */
function logistic(
  rows: readonly Row[],
  labels: readonly boolean[],
  width: number,
  c: number,
): { weights: Float64Array; bias: number } {
  // The last place is the intercept.
  let at = new Float64Array(width + 1)
  let ahead = at
  const step = 1 / (1 + 0.5 * c * rows.length)
  for (let k = 1; k <= STEPS; k++) {
    const gradient = Float64Array.from(ahead)
    gradient[width] = 0
    for (const [i, row] of rows.entries()) {
      const error = c * (sigmoid(dot(row, ahead) + ahead[width]!) - Number(labels[i]))
      for (const [place, value] of row) gradient[place]! += error * value
      gradient[width]! += error
    }
    const next = ahead.map((value, j) => value - step * gradient[j]!)
    const momentum = (k - 1) / (k + 2)
    const before = at
    ahead = next.map((value, j) => value + momentum * (value - before[j]!))
    at = next
  }
  return { weights: at, bias: at[width]! }
}

function dot(row: Row, weights: Float64Array): number {
  let sum = 0
  for (const [place, value] of row) sum += value * weights[place]!
  return sum
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
