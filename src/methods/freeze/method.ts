// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'freeze',
  summary: 'some layers trained, the others left as they are',
  use: 'finetuning: freeze',
  source: 'LLaMA-Factory',
}
