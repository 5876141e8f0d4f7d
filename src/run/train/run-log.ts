// What a run leaves for people and tools to read: log_history as in trainer_state.json, TensorBoard files, all_results.json.
// What is not logged yet (the window since the last row) and what the model said are saved with it, so that a resumed run has all of it.
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import {
  type LogRow,
  readTrainerState,
  TRAINER_STATE,
  type TrainerState,
  trainerState,
  writeTrainerState,
} from '../../checkpoint/run-directory/trainer-state.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { hasCode } from '../../errors.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { stepsOf } from '../../methods/fields.ts'
import type { StepMetrics, TrainEvent } from '../../train/events.ts'
import { TensorBoardWriter } from '../../train/tensorboard.ts'

/** Metrics of which a row shows the last value; all others are means over the steps since the last row. */
const SHOWN_AS_LAST = new Set(['step', 'epoch', 'grad_norm', 'learning_rate', 'num_tokens', 'tokens_per_second'])
/** Transformers ignores the state of a callback that it does not know. */
const WINDOW = 'LogWindow'
const SAMPLES = 'LogSamples'

/** Steps since the last row; a metric need not be in all of them. */
interface Window {
  counts: Record<string, number>
  sums: Record<string, number>
}

/** How the model continued a prompt after `step`. */
export interface LogSample {
  step: number
  prompt: string
  text: string
}

/** Collects events into log rows: every `logging_steps` one with the mean loss since the last. */
export class RunLog {
  private readonly config: TrainConfig
  private readonly tell: (notice: string) => void
  readonly state: TrainerState
  readonly samples: LogSample[] = []
  private readonly every: number
  private window: Window = { counts: {}, sums: {} }
  private board: TensorBoardWriter | undefined

  /** For a run of `steps`; `resumed` is the checkpoint whose history is continued, `tell` hears of what is wrong with the records. */
  constructor(config: TrainConfig, steps: number, tell: (notice: string) => void, resumed?: string) {
    this.config = config
    this.tell = tell
    this.every = stepsOf(config.logging_steps, steps)
    const before = resumed !== undefined && existsSync(join(resumed, TRAINER_STATE)) ? readTrainerState(resumed) : {}
    this.state = trainerState({
      ...before,
      max_steps: steps,
      logging_steps: this.every,
      eval_steps: stepsOf(config.eval_steps, steps),
      save_steps: stepsOf(config.save_steps, steps),
      num_train_epochs: Math.ceil(config.num_train_epochs),
      train_batch_size: config.per_device_train_batch_size,
    })
    const saved = this.state.stateful_callbacks as {
      [WINDOW]?: { attributes: Window }
      [SAMPLES]?: { attributes: { samples: LogSample[] } }
    }
    // Without counts it is of an earlier version.
    if (saved[WINDOW]?.attributes.counts !== undefined) this.window = structuredClone(saved[WINDOW].attributes)
    this.samples.push(...(saved[SAMPLES]?.attributes.samples ?? []))
    if (config.report_to === 'tensorboard') {
      const started = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
      this.board = new TensorBoardWriter(join(config.output_dir, 'runs', `${started}_${hostname()}`))
    }
  }

  /** The checkpoint of the best evaluation so far, if it was saved and is still there. */
  get bestCheckpoint(): string | undefined {
    const { best_global_step: step } = this.state
    const path = join(this.config.output_dir, `checkpoint-${step}`)
    return step !== null && existsSync(path) ? path : undefined
  }

  take(event: TrainEvent): void {
    const { state } = this
    if (event.type === 'step-done') {
      const { metrics } = event
      state.epoch = metrics.epoch
      state.num_input_tokens_seen = metrics.num_tokens
      const { counts, sums } = this.window
      for (const [name, value] of Object.entries(metrics)) {
        if (SHOWN_AS_LAST.has(name)) continue
        counts[name] = (counts[name] ?? 0) + 1
        sums[name] = (sums[name] ?? 0) + value
      }
      if (metrics.step % this.every === 0 || metrics.step === state.max_steps) this.addRow(metrics)
    } else if (event.type === 'evaluation-done') {
      if (event.isBest) {
        state.best_metric = event.metrics[this.config.metric_for_best_model]!
        state.best_global_step = event.step
      }
      this.add('eval', { ...event.metrics, epoch: event.epoch, step: event.step })
    } else if (event.type === 'sample') {
      this.samples.push({ step: event.step, prompt: event.prompt, text: event.text })
    } else if (event.type === 'run-end') {
      this.add('train', { ...event.metrics, epoch: state.epoch ?? 0, step: event.step })
      this.board?.close()
      this.board = undefined
    }
  }

  /** Writes trainer_state.json into a checkpoint of `step`, or into the output directory. */
  write(directory: string, step: number): WrittenFile {
    const { state } = this
    const best = join(this.config.output_dir, `checkpoint-${state.best_global_step}`)
    const isSaved = state.best_global_step === step || this.bestCheckpoint !== undefined
    return writeTrainerState(directory, {
      ...state,
      global_step: step,
      best_model_checkpoint: state.best_global_step !== null && isSaved ? best : null,
      stateful_callbacks: {
        ...state.stateful_callbacks,
        [WINDOW]: { args: {}, attributes: this.window },
        ...(this.samples.length > 0 && { [SAMPLES]: { args: {}, attributes: { samples: this.samples } } }),
      },
    })
  }

  /** The metrics of the evaluation of the weights of a step, or the last ones; empty where nothing was evaluated. */
  evaluationAt(keptStep: number): LogRow {
    const evaluations = this.state.log_history.filter((row) => 'eval_runtime' in row)
    return evaluations.findLast(({ step }) => step === keptStep) ?? evaluations.at(-1) ?? {}
  }

  /** Writes all_results.json: the metrics of the run, and of the evaluation of the weights that were kept, those of step `keptStep`. */
  writeResults(directory: string, keptStep: number): WrittenFile {
    const { step: _, ...results } = {
      ...this.evaluationAt(keptStep),
      ...this.state.log_history.findLast((row) => 'train_runtime' in row),
    }
    const text = JSON.stringify({ ...results, kept_step: keptStep }, null, 2)
    return writeFileAtomic(join(directory, 'all_results.json'), `${text}\n`)
  }

  private addRow(last: StepMetrics): void {
    const { counts, sums } = this.window
    const means = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / counts[name]!]))
    this.add('train', { ...last, ...means })
    this.window = { counts: {}, sums: {} }
  }

  private add(tag: 'train' | 'eval', row: Record<string, number>): void {
    this.state.log_history.push(row satisfies LogRow)
    const { step = 0, epoch: _, ...scalars } = row
    try {
      for (const [name, value] of Object.entries(scalars))
        this.board?.scalar(`${tag}/${name.replace(/^eval_/, '')}`, value, step) // as Transformers names them
    } catch (error) {
      // A chart is not worth a run; checkpoints have their own answer to a full disk.
      if (!hasCode(error, 'ENOSPC', 'EDQUOT', 'EFBIG')) throw error
      this.tell('no space for TensorBoard files, they end here')
      this.board = undefined
    }
  }
}
