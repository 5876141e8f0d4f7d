// Scores of texts with labels → how far a scorer can be trusted: in all, in each language, and about each group of people.

import { bestThreshold } from '../../data/label-set-counts.ts'
import { auc, generalizedMean, type SubgroupAuc, subgroupAuc } from '../metrics/auc.ts'
import type { ScorerMeasurement, ScorerQuality } from './scorer.ts'

/** A text with what people said of it and what the scorer says. */
export interface JudgedText {
  isToxic: boolean
  /** Undefined where the scorer failed. */
  score: number | undefined
  language?: string | undefined
  /** Groups of people that the text is about. */
  groups?: readonly string[]
}

/** How well texts are told at one threshold. */
export interface AtThreshold {
  threshold: number
  f1: number
  precision: number | null
  recall: number
}

/** All figures; those in `languages` and `subgroups` are null, or left out, where there is only one kind of text. */
export interface ScorerReport extends ScorerMeasurement {
  toxic: number
  /** Texts without a score, which no figure counts. */
  failed: number
  /** At a score of one half, and where F1 is highest: fitted to these very texts, which flatters it. */
  at_half: AtThreshold
  best: AtThreshold
  subgroups: Readonly<Record<string, SubgroupAuc & { texts: number; toxic: number }>>
  /** Generalized means (p = −5) over the groups. */
  over_subgroups: SubgroupAuc
}

/** Undefined where texts of both kinds with a score are not there: nothing could be told of the scorer. */
export function measureScorer(texts: readonly JudgedText[]): ScorerReport | undefined {
  const judged = texts.flatMap(({ score, isToxic, language, groups = [] }) =>
    score === undefined || Number.isNaN(score) ? [] : [{ score, isPositive: isToxic, language, groups }],
  )
  const whole = auc(judged)
  if (whole === null) return undefined
  const names = [...new Set(judged.flatMap(({ groups }) => groups))].sort()
  const subgroups = Object.fromEntries(
    names.map((name) => {
      const own = judged.filter(({ groups }) => groups.includes(name))
      const counts = { texts: own.length, toxic: own.filter(({ isPositive }) => isPositive).length }
      return [name, { ...counts, ...subgroupAuc(judged, name) }]
    }),
  )
  const over = (key: keyof SubgroupAuc): number | null =>
    generalizedMean(Object.values(subgroups).flatMap((group) => group[key] ?? []))
  const best = bestThreshold(judged.map(({ score, isPositive }) => ({ probability: score, isThere: isPositive })))
  return {
    auc: whole,
    texts: judged.length,
    toxic: judged.filter(({ isPositive }) => isPositive).length,
    failed: texts.length - judged.length,
    at_half: at(0.5, judged),
    best: at(best, judged),
    languages: byLanguage(judged),
    subgroups,
    over_subgroups: { subgroup: over('subgroup'), bpsn: over('bpsn'), bnsp: over('bnsp') },
  }
}

interface Judged {
  score: number
  isPositive: boolean
  language: string | undefined
}

/** Languages with texts of both kinds. */
function byLanguage(judged: readonly Judged[]): Record<string, ScorerQuality> {
  const languages = [...new Set(judged.map(({ language }) => language))].filter((name) => name !== undefined).sort()
  return Object.fromEntries(
    languages.flatMap((name) => {
      const own = judged.filter(({ language }) => language === name)
      const value = auc(own)
      return value === null ? [] : [[name, { auc: value, texts: own.length }]]
    }),
  )
}

/** A text is called toxic from the threshold on. */
function at(threshold: number, judged: readonly Judged[]): AtThreshold {
  const toxic = judged.filter(({ isPositive }) => isPositive).length
  const called = judged.filter(({ score }) => score >= threshold)
  const right = called.filter(({ isPositive }) => isPositive).length
  return {
    threshold,
    f1: (2 * right) / (toxic + called.length),
    precision: called.length === 0 ? null : right / called.length,
    recall: right / toxic,
  }
}
