// What is right of what an arm gave: macro-F1 over the labels, as the shared tasks count it.
import { LabelCounts } from '../../src/data/label-counts.ts'
import { bestThreshold, LabelSetCounts, labelsAbove } from '../../src/data/label-set-counts.ts'
import { sideOf } from '../../src/data/split.ts'
import type { Judge, SyncJudge } from './arms.ts'
import type { Row } from './data.ts'
import type { Task } from './tasks.ts'

/** Numbers of one arm on one task. */
export interface Scores {
  /** Rows that were learnt from. */
  trained: number
  macro_f1: number
  accuracy: number
  f1: Record<string, number>
  /** Where texts have several labels: with a threshold of one half, and of the texts with more than one label alone. */
  at_half?: number
  ambiguous?: number
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
const highest = (scores: readonly number[]): number => scores.indexOf(Math.max(...scores))

/** Texts with one label: the one with the highest score. */
export async function one(task: Task, judge: Judge): Promise<Scores> {
  const { labels, train, held } = task
  const scores = await judge(
    train,
    held.map(({ text }) => text),
  )
  const counts = new LabelCounts(labels.length)
  for (const [i, { labels: own }] of held.entries()) counts.add(labels.indexOf(own[0]!), highest(scores[i]!))
  const f1 = Object.fromEntries(labels.map((label, id) => [label, counts.f1(id)]))
  return { trained: train.length, macro_f1: counts.macroF1, accuracy: counts.accuracy, f1 }
}

/** Texts with several labels: those from their thresholds on, which a tenth of the training sentences decides; scores are logits. */
export async function several(task: Task, judge: Judge, seed: number): Promise<Scores> {
  const { labels, train, held } = task
  const isInner = ({ text }: Row): boolean =>
    sideOf(text, { fraction: 0.1, salt: `thresholds ${seed}` }) === 'validation'
  const [inner, outer] = [train.filter(isInner), train.filter((row) => !isInner(row))]
  const scores = (
    await judge(
      outer,
      [...inner, ...held].map(({ text }) => text),
    )
  ).map((row) => row.map(sigmoid))
  const thresholds = labels.map((label, id) =>
    bestThreshold(inner.map((row, i) => ({ probability: scores[i]![id]!, isThere: row.labels.includes(label) }))),
  )
  const count = (from: readonly number[], rows: (row: Row) => boolean = () => true): LabelSetCounts => {
    const counts = new LabelSetCounts(labels.length)
    for (const [i, row] of held.entries())
      if (rows(row))
        counts.add(
          row.labels.map((label) => labels.indexOf(label)),
          labelsAbove(scores[inner.length + i]!, from),
        )
    return counts
  }
  const counts = count(thresholds)
  return {
    trained: outer.length,
    macro_f1: counts.macroF1,
    accuracy: counts.accuracy,
    f1: Object.fromEntries(labels.map((label, id) => [label, counts.f1(id)])),
    at_half: count(labels.map(() => 0.5)).macroF1,
    ambiguous: count(thresholds, (row) => row.labels.length > 1).macroF1,
  }
}

/** Every combination of labels as a label of its own, as the baseline of DSL-ML: given are the labels of the best one. */
export function combined(task: Task, judgeOf: (labels: readonly string[]) => SyncJudge): Scores {
  const { labels, train, held } = task
  const joined = train.map((row) => ({ ...row, labels: [row.labels.toSorted().join()] }))
  const combinations = [...new Set(joined.map((row) => row.labels[0]!))].sort()
  const scores = judgeOf(combinations)(
    joined,
    held.map(({ text }) => text),
  )
  const counts = new LabelSetCounts(labels.length)
  const ambiguous = new LabelSetCounts(labels.length)
  for (const [i, row] of held.entries()) {
    const given = combinations[highest(scores[i]!)]!.split(',').map((label) => labels.indexOf(label))
    const truth = row.labels.map((label) => labels.indexOf(label))
    counts.add(truth, given)
    if (truth.length > 1) ambiguous.add(truth, given)
  }
  const f1 = Object.fromEntries(labels.map((label, id) => [label, counts.f1(id)]))
  return {
    trained: train.length,
    macro_f1: counts.macroF1,
    accuracy: counts.accuracy,
    f1,
    ambiguous: ambiguous.macroF1,
  }
}
