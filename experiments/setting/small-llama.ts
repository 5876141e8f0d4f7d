// Small Llamas that the experiments pre-train for themselves.
import type { BatchSource } from '../../src/data/batch.ts'
import { readModelConfig } from '../../src/model/config-read.ts'
import { Decoder, initialise } from '../../src/model/decoder.ts'
import { trainBpe } from '../../src/text/bpe.ts'
import type { Tokenizer } from '../../src/text/tokenizer.ts'
import { Generator, scope } from '../../src/torch/index.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { makeSchedule } from '../../src/train/schedule.ts'
import { train } from '../../src/train/train.ts'

export interface SmallShape {
  layers: number
  hidden: number
  feedForward: number
  vocabulary: number
  /** Default 4. */
  heads?: number
  /** Default 2. */
  keyValueHeads?: number
  /** Standard deviation of the start. Default 0.02. */
  initializerRange?: number
  /** Default 3e-3. */
  learningRate?: number
  /** Where it is trained: on a GPU with matrix products in bf16. Default `cpu`. */
  device?: 'cpu' | 'cuda'
  pretrainSteps: number
}

/** A byte-level BPE tokenizer of the texts, with an end-of-text token. */
export async function tokenizerOf(texts: readonly string[], { vocabulary }: SmallShape): Promise<Tokenizer> {
  const { tokenizer } = await trainBpe(texts, {
    vocabSize: vocabulary,
    specialTokens: ['<|endoftext|>'],
    roles: { eos: '<|endoftext|>' },
  })
  return tokenizer
}

/** A Llama trained from scratch; the seed decides its start. Nothing in it requires a gradient afterwards. */
export async function pretrainSmall(
  shape: SmallShape,
  vocabSize: number,
  source: BatchSource,
  seed: number,
  say: (line: string) => void,
): Promise<Decoder> {
  const config = readModelConfig(
    {
      model_type: 'llama',
      vocab_size: vocabSize,
      hidden_size: shape.hidden,
      intermediate_size: shape.feedForward,
      num_hidden_layers: shape.layers,
      num_attention_heads: shape.heads ?? 4,
      num_key_value_heads: shape.keyValueHeads ?? 2,
      max_position_embeddings: 1 << 16,
      initializer_range: shape.initializerRange ?? 0.02,
      tie_word_embeddings: true,
    },
    'config.json',
  )
  const { device = 'cpu', learningRate = 3e-3 } = shape
  const fresh = initialise(config, new Generator(seed))
  const model = new Decoder(config, (parameter) => {
    const tensor = fresh(parameter)
    return device === 'cpu' ? tensor : scope(() => tensor.to(device).keep())
  })
  model.trainable()
  const steps = shape.pretrainSteps
  const schedule = makeSchedule('cosine', { steps, warmupSteps: 0.05 })
  const options = { steps, learningRate, schedule, seed, bf16: device !== 'cpu' }
  for await (const event of train(model, source, languageModeling(), options))
    if (event.type === 'step-done' && event.metrics.step % Math.ceil(steps / 4) === 0)
      say(`  pre-training, seed ${seed}, step ${event.metrics.step}: loss ${event.metrics.loss.toFixed(3)}`)
  model.trainable(() => false)
  return model
}
