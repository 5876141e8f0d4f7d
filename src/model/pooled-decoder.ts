// A decoder that gives labels to texts instead of continuing them: the last token of a row has seen all of it, and one matrix, `score`,
// makes logits of its state. Transformers calls this LlamaForSequenceClassification, and so for every family.
import { UsageError } from '../errors.ts'
import { Linear, type LinearLike } from '../nn/linear.ts'
import { Tensor } from '../torch/index.ts'
import type { Parameter } from './block-parameters.ts'
import type { DecoderConfig } from './config.ts'
import { Decoder } from './decoder.ts'
import type { EncoderInput } from './encoder/encoder.ts'
import { rowsAt } from './encoder/pool.ts'

/** A decoder with a pooled head of labels; its vocabulary has no head. */
export class PooledDecoder extends Decoder {
  /** [labels, hidden size] */
  readonly score: LinearLike

  constructor(config: DecoderConfig, take: (parameter: Parameter) => Tensor) {
    if (config.labels === undefined)
      throw new UsageError('pooled decoder: expected a configuration with labels, got one without')
    let score: Tensor | undefined
    super(config, (parameter) => {
      const tensor = take(parameter)
      if (parameter.path === 'score.weight') score = tensor
      return tensor
    })
    this.score = new Linear(score!)
  }

  /** Logits of the labels in f32, [B, L], from the last token of each row that is no padding. Padding is on the right. */
  labelLogits({ rows, length, inputIds, attentionMask }: EncoderInput): Tensor {
    const hidden = this.hidden({ inputIds: Tensor.from(inputIds, [rows, length]).to('i64').to(this.device) })
    const lastOf = (row: number): number =>
      attentionMask === undefined
        ? length - 1
        : Math.max(0, attentionMask.lastIndexOf(1, (row + 1) * length - 1) - row * length)
    return this.score
      .forward(
        rowsAt(
          hidden,
          Int32Array.from({ length: rows }, (_, row) => lastOf(row)),
        ),
      )
      .to('f32')
  }
}
