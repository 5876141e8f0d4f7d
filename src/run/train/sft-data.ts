// Stage `sft`: conversations, instructions with answers, or prompts with completions, of which the answers are learnt.

import { join } from 'node:path'
import type { Output } from '../../cli/output.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { batches } from '../../data/batches.ts'
import { describeLengths } from '../../data/length-report.ts'
import { packSamples } from '../../data/packing/pack-samples.ts'
import { preview } from '../../data/preview.ts'
import type { Dataset, Sample } from '../../data/sample.ts'
import { readSupervised, type SupervisedData, type TuningFileOptions } from '../../data/tuning/supervised-files.ts'
import { ConfigError } from '../../errors.ts'
import { printable } from '../../printable.ts'
import { chatTemplateFor } from '../../text/default-template.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { languageModeling } from '../../train/objective.ts'
import type { StageData } from './stage-data.ts'

/** Reads the samples, and shows one of them with what is learnt marked. */
export async function sftData(config: TrainConfig, tokenizer: Tokenizer, output: Output): Promise<StageData> {
  const { train, validation, report } = await read(config, tokenizer, output, 'train')
  const held = config.eval_dataset === undefined ? validation : await heldOut(config, tokenizer, output)
  const share = ((100 * report.supervisedTokens) / report.tokens).toFixed(1)
  output.note(
    `${report.guess.shape} data (${printable(report.guess.reason)}): ${report.rows.toLocaleString('en')} rows, ${report.tokens.toLocaleString('en')} tokens, ${share} % of them learnt`,
  )
  output.note(describeLengths(report.lengths))
  const data = config.packing ? packSamples(train, config.max_length) : train
  if (data.length === 0)
    throw new ConfigError(
      `dataset: expected samples to train on, got none of ${report.rows} that is left to train. Give more data`,
    )
  const wantsHeld = config.eval_dataset !== undefined || config.val_split > 0
  if (wantsHeld && held.length === 0)
    throw new ConfigError(
      `${config.eval_dataset === undefined ? 'val_split' : 'eval_dataset'}: expected samples to evaluate on, got none. Give more`,
    )
  output.note('the first sample, with what is learnt between ⟦ and ⟧:')
  output.note(preview(train.get(0), tokenizer))
  const evaluation = (dataset: Dataset<Sample>): BatchSource =>
    batches(dataset, { batchSize: config.per_device_eval_batch_size, shuffle: false })
  return {
    train: batches(data, { batchSize: config.per_device_train_batch_size, seed: config.data_seed }),
    evaluation: wantsHeld ? evaluation(held) : undefined,
    objective: languageModeling,
    stopTokenIds: report.stopTokenIds,
    chatTemplate: chatTemplateFor(tokenizer),
    close: () => {},
  }
}

async function heldOut(config: TrainConfig, tokenizer: Tokenizer, output: Output): Promise<Dataset<Sample>> {
  return (await read({ ...config, dataset: config.eval_dataset! }, tokenizer, output, 'validation')).train
}

async function read(config: TrainConfig, tokenizer: Tokenizer, output: Output, name: string): Promise<SupervisedData> {
  const onNotice = (message: string): void => output.note(`notice: ${printable(message)}`)
  const options: TuningFileOptions = {
    tokenizer,
    maxLength: config.max_length,
    turns: config.mask_history ? 'last' : 'all',
    validation: { fraction: config.val_split },
    rows: {
      quarantinePath: join(config.output_dir, 'quarantine', `${name}.jsonl`),
      maxBadFraction: config.max_bad_fraction,
      onNotice,
    },
    ...(config.columns !== undefined && { columns: config.columns }),
    ...(config.on_overlong !== undefined && { onOverlong: config.on_overlong }),
  }
  const data = await readSupervised(config.dataset, options)
  for (const notice of data.report.notices) onNotice(notice)
  return data
}
