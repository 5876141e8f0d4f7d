// Stage `sft`: conversations, instructions with answers, or prompts with completions, of which the answers are learnt.

import { join } from 'node:path'
import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { batches } from '../../data/batches.ts'
import { describeLengths } from '../../data/length-report.ts'
import { packSamples } from '../../data/packing/pack-samples.ts'
import { preview } from '../../data/preview.ts'
import type { Dataset, Sample } from '../../data/sample.ts'
import { readSupervised, type SupervisedData, type TuningFileOptions } from '../../data/tuning/supervised-files.ts'
import { ConfigError } from '../../errors.ts'
import { chatTemplateFor } from '../../text/default-template.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { languageModeling } from '../../train/objective.ts'
import type { Reading, StageData } from './stage-data.ts'

/** Reads the samples, and shows one of them with what is learnt marked. */
export async function sftData(config: TrainConfig, tokenizer: Tokenizer, reading: Reading): Promise<StageData> {
  const { train, validation, report } = await read(config, tokenizer, reading, 'train')
  const held = config.eval_dataset === undefined ? validation : await heldOut(config, tokenizer, reading)
  const share = ((100 * report.supervisedTokens) / report.tokens).toFixed(1)
  const { guess, rows, tokens } = report
  const message =
    `${guess.shape} data (${guess.reason}): ${rows.toLocaleString('en')} rows, ${tokens.toLocaleString('en')} tokens, ` +
    `${share} % of them learnt\n${describeLengths(report.lengths)}`
  reading.tell({ type: 'data-read', split: 'train', message, tokens, samples: train.length })
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
  reading.tell({
    type: 'example',
    message: 'the first sample, with what is learnt between ⟦ and ⟧:',
    texts: [preview(train.get(0), tokenizer)],
  })
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

async function heldOut(config: TrainConfig, tokenizer: Tokenizer, reading: Reading): Promise<Dataset<Sample>> {
  return (await read({ ...config, dataset: config.eval_dataset! }, tokenizer, reading, 'validation')).train
}

async function read(
  config: TrainConfig,
  tokenizer: Tokenizer,
  { tell, quarantine }: Reading,
  name: string,
): Promise<SupervisedData> {
  const onNotice = (message: string): void => tell({ type: 'notice', message })
  const options: TuningFileOptions = {
    tokenizer,
    maxLength: config.max_length,
    turns: config.mask_history ? 'last' : 'all',
    validation: { fraction: config.val_split },
    rows: {
      ...(quarantine !== undefined && { quarantinePath: join(quarantine, `${name}.jsonl`) }),
      maxBadFraction: config.max_bad_fraction,
      onNotice,
    },
    allowSpecial: config.split_special_tokens === false,
    ...(config.columns !== undefined && { columns: config.columns }),
    ...(config.on_overlong !== undefined && { onOverlong: config.on_overlong }),
  }
  const data = await readSupervised(config.dataset, options)
  for (const notice of data.report.notices) onNotice(notice)
  return data
}
