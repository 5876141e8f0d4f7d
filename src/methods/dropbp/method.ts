// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'dropbp',
  summary: 'leaves out the backward pass of some branches, drawn anew for every batch',
  use: 'dropbp: 0.5',
  source: 'arXiv:2402.17812',
}
