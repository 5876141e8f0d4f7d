// A linear layer in one of our own formats.
import { FrozenLinear } from './frozen-linear.ts'
import type { QuantizedWeight } from './quant/quantized-weight.ts'

/** A linear layer whose matrix is stored in 2 to 8 bits and never trained. */
export class QuantLinear extends FrozenLinear<QuantizedWeight> {}
