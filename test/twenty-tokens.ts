// The smallest model and samples for sums and gradients that are derived by hand.
import { readModelConfig } from '../src/model/config-read.ts'
import { Decoder } from '../src/model/decoder.ts'

/** A sample of token ids whose answer is learnt. */
export const sampleOf = (
  question: readonly number[],
  answer: readonly number[],
): { ids: Int32Array; labels: Int32Array } => ({
  ids: Int32Array.from([...question, ...answer]),
  labels: Int32Array.from([...question.map(() => -100), ...answer]),
})

/** A decoder of two layers for twenty tokens, trainable. */
export const twentyTokenDecoder = (): Decoder =>
  Decoder.fresh(
    readModelConfig(
      {
        model_type: 'llama',
        vocab_size: 20,
        hidden_size: 8,
        intermediate_size: 16,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        max_position_embeddings: 32,
        initializer_range: 0.4,
      },
      'config.json',
    ),
    { seed: 5 },
  ).trainable()
