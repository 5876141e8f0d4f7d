// What an encoder is, in full, and which head stands on it. Fields that a decoder has too mean the same as there.

import type { DecoderConfig } from '../config.ts'
import type { Activation } from '../families.ts'
import type { LabelWish } from '../labels.ts'
import type { EncoderType, HeadKind } from './families.ts'

/** An encoder in full: shapes and formulas of every layer and of its head, all defaults filled in. */
export interface EncoderConfig
  extends Omit<DecoderConfig, 'modelType' | 'embeddingScale' | 'finalLogitSoftcapping' | 'labels' | 'labelThresholds'> {
  readonly modelType: EncoderType
  /** Width of the embeddings; where it is not `hiddenSize`, a matrix is between (ELECTRA). */
  readonly embeddingSize: number
  /** Position of the first token in the learned table: RoBERTa counts from the padding id on, and leaves padding where that is. */
  readonly positionOffset: number
  /** Rows of the table of segments; 0: there is none. */
  readonly typeVocabSize: number
  readonly head: HeadConfig | null
}

/** `out(drop(norm(act(dense(x)))))`, each where it is there; what `x` is says `pooling`. */
export interface HeadConfig {
  readonly kind: HeadKind
  /** Null: every token by itself. */
  readonly pooling: 'cls' | 'mean' | null
  /** Outputs of the first matrix; 0: there is none. */
  readonly denseSize: number
  readonly hasDenseBias: boolean
  readonly activation: Activation | 'tanh'
  readonly hasNorm: boolean
  /** Vocabulary, labels, or 1. */
  readonly outputs: number
  /** While training; before the first matrix too where `dropsFirst`. */
  readonly dropout: number
  readonly dropsFirst: boolean
  /** Names of the outputs, of `classify` and `token`. */
  readonly labels: readonly string[]
  /** Of `classify`: probabilities from which a text has a label, by id; null where it has one label. */
  readonly labelThresholds: readonly number[] | null
}

/** Which head a model is to have, whatever its file says. */
export type HeadWish =
  | { readonly kind: 'none' | 'mlm' | 'rtd' }
  | { readonly kind: 'token'; readonly labels?: readonly string[] }
  | ({ readonly kind: 'classify' } & LabelWish)

/** Anything that config.json may describe. */
export type ModelConfig = DecoderConfig | EncoderConfig

/** Whether a description is an encoder's. */
export function isEncoderConfig(config: ModelConfig): config is EncoderConfig {
  return 'positionOffset' in config
}
