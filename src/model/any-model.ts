// What is trained, whatever it is: a decoder, also one with a pooled head, or an encoder. And what gives labels to texts.
import { UsageError } from '../errors.ts'
import type { Tensor } from '../torch/index.ts'
import type { Decoder } from './decoder.ts'
import { Encoder, type EncoderInput, windowOf } from './encoder/encoder.ts'
import { PooledDecoder } from './pooled-decoder.ts'

/** A model of any kind. */
export type AnyModel = Decoder | Encoder

/** A model that gives labels to texts. */
export type Classifier = Encoder | PooledDecoder

/** Whether a model gives labels to texts. */
export function isClassifier(model: AnyModel): model is Classifier {
  return model instanceof PooledDecoder || (model instanceof Encoder && model.config.head?.kind === 'classify')
}

/** The labels in the order of their ids. */
export function labelsOf(model: Classifier): readonly string[] {
  return model instanceof Encoder ? (model.config.head?.labels ?? []) : model.config.labels!
}

/** Probabilities from which a text has a label, by id, where it may have any number of them; null where it has one. */
export function labelThresholdsOf(model: Classifier): readonly number[] | null {
  return (model instanceof Encoder ? model.config.head?.labelThresholds : model.config.labelThresholds) ?? null
}

/** Logits of the labels in f32, [B, L]. */
export function labelLogits(model: Classifier, input: EncoderInput): Tensor {
  if (!isClassifier(model))
    throw new UsageError('classifier: expected a model with a head of labels for texts, got another head')
  return model instanceof Encoder ? model.forward(input) : model.labelLogits(input)
}

/** The longest row that a model can read; undefined where positions go on. */
export function longestRow({ config }: AnyModel): number | undefined {
  if ('positionOffset' in config) return windowOf(config)
  return config.hasLearnedPositions ? config.maxPositionEmbeddings : undefined
}

/** What rows are filled up with: RoBERTa's positions go by it, and Transformers looks for it to find where a text ends. */
export function padIdOf({ config }: AnyModel): number {
  return config.padTokenId ?? 0
}
