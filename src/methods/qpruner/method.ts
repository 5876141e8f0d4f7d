// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'qpruner',
  summary:
    'formats by layer or matrix within a budget of bytes, refined by Bayesian optimisation; LoftQ and LoRA after it',
  use: 'anneal qpruner, anneal quantize --budget-bits',
  source: 'arXiv:2412.11629, arXiv:2310.08659',
}
