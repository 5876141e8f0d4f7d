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
    slug: 'dpo',
    summary: 'the better one of two answers made likelier; IPO, hinge, SimPO and ORPO are losses of it',
    use: 'stage: dpo',
    source: 'arXiv:2305.18290',
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
    slug: 'prompt-tuning',
    summary: 'a few trained vectors before the text, saved as PEFT does',
    use: 'finetuning: prompt',
    source: 'arXiv:2104.08691',
  },
  {
    slug: 'freeze',
    summary: 'some layers trained, the others left as they are',
    use: 'finetuning: freeze',
    source: 'LLaMA-Factory',
  },
  {
    slug: 'qlora',
    summary: 'LoRA beside matrices that are stored in 4 or 8 bits (NF4, int4, int8)',
    use: 'load_in_4bit: true',
    source: 'arXiv:2305.14314',
  },
  {
    slug: 'dropbp',
    summary: 'leaves out the backward pass of some branches, drawn anew for every batch',
    use: 'dropbp: 0.5',
    source: 'arXiv:2402.17812',
  },
  {
    slug: 'prune',
    summary:
      'removes neurons and heads: Taylor importance of coupled groups, or fluctuation with biases that compensate',
    use: 'anneal prune',
    source: 'arXiv:2305.11627, arXiv:2312.11983',
  },
  {
    slug: 'sleb',
    summary: 'blocks (or attention and MLP apart) that a model can do without, removed one after the other',
    use: 'anneal sleb',
    source: 'arXiv:2402.09025',
  },
  {
    slug: 'quantize',
    summary:
      'matrices in 2, 3, 4 or 8 bits, rounded to the nearest level or so that later columns make up for it (GPTQ)',
    use: 'anneal quantize',
    source: 'arXiv:2305.14314, arXiv:2210.17323',
  },
  {
    slug: 'qpruner',
    summary:
      'formats by layer or matrix within a budget of bytes, refined by Bayesian optimisation; LoftQ and LoRA after it',
    use: 'anneal qpruner, anneal quantize --budget-bits',
    source: 'arXiv:2412.11629, arXiv:2310.08659',
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
  {
    slug: 'gguf',
    summary: 'block-quantized files for llama.cpp, written and read: Q8_0, Q6_K, Q4_K, Q4_0 and unquantized',
    use: 'anneal export --to gguf',
    source: 'github.com/ggml-org/ggml docs/gguf.md',
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
