// What a run leaves for people and tools to read: log_history as in trainer_state.json, TensorBoard files, all_results.json.
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { writeFileAtomic } from '../../checkpoint/atomic-write.ts'
import {
  type LogRow,
  readTrainerState,
  TRAINER_STATE,
  type TrainerState,
  trainerState,
  writeTrainerState,
} from '../../checkpoint/trainer-state.ts'
import type { StepMetrics, TrainEvent } from '../../train/events.ts'
import { TensorBoardWriter } from '../../train/tensorboard.ts'
import { stepsOf } from '../config/fields.ts'
import type { TrainConfig } from '../config/schema.ts'

/** Collects events into log rows: every `logging_steps` one with the mean loss since the last. */
export class RunLog {
  private readonly rows: LogRow[] = []
  private window: StepMetrics[] = []
  private last: StepMetrics | undefined
  private best: { metric: number; step: number } | undefined
  private readonly board: TensorBoardWriter | undefined
  private readonly every: number
  private readonly config: TrainConfig
  private readonly steps: number

  /** `resumed`: the checkpoint whose history is continued. */
  constructor(config: TrainConfig, steps: number, resumed?: string) {
    this.config = config
    this.steps = steps
    this.every = stepsOf(config.logging_steps, steps)
    if (resumed !== undefined && existsSync(join(resumed, TRAINER_STATE))) {
      const state = readTrainerState(resumed)
      this.rows.push(...state.log_history)
      if (state.best_metric !== null && state.best_global_step !== null)
        this.best = { metric: state.best_metric, step: state.best_global_step }
    }
    if (config.report_to === 'tensorboard') {
      const started = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
      this.board = new TensorBoardWriter(join(config.output_dir, 'runs', `${started}_${hostname()}`))
    }
  }

  take(event: TrainEvent): void {
    if (event.type === 'step-done') {
      this.window.push(event.metrics)
      this.last = event.metrics
      if (event.metrics.step % this.every === 0 || event.metrics.step === this.steps) this.addRow()
    } else if (event.type === 'evaluation-done') {
      if (event.isBest) this.best = { metric: event.metrics[this.config.metric_for_best_model]!, step: event.step }
      this.add('eval', { ...event.metrics, epoch: event.epoch, step: event.step })
    } else if (event.type === 'run-end') {
      this.add('train', { ...event.metrics, epoch: this.last?.epoch ?? 0, step: event.step })
      writeFileAtomic(
        join(this.config.output_dir, 'all_results.json'),
        `${JSON.stringify(Object.assign({}, ...this.rows.slice(-3)), null, 2)}\n`,
      )
      this.board?.close()
    }
  }

  /** Writes trainer_state.json into a checkpoint or the output directory. */
  write(directory: string, step: number): ReturnType<typeof writeTrainerState> {
    const { config } = this
    const state: Partial<TrainerState> = {
      epoch: this.last?.epoch ?? 0,
      global_step: step,
      max_steps: this.steps,
      logging_steps: this.every,
      num_input_tokens_seen: this.last?.num_tokens ?? 0,
      train_batch_size: config.per_device_train_batch_size,
      log_history: this.rows as TrainerState['log_history'],
      ...(this.best && {
        best_metric: this.best.metric,
        best_global_step: this.best.step,
        best_model_checkpoint: join(config.output_dir, `checkpoint-${this.best.step}`),
      }),
    }
    return writeTrainerState(directory, trainerState(state))
  }

  private addRow(): void {
    const { last, window } = this
    if (last === undefined || window.length === 0) return
    const loss = window.reduce((sum, row) => sum + row.loss, 0) / window.length
    this.add('train', { ...last, loss })
    this.window = []
  }

  private add(tag: 'train' | 'eval', row: Record<string, number>): void {
    this.rows.push(row)
    const { step = 0, epoch: _, ...scalars } = row
    for (const [name, value] of Object.entries(scalars))
      this.board?.scalar(`${tag}/${name.replace(/^(eval|train)_/, '')}`, value, step)
  }
}
