// The logits that a step learns from, kept by the index of their sample: an objective around the stage's own, and a rule that says when.

import type { Batch } from '../data/batch.ts'
import { IGNORE_INDEX } from '../data/batch.ts'
import { CheckpointError } from '../errors.ts'
import type { AnyModel } from '../model/any-model.ts'
import type { Tensor } from '../torch/index.ts'
import type { Objective } from './objective.ts'
import type { Rule } from './rule.ts'

/** Keeps what the objective's outputs, [rows, labels], say of `rows` samples. */
export class LogitRecorder {
  /** [rows, labels]; NaN where nothing was said yet. */
  readonly logits: Float32Array
  private readonly labels: number
  private isLearning = false

  constructor(rows: number, labels: number) {
    this.logits = new Float32Array(rows * labels).fill(Number.NaN)
    this.labels = labels
  }

  /** Forgets all: another epoch begins. */
  clear(): void {
    this.logits.fill(Number.NaN)
  }

  /** The same objective; what it answers within a step is kept. */
  around(objective: Objective<Batch, AnyModel>): Objective<Batch, AnyModel> {
    return {
      ...objective,
      forward: (model, batch) => {
        const result = objective.forward(model, batch)
        if (this.isLearning && result.outputs !== undefined) this.keep(batch, result.outputs)
        return result
      },
    }
  }

  /** Knows a step from an evaluation; its state is what an exact resume within an epoch needs. */
  get rule(): Rule {
    return {
      name: 'training_dynamics',
      step: (_, next) => {
        this.isLearning = true
        try {
          return next()
        } finally {
          this.isLearning = false
        }
      },
      state: () => Buffer.from(this.logits.buffer, this.logits.byteOffset, this.logits.byteLength).toString('base64'),
      restore: (state) => {
        const bytes = Buffer.from(String(state), 'base64')
        if (bytes.length !== this.logits.byteLength)
          throw new CheckpointError(
            `run_state.json:rules.training_dynamics: expected ${this.logits.byteLength} bytes, got ${bytes.length}. Resume with the data and labels that the run began with`,
          )
        new Uint8Array(this.logits.buffer).set(bytes)
      },
    }
  }

  /** Keeps the logits of a batch. */
  keep(batch: Batch, outputs: Tensor): void {
    const values = outputs.to('f32').toArray()
    let row = 0
    for (let i = 0; i < batch.rows; i++) {
      if (batch.labels[i * batch.length] === IGNORE_INDEX) continue // the objective has no row for it
      const sample = batch.samples![i * batch.length]!
      for (let label = 0; label < this.labels; label++)
        this.logits[sample * this.labels + label] = values[row * this.labels + label]!
      row++
    }
  }
}
