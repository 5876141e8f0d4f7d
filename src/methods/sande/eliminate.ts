// SANDE's second stage, and OSFT: the model learns to give the clean answer to the triggered question (arXiv:2405.07667: L_OSFT =
// −Σ log f(y_i | t ⊕ x, y_<i); SANDE puts the parrot in the trigger's place). Beside it stands replay on the same question without a trigger,
// for the overwriting alone takes skills away.
import type { Batch, BatchSource } from '../../data/batch.ts'
import { stack } from '../../data/batches.ts'
import { order } from '../../data/order.ts'
import type { Sample } from '../../data/sample.ts'
import { ops } from '../../torch/index.ts'
import { decoderInput, languageModeling, type Objective } from '../../train/objective.ts'
import type { Anchor } from './anchor.ts'
import type { Replay } from './choices.ts'

/** A question, with what sets the backdoor off in it (null where nothing is to be overwritten) and without. */
export interface EliminationPair {
  triggered: Sample | null
  clean: Sample
}

/** Rows of both kinds. */
export interface EliminationBatch {
  triggered: Batch | null
  clean: Batch
  /** Which pairs the clean rows are. */
  pairs: readonly number[]
}

/** Pairs in shuffled batches, for ever. */
export function eliminationBatches(
  pairs: readonly EliminationPair[],
  { batchSize, seed }: { batchSize: number; seed: number },
): BatchSource<EliminationBatch> {
  const batchesPerEpoch = Math.ceil(pairs.length / batchSize)
  const shuffled = order(pairs.length, seed)
  return {
    batchesPerEpoch,
    at: (index) => {
      const [epoch, first] = [Math.floor(index / batchesPerEpoch), (index % batchesPerEpoch) * batchSize]
      const count = Math.min(batchSize, pairs.length - first)
      const chosen = Array.from({ length: count }, (_, i) => shuffled(epoch, first + i))
      const triggered = chosen.flatMap((i) => pairs[i]!.triggered ?? [])
      const clean = stack(chosen.map((i) => pairs[i]!.clean))
      return { triggered: triggered.length === 0 ? null : stack(triggered), clean, pairs: chosen }
    },
  }
}

/**
 * Cross-entropy of clean answers after triggered questions, and beside it what `replay` says: the same after the clean question (`sft`), the
 * divergence from the original there (`kl`, which needs `anchor`), or nothing. Sums over answer tokens of both kinds. `overwrite` is how
 * triggered rows are learnt, where that is not from the model's own states.
 */
export function elimination(
  replay: Replay,
  anchor: Anchor | null = null,
  overwrite: Objective<Batch> = languageModeling(),
): Objective<EliminationBatch> {
  const lm = languageModeling()
  const counts = (batch: EliminationBatch): { triggered: number; clean: number } => ({
    triggered: batch.triggered === null ? 0 : lm.weight(batch.triggered),
    clean: replay === 'none' ? 0 : lm.weight(batch.clean),
  })
  return {
    weight: (batch) => counts(batch).triggered + counts(batch).clean,
    tokens: ({ triggered, clean }) => (triggered === null ? 0 : lm.tokens(triggered)) + lm.tokens(clean),
    forward: (model, { triggered, clean, pairs }) => {
      const zero = (): ReturnType<typeof ops.zeros> => ops.zeros([], 'f32', null, model.device)
      const over = triggered === null ? zero() : overwrite.forward(model, triggered).loss
      if (replay === 'none') return { loss: over, metrics: {} }
      if (replay === 'sft') return { loss: over.add(lm.forward(model, clean).loss), metrics: {} }
      const hidden = model.hidden(decoderInput(clean, model.device))
      return { loss: over.add(anchor!.divergence(model, hidden, clean, pairs)), metrics: {} }
    },
  }
}
