// What ways to answer the same held-out turns are worth: style similarity between its ceiling and floor, overlap of words, and how answers are
// spread, each with an interval over dialogues; and the differences between ways, dialogue by dialogue.

import { type Distribution, distributionOf } from '../diversity/distribution.ts'
import { type PhraseCounts, phraseCounts } from '../diversity/phrase-counts.ts'
import { cutTexts } from '../diversity/word-runs.ts'
import { type BleuCounts, bleuCounts, bleuOf, ORDERS } from '../metrics/bleu.ts'
import { PythonRandom } from '../python-random.ts'
import type { Sample } from '../samples.ts'
import { type StyleData, type StyleDialogue, turnsOf } from '../tasks/style/read-dialogues.ts'
import type { StyleDoc } from '../tasks/style/style.ts'
import { styleBounds } from './style-similarity.ts'
import { StyleSpace } from './style-space.ts'

/** A figure and between what it lies with 95 % confidence, over draws of dialogues; `low` and `high` are NaN of one dialogue. */
export interface StyleFigure {
  value: number
  low: number
  high: number
}

/** Figures by name: similarity, relative, rouge1, rouge2, rougeL, bleu, bert_f1, judge, words, questions. */
export type StyleFigures = Readonly<Record<string, StyleFigure>>

/** One way to answer. */
export interface StyleArmReport {
  name: string
  figures: StyleFigures
  /** Words of a turn, each and as they are spread. */
  lengths: Distribution & { values: readonly number[] }
  openings: PhraseCounts
}

/** All ways, the turns that were really said first. */
export interface StyleReport {
  dialogues: number
  turns: number
  /** Turns that the style is fitted on. */
  reference: number
  language: string
  ceiling: number
  floor: number
  arms: readonly StyleArmReport[]
  /** `to` − `from`. */
  differences: readonly { from: string; to: string; figures: StyleFigures }[]
}

/** Answers to documents of the task. */
export interface StyleArmSamples {
  name: string
  samples: readonly Sample[]
}

const DRAWS = 1000
const SPLITS = 50
export const REAL = 'what was said'

/** Reports on turns that every arm has answered. Undefined where there is none. */
export function styleReport(
  arms: readonly StyleArmSamples[],
  data: StyleData,
  { draws = DRAWS, seed = 0 }: { draws?: number; seed?: number } = {},
): StyleReport | undefined {
  const answered = arms.map(
    ({ samples }) => new Map(samples.filter(({ failed }) => failed === undefined).map((one) => [keyOf(one), one])),
  )
  const keys = [...(answered[0]?.keys() ?? [])].filter((key) => answered.every((known) => known.has(key)))
  if (keys.length === 0) return undefined
  const reference = (data.cases.length > 0 ? data.cases : data.test).map((one: StyleDialogue) => turnsOf(one))
  const space = new StyleSpace(reference.flat())
  const bounds = styleBounds(space, reference, data.others, { splits: SPLITS, seed })
  const real: StyleArmSamples = { name: REAL, samples: keys.map((key) => saidReally(answered[0]!.get(key)!)) }
  const all = [real, ...arms.map(({ name }, i) => ({ name, samples: keys.map((key) => answered[i]!.get(key)!) }))]
  const parts = all.map(({ samples }) => partsOf(samples, space))
  const ids = [...parts[0]!.keys()]
  const figuresOf = (part: Sums): Record<string, number> => {
    const similarity = space.likeness(part.vector.map((value) => value / part.turns)).similarity
    return {
      similarity,
      relative: (similarity - bounds.floor) / (bounds.ceiling - bounds.floor),
      ...Object.fromEntries(Object.entries(part.sums).map(([name, [sum, count]]) => [name, sum / count])),
      ...(part.bleu.given > 0 && { bleu: bleuOf(part.bleu) }),
    }
  }
  const random = new PythonRandom(seed)
  const drawn = Array.from({ length: ids.length > 1 ? draws : 0 }, () =>
    random.choiceIndices(ids.length, new Int32Array(ids.length)),
  )
  const values = parts.map((known) => {
    const of = (places: Iterable<number>): Record<string, number> =>
      figuresOf(added(Array.from(places, (at) => known.get(ids[at]!)!)))
    return { whole: of(ids.keys()), drawn: drawn.map((places) => of(places)) }
  })
  const interval = (value: number, list: readonly number[]): StyleFigure => {
    const sorted = Float64Array.from(list.filter(Number.isFinite)).sort()
    const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN
    return { value, low: at(0.025), high: at(0.975) }
  }
  const names = (arm: number): string[] =>
    Object.keys(values[arm]!.whole).filter((name) => !Number.isNaN(values[arm]!.whole[name]))
  const pairs = all
    .flatMap((_, from) => all.map((__, to) => [from, to] as const))
    .filter(([from, to]) => from > 0 && to > from)
  return {
    dialogues: ids.length,
    turns: keys.length,
    reference: reference.flat().length,
    language: space.language ?? 'other',
    ...bounds,
    arms: all.map(({ name, samples }, i) => {
      const texts = samples.map(answerOf)
      const cut = cutTexts(texts)
      const lengths = texts.map((_, at) => cut.starts[at + 1]! - cut.starts[at]!)
      return {
        name,
        figures: Object.fromEntries(
          names(i).map((key) => [
            key,
            interval(
              values[i]!.whole[key]!,
              values[i]!.drawn.map((one) => one[key]!),
            ),
          ]),
        ),
        lengths: { ...distributionOf(lengths), values: lengths },
        openings: phraseCounts(cut, 'first', { length: 3, most: 10 }),
      }
    }),
    // The twin comes first: its difference to each of the others.
    differences: pairs.map(([to, from]) => ({
      from: all[from]!.name,
      to: all[to]!.name,
      figures: Object.fromEntries(
        names(to)
          .filter((key) => names(from).includes(key))
          .map((key) => [
            key,
            interval(
              values[to]!.whole[key]! - values[from]!.whole[key]!,
              values[to]!.drawn.map((one, at) => one[key]! - values[from]!.drawn[at]![key]!),
            ),
          ]),
      ),
    })),
  }
}

