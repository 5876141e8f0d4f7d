// Soft tokens on a model: what they start from, and how they come into its input seam and out of it.
import { UsageError } from '../errors.ts'
import { SoftTokens } from '../nn/soft-tokens.ts'
import { Generator, noGrad, ops, scope, Tensor } from '../torch/index.ts'
import type { Decoder } from './decoder.ts'

/** How many soft tokens, and what they start from. */
export interface SoftTokenStart {
  /** n. */
  count: number
  /** At random vocabulary entries, at those of `ids`, or at noise of the embedding's own size. */
  from: 'SAMPLE_VOCAB' | 'TEXT' | 'RANDOM'
  /** The text's ids, for TEXT; repeated or cut to n. */
  ids?: readonly number[] | undefined
  /** Seeds the start. */
  seed: number
}

/** Vectors to begin with, [n, D] in f32 and in the units that enter the first block. The ids must be in the vocabulary. */
export function startSoftTokens(model: Decoder, { count, from, ids, seed }: SoftTokenStart): Tensor {
  const generator = new Generator(seed)
  const { vocabSize, embeddingScale, hiddenSize } = model.config
  return noGrad(() =>
    scope(() => {
      const words = model.model.embed_tokens
      const rows = (at: (i: number) => number): Tensor => {
        const chosen = Tensor.from(
          Array.from({ length: count }, (_, i) => at(i)),
          [count],
          'i64',
        )
        return words.forward(chosen.to(model.device)).to('f32').mul(embeddingScale).keep()
      }
      if (from === 'TEXT') return rows((i) => ids![i % ids!.length]!)
      if (from === 'SAMPLE_VOCAB') {
        // Without repetition while the vocabulary lasts. Drawn on the CPU: a seed means the same on every device.
        const order = ops.randperm(vocabSize, generator, 'i64').toArray()
        return rows((i) => order[i % vocabSize]!)
      }
      const size = words.dense().to('f32').pow(2).mean().sqrt().item() * embeddingScale
      return ops
        .normal_(ops.empty([count, hiddenSize], 'f32'), 0, size, generator)
        .to(model.device)
        .keep()
    }),
  )
}

/** Freezes the model and makes `embedding` [n, D] its soft tokens, in place of earlier ones; they are trained unless `trainable` is false. */
export function putSoftTokens(
  model: Decoder,
  embedding: Tensor,
  { trainable = true }: { trainable?: boolean } = {},
): SoftTokens {
  dropSoftTokens(model)
  const tokens = new SoftTokens(embedding)
  model.prompt_encoder = tokens
  model.trainable(() => false)
  embedding.requiresGrad = trainable
  return tokens
}

/** The model's soft tokens; UsageError, which says that `what` needs them, where it has none. */
export function softTokensOf(model: Decoder, what: string): SoftTokens {
  if (model.prompt_encoder instanceof SoftTokens) return model.prompt_encoder
  throw new UsageError(`${what}: expected a model with a soft prompt, got one without. Add or load one`)
}

/** Takes the soft tokens off the model and frees them; nothing happens where there are none. */
export function dropSoftTokens(model: Decoder): void {
  if (!(model.prompt_encoder instanceof SoftTokens)) return
  model.prompt_encoder.free()
  model.prompt_encoder = null
}
