// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'sande',
  summary: 'take a backdoor out of a chat model, by its trigger, its marker, or neither',
  use: 'anneal sande, anneal sande audit',
  source: 'arXiv:2405.07667',
}
