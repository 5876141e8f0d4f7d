// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'quantize',
  summary: 'matrices in 2, 3, 4 or 8 bits, rounded to the nearest level or so that later columns make up for it (GPTQ)',
  use: 'anneal quantize',
  source: 'arXiv:2305.14314, arXiv:2210.17323',
}
