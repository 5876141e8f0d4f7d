// What the stages that learn from answers have in common: the same keys say how their files are read, and nothing left is an error.

import { join } from 'node:path'
import { heldPaths } from '../../config/data-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { Dataset } from '../../data/sample.ts'
import type { TuningFileOptions } from '../../data/tuning/supervised-files.ts'
import { ConfigError } from '../../errors.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { noticesOnce } from '../../work.ts'
import type { Reading } from './stage-data.ts'

/** What a reader of `src/data/tuning` gives. */
interface TuningData<T> {
  readonly train: Dataset<T>
  readonly validation: Dataset<T>
  readonly report: { readonly notices: readonly string[] }
}

/** Samples to train on, and to evaluate on where that is wanted. */
export interface Splits<T, Report> {
  readonly train: Dataset<T>
  readonly held: Dataset<T> | undefined
  readonly report: Report
}

/** Reads `dataset` and `eval_dataset` as `read` does, and tells what it noticed. */
export async function readTuning<T, Data extends TuningData<T>>(
  read: (paths: readonly string[], options: TuningFileOptions) => Promise<Data>,
  config: TrainConfig,
  tokenizer: Tokenizer,
  { tell, quarantine }: Reading,
): Promise<Splits<T, Data['report']>> {
  // What both files say is said once.
  const once = noticesOnce(tell)
  const onNotice = (message: string): void => once({ type: 'notice', message })
  const readSplit = async (paths: readonly string[], name: string, fraction: number): Promise<Data> => {
    const data = await read(paths, {
      tokenizer,
      maxLength: config.max_length,
      ...(config.mask_history && { turns: 'last' }),
      validation: { fraction },
      rows: {
        ...(quarantine !== undefined && { quarantinePath: join(quarantine, `${name}.jsonl`) }),
        maxBadFraction: config.max_bad_fraction,
        onNotice,
      },
      allowSpecial: config.split_special_tokens === false,
      ...(config.columns !== undefined && { columns: config.columns }),
      ...(config.on_overlong !== undefined && { onOverlong: config.on_overlong }),
    })
    for (const notice of data.report.notices) onNotice(notice)
    return data
  }
  const { train, validation, report } = await readSplit(config.dataset, 'train', config.val_split)
  const held = heldPaths(config.eval_dataset)
  if (held !== undefined) return { train, held: (await readSplit(held, 'validation', 0)).train, report }
  return { train, held: config.val_split > 0 ? validation : undefined, report }
}

/** ConfigError where nothing is left of `rows` rows to train on, or to evaluate on; `what` they are. */
export function refuseEmpty(
  what: string,
  train: { readonly length: number },
  held: { readonly length: number } | undefined,
  { config, rows }: { config: TrainConfig; rows: number },
): void {
  if (train.length === 0)
    throw new ConfigError(
      `dataset: expected ${what} to train on, got none of ${rows.toLocaleString('en')} that is left to train. Give more data`,
    )
  if (held?.length === 0)
    throw new ConfigError(
      config.eval_dataset === undefined
        ? `val_split: expected ${what} to evaluate on, got none at ${config.val_split}. A text file is one document, texts that are alike stay together, and each goes to one side: give more of them, or eval_dataset`
        : `eval_dataset: expected ${what} to evaluate on, got none. Give more`,
    )
}
