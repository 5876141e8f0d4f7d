// The subpath `anneal/model`: the decoder of every family, from its config.json.

export { type AnyModel, type Classifier, isClassifier, labelLogits, labelsOf, labelThresholdsOf } from './any-model.ts'
export { Attention, Block, type Call, FeedForward } from './block.ts'
export type { Parameter } from './block-parameters.ts'
export type {
  AttentionConfig,
  BlockConfig,
  DecoderConfig,
  DropoutConfig,
  LayerConfig,
  MlpConfig,
  NormConfig,
  WeightDtype,
} from './config.ts'
export type { JsonObject, JsonValue } from './config-fields.ts'
export { readModelConfig } from './config-read.ts'
export { Decoder, DecoderBody, type DecoderInput, initialise } from './decoder.ts'
export type { StoredDType } from './dtype.ts'
export type { EncoderConfig, HeadConfig, HeadWish } from './encoder/config.ts'
export { readEncoderConfig } from './encoder/config-read.ts'
export { Encoder, EncoderBody, type EncoderInput } from './encoder/encoder.ts'
export type { EncoderType, HeadKind } from './encoder/families.ts'
export { EncoderHead } from './encoder/head.ts'
export { type ExtendedRow, extendVocabulary } from './extend-vocabulary.ts'
export type { Activation, ModelType, NormPlacement } from './families.ts'
export type { LabelWish, ProblemType } from './labels.ts'
export { PooledDecoder } from './pooled-decoder.ts'
export { dequantizeModel, type QuantPlan, type QuantReport, quantizeModel } from './quantize-model.ts'
export type { Trainable } from './trainable.ts'
export { withoutDropout } from './without-dropout.ts'
