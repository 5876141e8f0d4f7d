// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'ei-arag',
  summary: 'whether a question needs documents, by a classifier of what the model makes of it in its first block',
  use: 'anneal gate',
  source: 'COLING 2025, pages 1403-1412',
}
