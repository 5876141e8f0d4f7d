// What keeps the members of an ensemble of parrots apart: no soft token of one should point where a token of another does.
import { ops, Tensor } from '../../torch/index.ts'

/** Mean of cos² between the rows of different members, a scalar; `embedding` is [members · tokens, D]. 0 for a single member. */
export function separation(embedding: Tensor, members: number): Tensor {
  const rows = embedding.size(0)
  const tokens = rows / members
  if (members < 2) return ops.zeros([], 'f32', null, embedding.device)
  const lengths = ops.clampMin(embedding.pow(2).sum(1, true), 1e-12).sqrt()
  const unit = embedding.div(lengths) // [R, D]
  const apart = Float32Array.from({ length: rows * rows }, (_, i) =>
    Math.floor(Math.floor(i / rows) / tokens) === Math.floor((i % rows) / tokens) ? 0 : 1,
  )
  const pairs = rows * rows - members * tokens * tokens
  const squared = unit.matmul(unit.t()).pow(2) // [R, R]
  return squared
    .mul(Tensor.from(apart, [rows, rows]).to(embedding.device))
    .sum()
    .div(pairs)
}
