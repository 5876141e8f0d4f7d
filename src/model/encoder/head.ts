// The head on an encoder: `out(drop(norm(act(dense(x)))))`, each where the family has it. Vocabulary, labels and ELECTRA's yes-or-no per
// token are this one formula with other parts.
import { dropout } from '../../nn/dropout.ts'
import { Layer } from '../../nn/layer.ts'
import { Linear, type LinearLike } from '../../nn/linear.ts'
import type { Norm } from '../../nn/norm.ts'
import { type Generator, ops, type Tensor } from '../../torch/index.ts'
import { makeNorm } from '../block.ts'
import type { EncoderConfig, HeadConfig } from './config.ts'

/** Logits of hidden states. */
export class EncoderHead extends Layer {
  readonly dense: LinearLike | null
  readonly norm: Norm | null
  /** Null where it is the embedding (a tied vocabulary). */
  readonly out: LinearLike | null
  /** Of a vocabulary: [V], which is no part of `out` because that may be tied. */
  readonly bias: Tensor | null
  private readonly settings: HeadConfig

  constructor(
    config: EncoderConfig,
    settings: HeadConfig,
    at: (path: string) => Tensor,
    find: (path: string) => Tensor | null,
  ) {
    super()
    const part = (name: string): Linear | null => {
      const weight = find(`head.${name}.weight`)
      return weight === null ? null : new Linear(weight, find(`head.${name}.bias`))
    }
    this.dense = part('dense')
    this.norm = settings.hasNorm ? makeNorm(config, 'head.norm', at) : null
    this.out = part('out')
    this.bias = find('head.bias')
    this.settings = settings
  }

  /** Hidden states [..., D] → logits [..., outputs] in f32. `tied` stands in for the last matrix where that is the embedding. */
  forward(hidden: Tensor, tied: () => LinearLike, generator: Generator | null): Tensor {
    const { dropout: rate, dropsFirst, activation } = this.settings
    let x = dropsFirst ? dropout(hidden, rate, generator) : hidden
    if (this.dense !== null) {
      x = this.dense.forward(x)
      x = activation === 'tanh' ? x.tanh() : activation === 'relu' ? ops.relu(x) : ops.activation(x, activation)
    }
    if (this.norm !== null) x = this.norm.forward(x)
    const logits = (this.out ?? tied()).forward(dropout(x, rate, generator))
    return (this.bias === null ? logits : logits.add(this.bias)).to('f32')
  }
}