/** The text of an answer; answers behind filters may be lists of one. */
export const answerOf = ({ filtered_resps: answers }: Sample): string => String([answers[0]].flat()[0] ?? '')

const keyOf = ({ doc }: Sample): string => JSON.stringify([doc.dialogue, doc.turn, doc.gold])
const saidReally = (sample: Sample): Sample => ({
  ...sample,
  filtered_resps: [(sample.doc as StyleDoc).gold],
  scores: {},
})

/** Of turns: sums that add up. */
interface Sums {
  turns: number
  vector: Float64Array
  bleu: BleuCounts
  /** By name: sum and count. */
  sums: Record<string, [number, number]>
}

const MEANS = ['rouge1', 'rouge2', 'rougeL', 'bert_f1', 'judge'] as const

function partsOf(samples: readonly Sample[], space: StyleSpace): Map<string, Sums> {
  const questions = space.features.findIndex(({ name }) => name === 'has a question')
  const words = space.features.findIndex(({ name }) => name === 'log of words')
  const parts = new Map<string, Sums[]>()
  for (const sample of samples) {
    const vector = space.vectorOf(answerOf(sample))
    const sums: Sums['sums'] = { words: [Math.expm1(vector[words]!), 1], questions: [vector[questions]!, 1] }
    for (const name of MEANS) {
      const value = sample.scores[name]
      if (typeof value === 'number') sums[name] = [value, 1]
    }
    const pair = sample.scores.bleu
    const bleu = Array.isArray(pair) ? bleuCounts([String(pair[1])], [[String([pair[0]].flat()[0])]]) : noCounts()
    const { dialogue } = sample.doc as StyleDoc
    parts.set(dialogue, [...(parts.get(dialogue) ?? []), { turns: 1, vector, bleu, sums }])
  }
  return new Map([...parts].map(([id, all]) => [id, added(all)]))
}

const noCounts = (): BleuCounts => ({ matches: ORDERS.map(() => 0), totals: ORDERS.map(() => 0), given: 0, wanted: 0 })

function added(parts: readonly Sums[]): Sums {
  const whole: Sums = { turns: 0, vector: new Float64Array(parts[0]!.vector.length), bleu: noCounts(), sums: {} }
  for (const { turns, vector, bleu, sums } of parts) {
    whole.turns += turns
    for (let j = 0; j < vector.length; j++) whole.vector[j]! += vector[j]!
    for (const at of ORDERS.keys()) {
      whole.bleu.matches[at]! += bleu.matches[at]!
      whole.bleu.totals[at]! += bleu.totals[at]!
    }
    whole.bleu.given += bleu.given
    whole.bleu.wanted += bleu.wanted
    for (const [name, [sum, count]] of Object.entries(sums)) {
      const [a, b] = whole.sums[name] ?? [0, 0]
      whole.sums[name] = [a + sum, b + count]
    }
  }
  return whole
}
