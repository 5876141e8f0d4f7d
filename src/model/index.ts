// The subpath `anneal/model`: the decoder of every family, from its config.json.

export { Attention, Block, type Call, FeedForward } from './block.ts'
export type {
  AttentionConfig,
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
export type { Activation, ModelType, NormPlacement } from './families.ts'
export type { Parameter } from './hf-names.ts'
export { dequantizeModel, type QuantPlan, type QuantReport, quantizeModel } from './quantize-model.ts'
export type { Trainable } from './trainable.ts'
export { withoutDropout } from './without-dropout.ts'
