// What `train()` yields → what people and programs see while it runs: a bar or plain lines on standard error, or
// every event as a JSON line with `--json`. The events pass through, so a command can tap them as well.

import type { StepMetrics, TrainEvent } from '../train/events.ts'
import { type Output, printable } from './output.ts'
import { amount, duration, type Progress, startProgress } from './progress.ts'

/**
 * Prints every event and yields it on.
 *
 * @example
 * for await (const event of reportTrainEvents(train(model, batches, objective, options), output)) history.push(event)
 */
export async function* reportTrainEvents(
  events: AsyncIterable<TrainEvent>,
  output: Output,
): AsyncGenerator<TrainEvent, void, undefined> {
  let progress: Progress | undefined
  try {
    for await (const event of events) {
      output.emit(event)
      if (event.type === 'run-start') {
        const { steps: total, startStep: start } = event
        if (!output.isJson) output.note(startLine(event))
        progress = startProgress(output, { label: 'training', total, start, unit: 'steps' })
      } else if (event.type === 'step-done') progress?.update(event.metrics.step, details(event.metrics))
      if (event.type === 'run-end') progress?.end()
      const line = output.isJson ? undefined : describeEvent(event)
      if (line !== undefined) (progress?.log ?? output.note)(line)
      yield event
    }
  } finally {
    progress?.end()
  }
}

/** The line for people about an event that is worth one; steps are not, they move the bar. */
export function describeEvent(event: TrainEvent): string | undefined {
  switch (event.type) {
    case 'run-start':
    case 'step-done':
      return undefined
    case 'step-skipped':
      return `step ${event.step}: skipped, ${printable(event.reason)}`
    case 'evaluation-done': {
      const best = event.isBest ? '  (best so far)' : ''
      return `step ${event.step}: evaluation  ${listed(event.metrics)}${best}`
    }
    case 'sample':
      return `step ${event.step}: sample  ${oneLine(event.prompt)}│${oneLine(event.text)}`
    case 'checkpoint-saved':
      return `step ${event.step}: saved ${printable(event.path)} in ${duration(event.seconds)}`
    case 'checkpoint-failed':
      return `step ${event.step}: could not save a checkpoint: ${printable(event.message)}`
    case 'notice':
      return printable(event.message)
    case 'run-end': {
      const how = { finished: 'finished', stopped: 'stopped', 'early-stopping': 'stopped early: no more progress' }
      const metrics = listed(event.metrics)
      return `${how[event.reason]} after step ${event.step}${metrics === '' ? '' : `  ${metrics}`}`
    }
  }
}

function startLine(event: Extract<TrainEvent, { type: 'run-start' }>): string {
  const { parameters, trainableParameters: trainable, steps, startStep } = event
  const share =
    trainable === parameters ? 'all trained' : `${((100 * trainable) / parameters).toPrecision(3)} % trained`
  const from = startStep > 0 ? `, going on after step ${startStep}` : ''
  return `${amount(parameters, 'parameters')}, ${share}; ${steps} steps${from}`
}

function details(metrics: StepMetrics): Record<string, string> {
  return { loss: metrics.loss.toFixed(3), 'tokens/s': amount(metrics.tokens_per_second, '', false) }
}

function listed(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${printable(name)} ${Number.isInteger(value) ? value : Number(value.toPrecision(5))}`)
    .join('  ')
}

function oneLine(text: string): string {
  return printable(text).replaceAll(/\s*\n\s*/g, ' ⏎ ')
}
