// The methods, and what else Anneal implements by name: the one list that commands and pages read. A folder that is not here is found by a
// test. Data only, so that listing loads no engine.

import { method as dpo } from './dpo/method.ts'
import { method as dropbp } from './dropbp/method.ts'
import { method as eiArag } from './ei-arag/method.ts'
import { method as freeze } from './freeze/method.ts'
import { method as lora } from './lora/method.ts'
import type { Method, MethodEntry } from './method.ts'
import { method as promptTuning } from './prompt-tuning/method.ts'
import { method as prune } from './prune/method.ts'
import { method as psydt } from './psydt/method.ts'
import { method as qpruner } from './qpruner/method.ts'
import { method as quantize } from './quantize/method.ts'
import { method as sande } from './sande/method.ts'
import { method as sleb } from './sleb/method.ts'

/** One for each folder beside this file, in the order of a model's life. */
export const METHODS: readonly Method[] = [
  lora,
  promptTuning,
  freeze,
  dpo,
  dropbp,
  prune,
  sleb,
  quantize,
  qpruner,
  sande,
  eiArag,
  psydt,
]

/** What is implemented under a name of its own and is no folder here: stages, schedules, files. */
export const TECHNIQUES: readonly MethodEntry[] = [
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
    slug: 'classify',
    summary: 'labels of texts, by an encoder or by a decoder with a pooled head',
    use: 'stage: classify, then anneal classify',
    source: 'arXiv:1810.04805',
  },
  {
    slug: 'mlm',
    summary: 'what was hidden in a text, by an encoder; single tokens or whole words',
    use: 'stage: mlm',
    source: 'arXiv:1810.04805',
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

/** Everything that `anneal methods` lists. */
export function allEntries(): MethodEntry[] {
  const entry = ({ slug, summary, use, source }: MethodEntry): MethodEntry => ({ slug, summary, use, source })
  return [...METHODS.flatMap((method) => [method, ...(method.variants ?? [])]), ...TECHNIQUES].map(entry)
}
