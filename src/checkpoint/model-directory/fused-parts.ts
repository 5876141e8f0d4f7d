// One tensor of a file ↔ the parameters in it: what files fuse and transpose (Phi-3, GPT-NeoX, GPT-2) is apart here.
import type { CheckpointTensor } from '../../model/hf-names.ts'
import { ops, type Tensor } from '../../torch/index.ts'

/** One stored tensor → our parameters: undo the transposition, then the fusing. */
export function splitParts(stored: CheckpointTensor, tensor: Tensor): [string, Tensor][] {
  const whole = stored.isTransposed ? tensor.t() : tensor
  if (stored.parts.length === 1) return [[stored.parts[0]!.path, whole]]
  if (stored.interleave > 1) {
    const [rows = 0, ...rest] = whole.shape
    const view = whole.reshape(
      stored.interleave,
      stored.parts.length,
      rows / stored.interleave / stored.parts.length,
      ...rest,
    )
    return stored.parts.map((part, i) => [part.path, view.select(1, i).reshape(...part.shape)])
  }
  let start = 0
  return stored.parts.map((part) => {
    const rows = part.shape[0]!
    start += rows
    return [part.path, whole.narrow(0, start - rows, rows)]
  })
}

/** The inverse of `splitParts`. */
export function joinParts(stored: CheckpointTensor, parameters: ReadonlyMap<string, Tensor>): Tensor {
  const parts = stored.parts.map((part) => parameters.get(part.path)!)
  let whole = parts[0]!
  if (parts.length > 1) {
    const heads = stored.interleave
    whole =
      heads > 1
        ? ops
            .stack(
              parts.map((part) => part.reshape(heads, part.size(0) / heads, ...part.shape.slice(1))),
              1,
            )
            .reshape(-1, ...whole.shape.slice(1))
        : ops.cat(parts)
  }
  return stored.isTransposed ? whole.t() : whole
}
