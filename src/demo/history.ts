// What happened during training, as points to plot.

import type { TextSample } from '../report/blocks.ts'
import type { Point } from '../report/series.ts'
import type { TrainEvent } from '../train/events.ts'

/** Collects the events of one run. */
export class TrainingHistory {
  readonly loss: Point[] = []
  readonly heldOutLoss: Point[] = []
  readonly learningRate: Point[] = []
  readonly tokensPerSecond: Point[] = []
  readonly samples: (TextSample & { prompt: string })[] = []
  parameters = 0
  tokens = 0
  epochs = 0
  /** The newest checkpoint. */
  checkpoint: string | undefined

  take(event: TrainEvent): void {
    if (event.type === 'run-start') this.parameters = event.parameters
    if (event.type === 'step-done') {
      const { step, loss, learning_rate, tokens_per_second, num_tokens, epoch } = event.metrics
      this.loss.push([step, loss])
      this.learningRate.push([step, learning_rate])
      this.tokensPerSecond.push([step, tokens_per_second])
      this.tokens = num_tokens
      this.epochs = epoch
    }
    if (event.type === 'evaluation-done') this.heldOutLoss.push([event.step, event.metrics.eval_loss!])
    if (event.type === 'sample')
      this.samples.push({
        label: `step ${event.step.toLocaleString('en')}`,
        prompt: event.prompt,
        text: shortened(event.text),
      })
    if (event.type === 'checkpoint-saved') this.checkpoint = event.path
  }
}

/** A text without the empty lines that an untrained model likes to write. */
export function shortened(text: string): string {
  return text.replaceAll(/\n(?:[ \t]*\n){2,}/g, '\n\n').trimEnd()
}
