// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'dpo',
  summary: 'the better one of two answers made likelier; IPO, hinge, SimPO and ORPO are losses of it',
  use: 'stage: dpo',
  source: 'arXiv:2305.18290',
}
