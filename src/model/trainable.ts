// What training asks of a model. A decoder is one; so is anything with parameters in a tree, a device, and a place for random numbers.
import type { Layer } from '../nn/layer.ts'
import type { Generator } from '../torch/index.ts'

/** What training asks of a model: its parameters, where they are, and whose random numbers its dropout draws. */
export interface Trainable extends Layer {
  /** Where its parameters are. */
  readonly device: string
  /** Set while training: dropout draws from it. Null switches dropout off. */
  generator: Generator | null
}
