// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'psydt',
  summary:
    'dialogues in the manner of one counsellor, of a few real cases and many single questions, to train a twin on',
  use: 'recipe: psydt, of anneal synth',
  source: 'arXiv:2412.13660',
}
