// What a run on preference pairs has to show: margins, accuracies, rewards and log-probabilities of both answers, and where the better
// ones collapse.
import { percent } from '../../report/amounts.ts'
import { formatNumber } from '../../report/scale.ts'
import type { Drawn, LoggedMetrics, RuleFigures } from '../../train/rule.ts'
import { ChosenWatch } from './chosen-watch.ts'
import { isLengthNormalised, needsReference, type PreferenceLoss } from './losses.ts'

/** The section of a run with this loss; `beta` multiplies the rewards. */
export function preferenceFigures(loss: PreferenceLoss, beta: number): Drawn {
  return {
    name: 'dpo',
    title: 'Preferences',
    prefixes: ['rewards', 'logps'],
    figures: (logged) => figuresOf(logged, loss, beta),
  }
}

function figuresOf(logged: LoggedMetrics, loss: PreferenceLoss, beta: number): RuleFigures {
  const collapse = chosenCollapse(logged, loss, beta)
  const margin = lastOf(logged, 'rewards/margins')
  const note = rewardNote(logged, loss)
  return {
    ...(margin !== undefined && {
      key: [
        {
          label: 'margin',
          value: formatNumber(margin, Math.abs(margin) / 100),
          detail: `${percent(lastOf(logged, 'rewards/accuracies') ?? 0)} of pairs in the right order`,
        },
      ],
    }),
    warnings: collapse === undefined ? [] : [collapse.message],
    charts: [
      { metric: 'rewards/margins', title: 'Margin', y: 'reward of the chosen − reward of the rejected answer' },
      { metric: 'rewards/accuracies', title: 'Pairs in the right order', y: 'of the pairs', isShare: true },
      { metric: bothAnswers('rewards'), title: 'Rewards', y: 'reward', ...(note !== undefined && { note }) },
      {
        metric: bothAnswers('logps'),
        title: 'Log-probabilities of the answers',
        y: isLengthNormalised(loss) ? 'nats per token of the answer' : 'nats per answer',
        ...(collapse && {
          marks: [{ x: collapse.step, label: 'the chosen answers collapse' }],
          note: collapse.message,
        }),
      },
    ],
  }
}

function bothAnswers(metric: string): Record<string, string> {
  return { chosen: `${metric}/chosen`, rejected: `${metric}/rejected` }
}

/** Where the chosen answers collapse, and what to do about it: what the watch says of the log. */
function chosenCollapse(
  { points }: LoggedMetrics,
  loss: PreferenceLoss,
  beta: number,
): { step: number; message: string } | undefined {
  const watch = new ChosenWatch(loss, beta)
  const rewards = new Map(points('rewards/chosen'))
  let before = 0
  for (const [step, chosen] of points('logps/chosen')) {
    const reward = rewards.get(step) ?? Number.NaN
    if (!Number.isFinite(chosen) || !Number.isFinite(reward)) continue
    // A point is the mean of the steps since the point before; a hundred of them leave nothing of what was.
    for (let steps = Math.min(100, step - before); steps > 0; steps--) {
      const message = watch.take({ 'logps/chosen': chosen, 'rewards/chosen': reward })
      if (message !== undefined) return { step, message: `At step ${step.toLocaleString('en')} ${message}.` }
    }
    before = step
  }
  return undefined
}

function rewardNote(logged: LoggedMetrics, loss: PreferenceLoss): string | undefined {
  if (!needsReference(loss)) return 'Without a reference a reward is beta times the log-probability, so it is below 0.'
  const areBothBelow = Object.values(bothAnswers('rewards')).every((metric) => (lastOf(logged, metric) ?? 0) < 0)
  return areBothBelow
    ? 'Both are below 0, which is common and no fault by itself: only their difference is trained.'
    : undefined
}

function lastOf({ points }: LoggedMetrics, metric: string): number | undefined {
  return points(metric).findLast(([, value]) => Number.isFinite(value))?.[1]
}
