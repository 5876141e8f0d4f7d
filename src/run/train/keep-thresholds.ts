// The thresholds of a classifier of several labels: what the last evaluation of the weights that are kept found best goes into their config.json.

import { saveLabelThresholds } from '../../checkpoint/model-directory/classifier-directory.ts'
import { formatNumber } from '../../report/scale.ts'
import { THRESHOLD_METRIC } from '../../train/multi-label-classification.ts'
import type { RunTell } from './run-events.ts'

/** Writes them into `directory`, tells of them, and returns them; undefined where a text has one label, or nothing was held out. */
export function keepThresholds(
  directory: string,
  labels: readonly string[],
  evaluation: Readonly<Record<string, string | number | null>>,
  tell: RunTell,
): readonly number[] | undefined {
  const found = labels.map((label) => evaluation[`eval_${THRESHOLD_METRIC}${label}`])
  const thresholds = found.filter((value) => typeof value === 'number')
  if (thresholds.length !== labels.length) return undefined
  saveLabelThresholds(directory, thresholds)
  const shown = labels.slice(0, 20).map((label, id) => `${label} ${formatNumber(thresholds[id]!)}`)
  const message = `labels are given from these probabilities on, the best on the held-out texts: ${shown.join(', ')}${labels.length > 20 ? ', …' : ''}`
  tell({ type: 'notice', message })
  return thresholds
}
