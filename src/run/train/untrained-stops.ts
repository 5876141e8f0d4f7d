// A model stops when it says the token that ends an answer. Where its base has never learnt that token, and the adapter leaves the
// embedding and the head as they are, it cannot learn it now. A row of the table of tokens gives itself away in two ways: it is
// far smaller than the others (weight decay, a start near 0, or the mean that resizing fills in), or it is another row over
// again (tokens that never come up are all pushed alike).

import type { Decoder } from '../../model/decoder.ts'
import { Linear } from '../../nn/linear.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { noGrad, ops, scope, type Tensor } from '../../torch/index.ts'

/** Trained rows of the models that this was looked at with lie between 0.5 and 2 of the middle norm. */
const SMALL = 0.33
/** Trained rows of two tokens are seldom closer than 0.9, copies with noise are closer than 0.99. */
const SAME = 0.99

/** Rows that are looked at together: a copy of the whole table would be too much. */
const CHUNK = 4096

/** Those of `ids` whose row in the output head looks as if it was never trained; none where the head is not a plain matrix. */
export function untrainedTokens(model: Decoder, ids: readonly number[]): number[] {
  const { head } = model
  if (ids.length === 0 || !(head instanceof Linear)) return []
  const norms = rowNorms(head.weight)
  const middle = norms.toSorted()[norms.length >> 1]!
  return ids.filter((id) => norms[id]! < SMALL * middle || closest(head.weight, norms, id) > SAME)
}

/** What to tell where answers of the data end with such a token and the run leaves the head as it is. */
export function warningOfUntrainedStops(
  model: Decoder,
  stopTokenIds: readonly number[],
  tokenizer: Tokenizer,
): string | undefined {
  if ([...model.head.parameters()].some(([, { requiresGrad }]) => requiresGrad)) return undefined
  const names = untrainedTokens(model, stopTokenIds).map((id) => tokenizer.idToToken(id) ?? `${id}`)
  if (names.length === 0) return undefined
  return (
    `answers end with ${names.join(' or ')}, which the base seems never to have learnt, and this run leaves the output head as it is: ` +
    'the model may never stop. Add lm_head to lora_target_modules, use finetuning: full, or a chat template whose end token the base knows'
  )
}

function rowNorms(rows: Tensor): Float32Array {
  const [count = 0] = rows.shape
  const norms = new Float32Array(count)
  for (let start = 0; start < count; start += CHUNK) {
    scope(() =>
      noGrad(() => {
        const part = rows.narrow(0, start, Math.min(CHUNK, count - start)).to('f32')
        norms.set(part.mul(part).sum(1).sqrt().data() as Float32Array, start)
      }),
    )
  }
  return norms
}

/** Cosine of the row `id` with the row nearest to it. */
function closest(rows: Tensor, norms: Float32Array, id: number): number {
  return scope(() =>
    noGrad(() => {
      const products = ops.matmul(rows, rows.select(0, id).unsqueeze(-1)).to('f32').view(-1).data() as Float32Array
      return products.reduce(
        (highest, product, other) =>
          other === id ? highest : Math.max(highest, product / (norms[other]! * norms[id]! + Number.MIN_VALUE)),
        -1,
      )
    }),
  )
}
