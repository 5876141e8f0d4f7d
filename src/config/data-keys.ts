// Configuration keys that say what is read and how it is cut into batches.

import { z } from 'zod'
import { count, path, paths, type Shape } from '../methods/fields.ts'

/** Keys that say what is read. */
export interface DataKeys {
  dataset: string[]
  text_column: string
  add_bos_token: boolean | undefined
  split_special_tokens: boolean | undefined
  max_bad_fraction: number
  eval_dataset: string[] | undefined
  val_split: number
  max_length: number
  per_device_train_batch_size: number
  per_device_eval_batch_size: number
}

export const dataKeys: Shape<DataKeys> = {
  dataset: paths.describe(
    'Files or folders to train on: text, Markdown, JSONL (also .gz), CSV, TSV, Parquet; or a dataset of the hub by name, ORG/NAME[@revision][:config/split or file].',
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
  eval_dataset: paths
    .optional()
    .describe('Files or folders to evaluate on, or a dataset of the hub by name, with its split.'),
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
