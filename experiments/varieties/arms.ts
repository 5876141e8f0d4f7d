// What is compared: functions that learn from rows and give scores of each label for other texts.
import { LabelSets } from '../../src/data/label-sets.ts'
import { trainLanguageIdentifier } from '../../src/data/language/train-identifier.ts'
import type { Tensor } from '../../src/torch/index.ts'
import type { Row } from './data.ts'
import { LinearBaseline } from './linear.ts'
import type { Family } from './neural.ts'

/** Scores of each label for each held-out text, of a model that was trained on rows. */
export type SyncJudge = (train: readonly Row[], held: readonly string[]) => number[][]
export type Judge = (train: readonly Row[], held: readonly string[]) => Promise<number[][]> | number[][]

const balance = (rows: readonly Row[], labels: readonly string[]): number[] =>
  labels.map((label) => rows.length / (labels.length * rows.filter((row) => row.labels[0] === label).length))
const positive = (rows: readonly Row[], labels: readonly string[]): number[] =>
  labels.map((label) => {
    const there = rows.filter((row) => row.labels.includes(label)).length
    return (rows.length - there) / there
  })
export const linear =
  (labels: readonly string[], balanced = true): SyncJudge =>
  (train, held) => {
    const isThere = labels.map((label) => train.map((row) => row.labels.includes(label)))
    const model = new LinearBaseline(
      train.map(({ text }) => text),
      isThere,
      { balanced },
    )
    return held.map((text) => model.scores(text))
  }
export const identifier =
  (labels: readonly string[], seed: number): SyncJudge =>
  (train, held) => {
    const own = trainLanguageIdentifier(
      train.map(({ text, labels: [label] }) => ({ text, label: label! })),
      { seed },
    )
    return held.map((text) => {
      const { ranking } = own.identify(text, { minLetters: 0 })
      return labels.map((label) => ranking.find(({ language }) => language === label)?.probability ?? 0)
    })
  }

export interface Variant {
  /** Weights to begin with. */
  known?: ReadonlyMap<string, Tensor>
  /** Rare labels count as much as frequent ones. Default true. */
  weighted?: boolean
  isSeveral: boolean
  /** Begin as naive Bayes on the tokens. */
  asBayes?: boolean
  /** Stay as the model began. */
  isUntrained?: boolean
}
/** `isSeveral`: each label is learnt by itself, and scores are its logits. */
export const neural =
  (
    family: Family,
    labels: readonly string[],
    seed: number,
    { known, weighted = true, isSeveral, asBayes = false, isUntrained = false }: Variant,
  ): Judge =>
  async (train, held) => {
    const sets = isSeveral ? new LabelSets() : undefined
    const idsOf = (row: Row): number[] => row.labels.map((label) => labels.indexOf(label))
    const model = await family.fineTune(
      train.map(({ text }) => text),
      train.map((row) => sets?.idOf(idsOf(row)) ?? idsOf(row)[0]!),
      labels,
      {
        seed,
        asBayes,
        isUntrained,
        ...(sets && { sets }),
        ...(known && { known }),
        ...(weighted && { weights: (isSeveral ? positive : balance)(train, labels) }),
      },
    )
    const logits = family.logits(model, held)
    model.free()
    return logits
  }
