// How well scores tell two kinds of texts apart, whatever threshold is chosen later.

import { areaUnderRoc } from '../../data/ranks.ts'

/** A score, and whether it is of the kind that should score high. */
export interface ScoredText {
  score: number
  isPositive: boolean
}

/**
 * Area under the receiver operating characteristic: the probability that a positive scores higher than a negative, a tie counted half
 * (the Mann-Whitney statistic; scikit-learn's roc_auc_score). Null where there is only one kind. O(n log n).
 *
 * @example auc([{ score: 0.9, isPositive: true }, { score: 0.1, isPositive: false }]) // 1
 */
export function auc(texts: readonly ScoredText[]): number | null {
  const area = areaUnderRoc(
    texts.map(({ score }) => score),
    texts.map(({ isPositive }) => isPositive),
  )
  return Number.isNaN(area) ? null : area
}

/** What Borkan et al. (2019, "Nuanced Metrics for Measuring Unintended Bias", arXiv 1903.04561) tell of one group. */
export interface SubgroupAuc {
  /** Of the texts about the group alone. */
  subgroup: number | null
  /** Background positives, subgroup negatives: low where harmless texts about the group score too high. */
  bpsn: number | null
  /** Background negatives, subgroup positives: low where toxic texts about the group score too low. */
  bnsp: number | null
}

/** A text with whom it is about; a text may be about several. */
export interface GroupedText extends ScoredText {
  groups: readonly string[]
}

/** The three figures of one group; the background is every text that is not about it. */
export function subgroupAuc(texts: readonly GroupedText[], group: string): SubgroupAuc {
  const isOwn = (text: GroupedText): boolean => text.groups.includes(group)
  return {
    subgroup: auc(texts.filter(isOwn)),
    bpsn: auc(texts.filter((text) => isOwn(text) !== text.isPositive)),
    bnsp: auc(texts.filter((text) => isOwn(text) === text.isPositive)),
  }
}

/**
 * (mean of valueᵖ)^(1/p), which with p = −5 leans to the worst group, as the competition on unintended bias that Borkan et al.'s figures
 * were used in had it. Null without values.
 */
export function generalizedMean(values: readonly number[], power = -5): number | null {
  if (values.length === 0) return null
  return (values.reduce((sum, value) => sum + value ** power, 0) / values.length) ** (1 / power)
}
