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
