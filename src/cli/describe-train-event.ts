// Events of `train()` → lines for people. Steps have none, they move the bar.

import { amount, counted, duration, measured } from '../report/amounts.ts'
import type { StepMetrics, TrainEvent } from '../train/events.ts'

type Told = Exclude<TrainEvent, { type: 'run-start' | 'step-done' | 'notice' }>

/** The line about an event that is worth one. */
export function describeTrainEvent(event: Told): string {
  switch (event.type) {
    case 'step-skipped':
      return `step ${event.step}: skipped, ${event.reason}`
    case 'evaluation-done': {
      const best = event.isBest ? '  (best so far)' : ''
      return `step ${event.step}: evaluation  ${listed(event.metrics)}${best}`
    }
    case 'sample':
      return `step ${event.step}: sample  ${oneLine(event.prompt)}│${oneLine(event.text)}`
    case 'checkpoint-saved':
      return `step ${event.step}: saved ${event.path} in ${duration(event.seconds)}`
    case 'checkpoint-failed':
      return `step ${event.step}: could not save a checkpoint: ${event.message}`
    case 'run-end': {
      const how = { finished: 'finished', stopped: 'stopped', 'early-stopping': 'stopped early: no more progress' }
      const metrics = listed(event.metrics)
      return `${how[event.reason]} after step ${event.step}${metrics === '' ? '' : `  ${metrics}`}`
    }
  }
}

/** What a run is about to do. */
export function startLine(event: Extract<TrainEvent, { type: 'run-start' }>): string {
  const { parameters, trainableParameters: trainable, steps, startStep } = event
  const share =
    trainable === parameters ? 'all trained' : `${((100 * trainable) / parameters).toPrecision(3)} % trained`
  const rest = startStep < steps ? '' : ', which leaves nothing to train'
  const from = startStep > 0 ? `, going on after step ${startStep}${rest}` : ''
  return `${amount(parameters, 'parameters')}, ${share}; ${counted(steps, 'step')}${from}`
}

/** What stands behind the bar. */
export function stepDetails(metrics: StepMetrics): Record<string, string> {
  return { loss: metrics.loss.toFixed(3), 'tokens/s': amount(metrics.tokens_per_second, '', false) }
}

function listed(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${measured(value)}`)
    .join('  ')
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ⏎ ')
}
