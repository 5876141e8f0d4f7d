// More rows for an embedding and an output head: those of tokens that were put together from old ones.
import { UnsupportedError, UsageError } from '../errors.ts'
import { Embedding } from '../nn/embedding.ts'
import { Linear } from '../nn/linear.ts'
import { noGrad, ops, scope, Tensor } from '../torch/index.ts'
import type { Decoder } from './decoder.ts'

/** A token to have a row for, and the ids whose rows it begins with. */
export interface ExtendedRow {
  id: number
  pieces: readonly number[]
}

/**
 * Gives the embedding and, where it is a matrix of its own, the output head `vocabSize` rows. A new row is the mean of its pieces' rows, so that the
 * model reads and says a new token somewhat as what it stands for, and training need not begin at noise; rows that are named by no token become
 * the mean of all. Rows of a padded vocabulary are used before others are added.
 */
export function extendVocabulary(model: Decoder, rows: readonly ExtendedRow[], vocabSize: number): void {
  const old = model.config.vocabSize
  if (vocabSize < old) throw new UsageError(`vocabSize: expected at least the model's ${old}, got ${vocabSize}`)
  for (const { id, pieces } of rows)
    if (id >= vocabSize || pieces.length === 0 || pieces.some((piece) => piece < 0 || piece >= old))
      throw new UsageError(
        `rows: expected ids below ${vocabSize} with pieces below ${old}, got ${id} with ${pieces.join(', ') || 'none'}`,
      )
  const { embed_tokens: words } = model.model
  const head = model.lm_head
  if (!(words instanceof Embedding) || (head !== null && !(head instanceof Linear)) || head?.bias)
    throw new UnsupportedError(
      'model: expected plain weights to extend its vocabulary, got quantized ones or a head with biases',
    )
  for (const layer of head === null ? [words] : [words, head]) {
    const before = layer.weight
    layer.weight = noGrad(() => scope(() => withRows(before, rows, vocabSize))).keep()
    before.free()
  }
  model.config = { ...model.config, vocabSize }
}

/** `matrix` [V, D] with more rows, [vocabSize, D]. */
function withRows(matrix: Tensor, rows: readonly ExtendedRow[], vocabSize: number): Tensor {
  const [old = 0, width = 0] = matrix.shape
  const wide = matrix.to('f32')
  const filler = wide.mean([0], true).expand(vocabSize - old, width)
  const result = ops.cat([wide, filler], 0)
  for (const { id, pieces } of rows) {
    const ids = Tensor.from(Int32Array.from(pieces)).to('i64').to(matrix.device)
    scope(() => result.narrow(0, id, 1).copy_(ops.embedding(wide, ids).mean([0], true)))
  }
  return result.to(matrix.dtype)
}
