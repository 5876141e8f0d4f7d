// What `anneal methods` says of it.
import type { Method } from '../method.ts'

export const method: Method = {
  slug: 'lora',
  summary: 'small trained matrices beside frozen ones, saved as PEFT does; rsLoRA and LoRA+ are options',
  use: 'finetuning: lora',
  source: 'arXiv:2106.09685',
  variants: [
    {
      slug: 'dora',
      summary: 'LoRA with trained magnitudes',
      use: 'finetuning: dora',
      source: 'arXiv:2402.09353',
    },
    {
      slug: 'qlora',
      summary: 'LoRA beside matrices that are stored in 4 or 8 bits (NF4, int4, int8)',
      use: 'load_in_4bit: true',
      source: 'arXiv:2305.14314',
    },
  ],
}
