// A run that got worse again after its best evaluation: said at the end, in the terminal and on the page.

import type { TrainerState } from '../../checkpoint/run-directory/trainer-state.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { measured } from '../../report/amounts.ts'

/** A smaller difference is noise of the steps at the end. */
const CLEARLY = 0.05

/** What to say where the last evaluation is clearly worse than the best, and the final model has the last weights; else undefined. */
export function passedBest(
  config: Pick<TrainConfig, 'metric_for_best_model' | 'greater_is_better' | 'load_best_model_at_end'>,
  { best_metric: best, best_global_step: step, log_history }: TrainerState,
): string | undefined {
  const { metric_for_best_model: name, greater_is_better } = config
  if (config.load_best_model_at_end || best === null || step === null) return undefined
  const row = log_history.findLast((each) => name in each)
  const last = Number(row?.[name])
  const worse = greater_is_better ? best - last : last - best
  if (row === undefined || Number(row.step) <= step || !(worse > CLEARLY * Math.abs(best))) return undefined
  return `${name} was best after step ${step}, ${measured(best)}, and is ${measured(last)} at the end: since then the model has learnt its training data and not more. Train for fewer steps, or keep the best with load_best_model_at_end: true`
}
