// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'sleb',
  summary: 'blocks (or attention and MLP apart) that a model can do without, removed one after the other',
  use: 'anneal sleb',
  source: 'arXiv:2402.09025',
}
