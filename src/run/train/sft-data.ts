// Stage `sft`: conversations, instructions with answers, or prompts with completions, of which the answers are learnt.

import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { batches } from '../../data/batches.ts'
import { describeLengths } from '../../data/length-report.ts'
import { packSamples } from '../../data/packing/pack-samples.ts'
import { preview } from '../../data/preview.ts'
import type { Dataset, Sample } from '../../data/sample.ts'
import { readSupervised, type SupervisedData } from '../../data/tuning/supervised-files.ts'
import { counted } from '../../report/amounts.ts'
import { chatTemplateFor } from '../../text/default-template.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { languageModeling } from '../../train/objective.ts'
import { describeShapes } from './describe-shapes.ts'
import type { Reading, StageData } from './stage-data.ts'
import { readTuning, refuseEmpty } from './tuning-files.ts'

/** Reads the samples, and shows one of them with what is learnt marked. */
export async function sftData(config: TrainConfig, tokenizer: Tokenizer, reading: Reading): Promise<StageData> {
  const { train, held, report } = await readTuning<Sample, SupervisedData>(readSupervised, config, tokenizer, reading)
  const share = ((100 * report.supervisedTokens) / report.tokens).toFixed(1)
  const { rows, tokens } = report
  const message =
    `${describeShapes(report)}: ${counted(rows, 'row')}, ${counted(tokens, 'token')}, ` +
    `${share} % of them learnt\n${describeLengths(report.lengths)}`
  reading.tell({ type: 'data-read', split: 'train', message, tokens, samples: train.length })
  const data = config.packing ? packSamples(train, config.max_length) : train
  refuseEmpty('samples', data, held, { config, rows: report.rows })
  reading.tell({
    type: 'example',
    message: 'the first sample, with what is learnt between ⟦ and ⟧:',
    texts: [preview(train.get(0), tokenizer)],
  })
  const evaluation = (dataset: Dataset<Sample>): BatchSource =>
    batches(dataset, { batchSize: config.per_device_eval_batch_size, shuffle: false })
  return {
    train: batches(data, { batchSize: config.per_device_train_batch_size, seed: config.data_seed }),
    evaluation: held && evaluation(held),
    objective: () => languageModeling(),
    stopTokenIds: report.stopTokenIds,
    // A model that has seen no chat gets no template of ours: it could not answer in one.
    chatTemplate: report.hasChats ? chatTemplateFor(tokenizer) : tokenizer.chatTemplate,
    close: () => {},
  }
}
