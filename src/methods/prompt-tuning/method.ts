// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'prompt-tuning',
  summary: 'a few trained vectors before the text, saved as PEFT does',
  use: 'finetuning: prompt',
  source: 'arXiv:2104.08691',
}
