// The subpath `anneal/nn`: layers, and the seams at which a method takes the place of one.
export { Branch, type BranchRule } from './branch.ts'
export { Layer } from './layer.ts'
export { Linear, type LinearLike } from './linear.ts'
export { QUANT_FORMATS, type QuantFormat, type QuantOptions, type QuantSpec } from './quant/format.ts'
export { quantizeWeight } from './quant/quantize-weight.ts'
export { QuantizedWeight } from './quant/quantized-weight.ts'
export { QuantLinear } from './quant-linear.ts'
