// A run of stage `classify` that leaves its training dynamics: it hears the loop's events and writes a file at the end of each epoch,
// before the checkpoint of that step, so that a run that goes on writes the same files again.

import { join } from 'node:path'
import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { type DynamicsHeader, writeDynamicsEpoch, writeDynamicsRows } from '../../data/datamap/dynamics-files.ts'
import type { LabelledRow, LabelledSamples } from '../../data/tuning/labelled.ts'
import { type AnyModel, type Classifier, labelLogits } from '../../model/any-model.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import { counted } from '../../report/amounts.ts'
import { autocast, noGrad, scope } from '../../torch/index.ts'
import type { TrainEvent } from '../../train/events.ts'
import { LogitRecorder } from '../../train/logit-recorder.ts'
import type { Rule } from '../../train/rule.ts'
import { stepPlan } from '../../train/step-plan.ts'
import { turn } from '../../work.ts'
import type { RunObjective } from './finetuning.ts'
import type { RunTell } from './run-events.ts'

/** Whose logits are kept, and in which batches a pass after an epoch reads them. */
export interface Recorded {
  readonly samples: LabelledSamples
  readonly batches: BatchSource
}

/** Put around the loop; see `training_dynamics`. */
export class DynamicsRecording {
  private readonly recorder: LogitRecorder
  private readonly recorded: Recorded
  private readonly folder: string
  private readonly header: DynamicsHeader
  private readonly rows: (LabelledRow & { gold: number })[]
  private readonly stepsPerEpoch: number
  private readonly bf16: boolean
  private readonly tell: RunTell

  constructor(
    config: TrainConfig,
    recorded: Recorded,
    {
      labels,
      batchesPerEpoch,
      bf16,
      tell,
    }: { labels: readonly string[]; batchesPerEpoch: number; bf16: boolean; tell: RunTell },
  ) {
    const { samples } = recorded
    this.recorded = recorded
    this.recorder = new LogitRecorder(samples.length, labels.length)
    this.folder = join(config.output_dir, 'training_dynamics')
    this.stepsPerEpoch = stepPlan(batchesPerEpoch, config.gradient_accumulation_steps).stepsPerEpoch
    this.bf16 = bf16
    this.tell = tell
    this.rows = Array.from({ length: samples.length }, (_, i) => ({ ...samples.rowOf(i), gold: samples.labelOf(i) }))
    this.header = {
      when: config.training_dynamics!,
      labels,
      epochs: 0,
      rows: samples.length,
      dataset: config.dataset,
      textColumn: config.text_column,
      labelColumn: config.label_column!,
      ...(config.training_dynamics === 'crossfit' && { folds: config.crossfit_folds, fold: config.crossfit_fold }),
    }
  }

  private get isDuring(): boolean {
    return this.header.when === 'during'
  }

  objective(objective: RunObjective): RunObjective {
    return this.isDuring ? this.recorder.around(objective) : objective
  }

  rules(): Rule[] {
    return this.isDuring ? [this.recorder.rule] : []
  }

  /** Hears of each event while the loop waits. */
  async take(event: TrainEvent, model: AnyModel): Promise<void> {
    if (event.type === 'run-start') {
      const epochs = Math.floor(event.startStep / this.stepsPerEpoch)
      writeDynamicsRows(this.folder, { ...this.header, epochs }, this.rows)
    }
    const step = event.type === 'step-done' ? event.metrics.step : event.type === 'step-skipped' ? event.step : 0
    if (step === 0 || step % this.stepsPerEpoch !== 0) return
    if (!this.isDuring) await this.pass(model)
    const epoch = step / this.stepsPerEpoch - 1
    const unseen = writeDynamicsEpoch(this.folder, this.header, epoch, this.rows, this.recorder.logits)
    if (unseen > 0)
      this.tell({
        type: 'notice',
        message: `epoch ${epoch + 1}: ${counted(unseen, 'example')} without logits that are numbers`,
      })
    this.recorder.clear()
  }

  /** All of the examples by the model as it is, without dropout. */
  private async pass(model: AnyModel): Promise<void> {
    const { batches } = this.recorded
    for (let i = 0; i < batches.batchesPerEpoch; i++) {
      const batch = batches.at(i)
      withoutDropout(model, () =>
        noGrad(() =>
          scope(() =>
            autocast(this.bf16 ? 'bf16' : null, () =>
              this.recorder.keep(batch, labelLogits(model as Classifier, batch)),
            ),
          ),
        ),
      )
      await turn()
    }
  }
}
