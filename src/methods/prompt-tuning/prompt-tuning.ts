// Prompt tuning: a few embedding vectors before the text are all that is trained; the model is frozen and nothing in it changes.
// Paper: "The Power of Scale for Parameter-Efficient Prompt Tuning", arXiv:2104.08691v2 (§2: Pr(Y | [P; X]), P trained).
// A virtual token is written as a negative id: −1 is the first row of P, −2 the second. So a sequence with its prompt is a plain list
// of ids that can be padded, packed, cut into chunks and cached like any other. The prompt sits in the model's input seam and reads them.
// Shapes: P [n, D], ids [B, T].
import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import type { Batch } from '../../data/batch.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Embedding } from '../../nn/embedding.ts'
import { InputLayer } from '../../nn/input-layer.ts'
import { Generator, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
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

/** The vectors P as part of the model's tree: `prompt_encoder.embedding`. */
export class SoftPrompt extends InputLayer {
  /** [n, D] in the units that enter the first block, as PEFT stores it; f32. */
  embedding: Tensor

  constructor(embedding: Tensor) {
    super()
    this.embedding = embedding
  }

  get length(): number {
    return this.embedding.size(0)
  }

  /** Negative ids are rows of P, which has the embedding's scale in it already; all others are words. */
  embed(ids: Tensor, words: Embedding, scale: number): Tensor {
    return scope(() => {
      const isVirtual = ops.ltScalar(ids, 0).unsqueeze(-1) // [B, T, 1]
      const plain = words.forward(ops.clampMin(ids, 0)) // [B, T, D]
      const scaled = this.embedding.div(scale).to(plain.dtype)
      const virtual = ops.embedding(scaled, ops.clampMin(ops.rsubScalar(ids, -1), 0)) // [B, T, D]: row −1 − id
      return ops.where(isVirtual, virtual, plain)
    })
  }

  /** The ids to put before a sequence. */
  get ids(): number[] {
    return Array.from({ length: this.length }, (_, i) => -1 - i)
  }
}

/**
 * Freezes the model and gives it a new, trainable soft prompt. It takes effect through `promptTuning` in training, and in use where
 * `SoftPrompt.ids` come before a sequence or `prefillPrompt` has put them into its cache. A UsageError leaves the model as it was.
 */
export function addPrompt(
  model: Decoder,
  options: PromptOptions = {},
): PassRecord<{ virtual_tokens: number; trainable_parameters: number }> {
  const resolved = { numVirtualTokens: 20, promptTuningInit: 'SAMPLE_VOCAB' as const, seed: 0, ...options }
  const { numVirtualTokens: count, promptTuningInit: start, initTokenIds, seed } = resolved
  if (!(Number.isInteger(count) && count > 0))
    throw new UsageError(`numVirtualTokens: expected an integer of at least 1, got ${count}`)
  if (!(Number.isSafeInteger(seed) && seed >= 0))
    throw new UsageError(`seed: expected an integer of at least 0, got ${seed}`)
  const { vocabSize } = model.config
  if (
    start === 'TEXT' &&
    !(initTokenIds?.length && initTokenIds.every((id) => Number.isInteger(id) && id >= 0 && id < vocabSize))
  )
    throw new UsageError(
      `initTokenIds: expected token ids from 0 to ${vocabSize - 1}, got ${initTokenIds?.length ? initTokenIds.join(', ') : 'none'}`,
    )
  const generator = new Generator(seed)
  const embedding = noGrad(() =>
    scope(() => {
      const words = model.model.embed_tokens
      const rows = (ids: Tensor): Tensor =>
        words.forward(ids.to(model.device)).to('f32').mul(model.config.embeddingScale)
      if (start === 'TEXT')
        return rows(
          Tensor.from(
            Array.from({ length: count }, (_, i) => initTokenIds![i % initTokenIds!.length]!),
            [count],
            'i64',
          ),
        ).keep()
      if (start === 'SAMPLE_VOCAB') {
        // Without repetition while the vocabulary lasts. Drawn on the CPU: a seed means the same on every device.
        const order = ops.randperm(vocabSize, generator, 'i64').toArray()
        return rows(
          Tensor.from(
            Array.from({ length: count }, (_, i) => order[i % vocabSize]!),
            [count],
            'i64',
          ),
        ).keep()
      }
      const size = words.dense().to('f32').pow(2).mean().sqrt().item() * model.config.embeddingScale
      return ops
        .normal_(ops.empty([count, model.config.hiddenSize], 'f32'), 0, size, generator)
        .to(model.device)
        .keep()
    }),
  )
  installPrompt(model, embedding)
  return {
    pass: 'prompt-tuning',
    options: { ...resolved },
    report: { virtual_tokens: count, trainable_parameters: embedding.numel },
  }
}

/** Freezes the model and makes `embedding` its soft prompt, in place of an earlier one, trained unless `trainable` is false. */
export function installPrompt(model: Decoder, embedding: Tensor, options: { trainable?: boolean } = {}): SoftPrompt {
  const before = findPrompt(model)
  const prompt = new SoftPrompt(embedding)
  model.prompt_encoder = prompt
  before?.free()
  model.trainable(() => false)
  embedding.requiresGrad = options.trainable ?? true
  return prompt
}

/** The soft prompt of the model; UsageError when it has none. */
export function promptOf(model: Decoder): SoftPrompt {
  const prompt = findPrompt(model)
  if (prompt === null)
    throw new UsageError('prompt tuning: expected a model with a soft prompt, got one without. Add or load one')
  return prompt
}

function findPrompt(model: Decoder): SoftPrompt | null {
  return model.prompt_encoder instanceof SoftPrompt ? model.prompt_encoder : null
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
