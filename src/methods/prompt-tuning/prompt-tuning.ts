// Prompt tuning: a few embedding vectors before the text are all that is trained; the model is frozen and nothing in it changes.
// Paper: "The Power of Scale for Parameter-Efficient Prompt Tuning", arXiv:2104.08691v2 (§2: Pr(Y | [P; X]), P trained).
// A virtual token is a soft token: −1 is the first row of P, −2 the second (src/nn/soft-tokens.ts).
// Shapes: P [n, D], ids [B, T].
import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import type { Batch } from '../../data/batch.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { putSoftTokens, softTokensOf, startSoftTokens } from '../../model/soft-tokens.ts'
import type { SoftTokens } from '../../nn/soft-tokens.ts'
import { languageModeling, type Objective } from '../../train/objective.ts'
import { prependPrompt } from './prepend-prompt.ts'

/** How many virtual tokens, and what they start from. */
export interface PromptOptions {
  /** n. Default 20. */
  numVirtualTokens?: number
  /** Where the vectors start: at random vocabulary entries (default), at those of a text, or at noise of the embedding's own size. */
  promptTuningInit?: 'SAMPLE_VOCAB' | 'TEXT' | 'RANDOM'
  /** The text's ids, for TEXT; repeated or cut to n. */
  initTokenIds?: readonly number[]
  /** Seeds the start. Default 0. */
  seed?: number
}

/**
 * Freezes the model and gives it a new, trainable soft prompt. It takes effect through `promptTuning` in training, and in use where
 * `SoftTokens.ids` come before a sequence or `prefillPrompt` has put them into its cache. A UsageError leaves the model as it was.
 */
export function addPrompt(
  model: Decoder,
  options: PromptOptions = {},
): PassRecord<{ virtual_tokens: number; trainable_parameters: number }> {
  const resolved = { numVirtualTokens: 20, promptTuningInit: 'SAMPLE_VOCAB' as const, seed: 0, ...options }
  const { numVirtualTokens: count, promptTuningInit: from, initTokenIds: ids, seed } = resolved
  if (!(Number.isInteger(count) && count > 0))
    throw new UsageError(`numVirtualTokens: expected an integer of at least 1, got ${count}`)
  if (!(Number.isSafeInteger(seed) && seed >= 0))
    throw new UsageError(`seed: expected an integer of at least 0, got ${seed}`)
  const { vocabSize } = model.config
  if (from === 'TEXT' && !(ids?.length && ids.every((id) => Number.isInteger(id) && id >= 0 && id < vocabSize)))
    throw new UsageError(
      `initTokenIds: expected token ids from 0 to ${vocabSize - 1}, got ${ids?.length ? ids.join(', ') : 'none'}`,
    )
  const embedding = startSoftTokens(model, { count, from, ids, seed })
  putSoftTokens(model, embedding)
  return {
    pass: 'prompt-tuning',
    options: { ...resolved },
    report: { virtual_tokens: count, trainable_parameters: embedding.numel },
  }
}

/** The soft prompt of the model; UsageError when it has none. */
export function promptOf(model: Decoder): SoftTokens {
  return softTokensOf(model, 'prompt tuning')
}

/** `objective` on sequences that begin with the model's soft prompt; the prompt's own labels are −100. */
export function promptTuning(objective: Objective<Batch> = languageModeling()): Objective<Batch> {
  return {
    // The prompt's last position predicts the first token, so there is more to supervise than without; one virtual token shows how much.
    weight: (batch) => objective.weight(prependPrompt(batch, 1)),
    tokens: (batch) => objective.tokens(batch),
    forward: (model, batch) => objective.forward(model, prependPrompt(batch, promptOf(model).length)),
  }
}
