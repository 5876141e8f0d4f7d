// What `train()` yields. The command line prints these, a server streams them, tests collect them.

/** One row of `trainer_state.json`'s `log_history`; names are Hugging Face's. */
export interface StepMetrics {
  step: number
  epoch: number
  /** Mean loss per supervised token (or pair) of the whole optimizer step. */
  loss: number
  /** Global gradient norm before clipping. */
  grad_norm: number
  learning_rate: number
  /** Tokens (padding included) seen since the start of the run. */
  num_tokens: number
  /** Tokens per second of this step. */
  tokens_per_second: number
  /** Whatever the objective adds, e.g. `mean_token_accuracy`, `rewards/margins`. */
  [metric: string]: number
}

/** What `train` yields, in the order in which it happens. */
export type TrainEvent =
  | { type: 'run-start'; steps: number; startStep: number; parameters: number; trainableParameters: number }
  | { type: 'step-done'; metrics: StepMetrics; seconds: number }
  | { type: 'step-skipped'; step: number; reason: string }
  | { type: 'evaluation-done'; step: number; epoch: number; metrics: Record<string, number>; isBest: boolean }
  | { type: 'sample'; step: number; prompt: string; text: string }
  | { type: 'checkpoint-saved'; step: number; path: string; seconds: number }
  | { type: 'checkpoint-failed'; step: number; message: string; error: Error }
  | { type: 'notice'; message: string }
  | {
      type: 'run-end'
      step: number
      reason: 'finished' | 'stopped' | 'early-stopping'
      metrics: Record<string, number>
    }
