// The losses of preference tuning by name, and what each needs. Data only, so that a configuration loads no engine.

/** The losses. SimPO and ORPO need no reference; these two and IPO take log-probabilities per token of the answer. */
export const PREFERENCE_LOSSES = ['sigmoid', 'hinge', 'ipo', 'simpo', 'orpo'] as const

/** The name of a loss on pairs. */
export type PreferenceLoss = (typeof PREFERENCE_LOSSES)[number]

/** True for losses on log-probabilities per token. */
export function isLengthNormalised(loss: PreferenceLoss): boolean {
  return loss === 'ipo' || loss === 'simpo' || loss === 'orpo'
}

/** True for losses that compare with a reference. */
export function needsReference(loss: PreferenceLoss): boolean {
  return loss === 'sigmoid' || loss === 'hinge' || loss === 'ipo'
}

/** True for losses that label smoothing is for. */
export function canBeSmoothed(loss: PreferenceLoss): boolean {
  return loss === 'sigmoid' || loss === 'simpo'
}
