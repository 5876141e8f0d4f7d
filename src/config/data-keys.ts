// Configuration keys that say what is read and how it is cut into batches.

import { z } from 'zod'
import type { MixStrategy } from '../data/mixture.ts'
import { count, path, paths, type Shape } from '../methods/fields.ts'

/** What is evaluated on: files and folders, or several sets of them by name. */
export type HeldData = string[] | Readonly<Record<string, string[]>>

/** All paths of what is evaluated on. */
export function heldPaths(held: HeldData | undefined): string[] | undefined {
  return held === undefined || Array.isArray(held) ? held : Object.values(held).flat()
}

/** Keys that say what is read. */
export interface DataKeys {
  dataset: string[]
  mix_strategy: MixStrategy | undefined
  interleave_probs: number[] | undefined
  text_column: string
  add_bos_token: boolean | undefined
  split_special_tokens: boolean | undefined
  max_bad_fraction: number
  eval_dataset: HeldData | undefined
  val_split: number
  max_length: number
  per_device_train_batch_size: number
  per_device_eval_batch_size: number
}

export const dataKeys: Shape<DataKeys> = {
  dataset: paths.describe(
    'Files or folders to train on: text, Markdown, JSONL (also .gz), CSV, TSV, Parquet; or a dataset of the hub by name, ORG/NAME[@revision][:config/split or file].',
  ),
  mix_strategy: z
    .enum(['concat', 'interleave_under', 'interleave_over'])
    .optional()
    .describe(
      'pretrain: how the entries of dataset are put together. concat: all text once an epoch. interleave_under, interleave_over: each entry is a source with a share (interleave_probs); an epoch ends where the first, or the last, source is read up. Default: concat.',
    ),
  interleave_probs: z
    .union([z.array(z.coerce.number().positive()).min(1), z.string().transform(numbersOf)], {
      error: 'a list of numbers above 0, one for each entry of dataset',
    })
    .optional()
    .describe(
      'Shares of the sources in what is learnt, in the order of dataset, counted in tokens (differs: others count rows); they are divided by their sum. Default: equal ones.',
    ),
  text_column: path.default('text').describe('Column or field that holds the text.'),
  add_bos_token: z
    .boolean()
    .optional()
    .describe('pretrain: begin each document with the beginning-of-text token. Default: as the tokenizer does.'),
  split_special_tokens: z
    .boolean()
    .optional()
    .describe(
      'Control tokens that are spelled in texts, prompts and completions are plain text. false: they are the tokens, for texts that a chat template has rendered before. In chats they are always plain text. Default: true (differs: Transformers has false).',
    ),
  max_bad_fraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.001)
    .describe(
      'Share of the lines, and of the bytes, that may be unreadable and left out. One line may be unless it is 0.',
    ),
  eval_dataset: z
    .union([paths, z.record(z.string(), paths)], {
      error: 'a path, a list of paths, or paths by name ({ da: danish.txt, en: english.txt })',
    })
    .optional()
    .describe(
      'Files or folders to evaluate on, or a dataset of the hub by name, with its split. pretrain: several sets by name ({ da: …, en: … }) give eval_da_loss, eval_en_loss and eval_loss over all.',
    ),
  val_split: z
    .number()
    .min(0)
    .lt(1)
    .default(0)
    .describe('Fraction of the documents kept for evaluation. A document is chosen by its hash, so it stays chosen.'),
  max_length: z.int().min(2).default(1024).describe('Tokens in a sequence.'),
  per_device_train_batch_size: count
    .default(8)
    .describe('Sequences, or pairs of them, in one forward and backward pass.'),
  per_device_eval_batch_size: count.default(8).describe('Sequences, or pairs of them, in one evaluation pass.'),
}

/** `0.8,0.2` as other trainers write it. */
function numbersOf(text: string, context: z.RefinementCtx): number[] {
  const numbers = text.split(',').map((each) => (each.trim() === '' ? Number.NaN : Number(each)))
  if (numbers.every((number) => number > 0 && Number.isFinite(number))) return numbers
  context.addIssue({ code: 'custom', message: 'expected a list of numbers above 0, one for each entry of dataset' })
  return z.NEVER
}
