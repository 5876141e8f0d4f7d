// `anneal methods`: what Anneal implements, one line each, with the command or key that runs it and its source.

import { type Command, defineCommand } from './command.ts'

interface MethodEntry {
  slug: string
  summary: string
  /** The command or configuration key that uses it. */
  use: string
  source: string
}

const METHODS: readonly MethodEntry[] = [
  {
    slug: 'bpe',
    summary: 'byte-level BPE tokenizer, trained on your text',
    use: 'anneal tokenizer train',
    source: 'arXiv:1508.07909, GPT-2 (2019)',
  },
  {
    slug: 'pretrain',
    summary: 'next-token training from scratch or continued',
    use: 'stage: pretrain',
    source: 'GPT-2 (2019)',
  },
  {
    slug: 'sft',
    summary: 'answers learnt from conversations, instructions or prompts with completions',
    use: 'stage: sft',
    source: 'arXiv:2203.02155',
  },
  {
    slug: 'lora',
    summary: 'small trained matrices beside frozen ones, saved as PEFT does; rsLoRA and LoRA+ are options',
    use: 'finetuning: lora',
    source: 'arXiv:2106.09685',
  },
  {
    slug: 'dora',
    summary: 'LoRA with trained magnitudes',
    use: 'finetuning: dora',
    source: 'arXiv:2402.09353',
  },
  {
    slug: 'dropbp',
    summary: 'leaves out the backward pass of some branches, drawn anew for every batch',
    use: 'dropbp: 0.5',
    source: 'arXiv:2402.17812',
  },
  {
    slug: 'warmup-stable-decay',
    summary: 'learning rate that stays high and falls at the end',
    use: 'lr_scheduler_type: warmup_stable_decay',
    source: 'arXiv:2404.06395',
  },
  {
    slug: 'gradient-checkpointing',
    summary: 'activations computed again instead of kept',
    use: 'gradient_checkpointing: true',
    source: 'arXiv:1604.06174',
  },
]

export const command: Command = defineCommand({
  summary: 'list the methods that Anneal implements',
  options: {},
  run: async ({ output }) => {
    const widest = (key: keyof MethodEntry): number => Math.max(...METHODS.map((method) => method[key].length))
    for (const method of METHODS) {
      output.emit(method)
      output.result(
        `${method.slug.padEnd(widest('slug'))}  ${method.summary.padEnd(widest('summary'))}  ` +
          `${method.use.padEnd(widest('use'))}  ${method.source}`,
      )
    }
  },
})
