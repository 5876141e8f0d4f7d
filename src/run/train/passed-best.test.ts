import { describe, expect, it } from 'vitest'
import { type LogRow, trainerState } from '../../checkpoint/run-directory/trainer-state.ts'
import { passedBest } from './passed-best.ts'

const loss = { metric_for_best_model: 'eval_loss', greater_is_better: false, load_best_model_at_end: false }
const stateOf = (log_history: LogRow[], best_global_step: number | null, best_metric: number | null) =>
  trainerState({ log_history, best_global_step, best_metric })
const overfit = stateOf(
  [
    { step: 190, eval_loss: 3.34 },
    { step: 600, eval_loss: 4.94 },
    { step: 600, train_loss: 1 },
  ],
  190,
  3.34,
)

describe('passedBest', () => {
  it('says that the best evaluation was clearly better and earlier, and what keeps it', () => {
    expect(passedBest(loss, overfit)).toMatch(
      /^eval_loss was best after step 190, 3\.34, and is 4\.94 at the end: .*load_best_model_at_end: true$/,
    )
    const better = { ...loss, metric_for_best_model: 'eval_accuracy', greater_is_better: true }
    const rows = [
      { step: 5, eval_accuracy: 0.8 },
      { step: 9, eval_accuracy: 0.6 },
    ]
    expect(passedBest(better, stateOf(rows, 5, 0.8))).toContain('eval_accuracy was best after step 5, 0.8')
  })

  it('is silent where the best is kept, is the last, hardly differs, or nothing was evaluated', () => {
    expect(passedBest({ ...loss, load_best_model_at_end: true }, overfit)).toBeUndefined()
    expect(passedBest(loss, stateOf([{ step: 190, eval_loss: 3.34 }], 190, 3.34))).toBeUndefined()
    const near = [
      { step: 190, eval_loss: 3.34 },
      { step: 600, eval_loss: 3.4 },
    ]
    expect(passedBest(loss, stateOf(near, 190, 3.34))).toBeUndefined()
    expect(passedBest(loss, stateOf([{ step: 8, loss: 2 }], null, null))).toBeUndefined()
  })
})
