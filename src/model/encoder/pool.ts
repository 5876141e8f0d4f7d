// One vector for a text: its first token's, or the mean of all that are no padding.
import { Tensor } from '../../torch/index.ts'

/** Which places of [B, T] are padding: 1 for tokens, 0 for padding. */
export interface Padded {
  rows: number
  length: number
  attentionMask?: Uint8Array
}

/** Row b of [B, T, D] at place `places[b]` → [B, D]. */
export function rowsAt(hidden: Tensor, places: Int32Array): Tensor {
  const [rows = 0, length = 0, width = 0] = hidden.shape
  const index = Int32Array.from({ length: rows }, (_, row) => row * length + places[row]!)
  return hidden.reshape(rows * length, width).indexSelect(0, Tensor.from(index, [rows]).to('i64').to(hidden.device))
}

/** The mean over the tokens of each row that are no padding, [B, T, D] → [B, D]; of a row that is all padding, 0. */
export function meanOf(hidden: Tensor, { rows, length, attentionMask }: Padded): Tensor {
  if (attentionMask === undefined) return hidden.mean(1)
  const shares = new Float32Array(rows * length)
  for (let row = 0; row < rows; row++) {
    const own = attentionMask.subarray(row * length, (row + 1) * length)
    const count = own.reduce((sum, each) => sum + each, 0)
    for (let i = 0; i < length; i++) if (own[i] === 1) shares[row * length + i] = 1 / count
  }
  const weights = Tensor.from(shares, [rows, length, 1]).to(hidden.dtype).to(hidden.device)
  return hidden.mul(weights).sum(1)
}
