// What happened during training, as points to plot.

import type { TextSample } from '../report/blocks.ts'
import type { Point } from '../report/series.ts'
import { shortened } from '../report/shortened.ts'
import type { RunEvent, TrainResult } from '../run/train/run-events.ts'

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

  /** The events of a run, collected as they pass. */
  async *of(events: AsyncGenerator<RunEvent, TrainResult>): AsyncGenerator<RunEvent, TrainResult> {
    while (true) {
      const next = await events.next()
      if (next.done === true) return next.value
      this.take(next.value)
      yield next.value
    }
  }

  private take(event: RunEvent): void {
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
