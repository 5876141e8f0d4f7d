// What a training run tells: the loop's events, those of all long work, and what is learnt of data and memory before the first step.

import type { TrainEvent } from '../../train/events.ts'
import type { Tell, WorkEvent } from '../../work.ts'
import type { MemoryNeed } from '../memory/memory-estimate.ts'
import type { Fingerprint } from './fingerprint.ts'

/** What only training runs tell. `message` is the line for people. */
export type RunOnlyEvent =
  /** A set of data is read, tokenized and ready. */
  | { type: 'data-read'; split: 'train' | 'validation'; message: string; tokens: number; samples: number }
  /** A sample as the model sees it, what is learnt of it between ⟦ and ⟧; a preference pair has two. */
  | { type: 'example'; message: string; texts: readonly string[] }
  /** The memory that the run will need at its peak. */
  | { type: 'memory'; message: string; need: MemoryNeed }
  /** Hashes that two runs share when they are the same run. */
  | { type: 'fingerprint'; fingerprint: Fingerprint }

/** What `runTraining` yields. */
export type RunEvent = TrainEvent | WorkEvent | RunOnlyEvent

export type RunTell = Tell<RunOnlyEvent>

/** What the parts of a run are given to tell of themselves and to hear that they should stop. */
export interface RunWatch {
  readonly signal?: AbortSignal | undefined
  readonly tell: RunTell
}

/** How a run ended. */
export interface TrainResult {
  /** Holds the final model where `isSaved`, checkpoints and the log. */
  directory: string
  /** Optimizer steps done. */
  step: number
  reason: 'finished' | 'stopped' | 'early-stopping'
  /** Of the whole run: `train_loss`, `train_runtime`, …; empty where it was stopped before the first step. */
  metrics: Readonly<Record<string, number>>
  /** Whether the final model lies at the top of `directory`; not after a stop. */
  isSaved: boolean
  /** The step whose weights the final model has: the last, or that of the best evaluation. */
  keptStep: number | undefined
  /** Why the last checkpoint could not be saved; the run went on without it. */
  saveError: Error | undefined
  fingerprint: Fingerprint | undefined
}
