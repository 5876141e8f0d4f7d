// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'prune',
  summary: 'removes neurons and heads: Taylor importance of coupled groups, or fluctuation with biases that compensate',
  use: 'anneal prune',
  source: 'arXiv:2305.11627, arXiv:2312.11983',
}
