// Stage `dpo`: pairs of a better and a worse answer, of which the better one becomes the likelier. The formulas are in src/methods/dpo.

import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { preview } from '../../data/preview.ts'
import type { Dataset } from '../../data/sample.ts'
import {
  type Pair,
  type PairBatch,
  type PreferenceData,
  pairBatches,
  readPreferences,
} from '../../data/tuning/preferences.ts'
import { type DpoOptions, dpo } from '../../methods/dpo/dpo.ts'
import { preferenceFigures } from '../../methods/dpo/figures.ts'
import { needsReference } from '../../methods/dpo/losses.ts'
import { counted } from '../../report/amounts.ts'
import { chatTemplateFor } from '../../text/default-template.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { Objective } from '../../train/objective.ts'
import { describeShapes } from './describe-shapes.ts'
import { type RunReference, referenceOf } from './dpo-reference.ts'
import { preferenceWatch } from './dpo-watch.ts'
import { inKeys } from './in-keys.ts'
import type { Reading, StageData } from './stage-data.ts'
import { readTuning, refuseEmpty } from './tuning-files.ts'

/** Reads the pairs, and shows one of them with what is compared marked. */
export async function dpoData(
  config: TrainConfig,
  tokenizer: Tokenizer,
  reading: Reading,
): Promise<StageData<PairBatch>> {
  const { train, held, report } = await readTuning<Pair, PreferenceData>(readPreferences, config, tokenizer, reading)
  const { rows, tokens } = report
  const message = `${describeShapes(report)}: ${counted(rows, 'pair')}, ${counted(tokens, 'token')}`
  reading.tell({ type: 'data-read', split: 'train', message, tokens, samples: train.length })
  refuseEmpty('pairs', train, held, { config, rows: report.rows })
  const { chosen, rejected } = train.get(0)
  reading.tell({
    type: 'example',
    message: 'the first pair, with what is compared between ⟦ and ⟧:',
    texts: [`chosen:   ${preview(chosen, tokenizer)}`, `rejected: ${preview(rejected, tokenizer)}`],
  })
  let reference: RunReference | undefined
  let checks: ReturnType<typeof preferenceWatch> | undefined
  return {
    train: pairBatches(train, { batchSize: config.per_device_train_batch_size, seed: config.data_seed }),
    evaluation: held
      ? shifted(pairBatches(held, { batchSize: config.per_device_eval_batch_size, shuffle: false }), train.length)
      : undefined,
    async objective(tuning, start, watch): Promise<Objective<PairBatch>> {
      const hasReference = needsReference(config.loss_type!)
      const { attention, residual, embedding } = tuning.model.config.dropout
      const isQuiet = attention + residual + embedding === 0 // dropout is off in the reference alone
      const startsAtReference = hasReference && start.isFresh && isQuiet && config.ref_model === undefined
      checks = preferenceWatch(config, { startsAtReference, bf16: start.bf16 })
      const all = joined(train, held)
      if (hasReference) reference = await referenceOf(config, all, tuning, start, watch)
      return objectiveOf(config, reference)
    },
    watch: (metrics) => checks?.(metrics),
    figures: preferenceFigures(config.loss_type!, config.beta!),
    stopTokenIds: report.stopTokenIds,
    // A model that has seen no chat gets no template of ours: it could not answer in one.
    chatTemplate: report.hasChats ? chatTemplateFor(tokenizer) : tokenizer.chatTemplate,
    close: () => reference?.free(),
  }
}

/** `completeDefaults` has filled in what the loss takes. */
function objectiveOf(config: TrainConfig, reference: RunReference | undefined): Objective<PairBatch> {
  const { label_smoothing, simpo_gamma } = config
  const options: DpoOptions = {
    loss: config.loss_type!,
    beta: config.beta!,
    sftWeight: config.pref_ftx!,
    ...(label_smoothing !== undefined && { labelSmoothing: label_smoothing }),
    ...(simpo_gamma !== undefined && { gamma: simpo_gamma }),
    ...(reference && { reference: reference.reference }),
  }
  const keys = { loss: 'loss_type', labelSmoothing: 'label_smoothing', gamma: 'simpo_gamma', sftWeight: 'pref_ftx' }
  return inKeys(keys, () => dpo(options))
}

/** Pairs to train on, then pairs to evaluate on: what the reference is asked about. */
function joined(first: Dataset<Pair>, second: Dataset<Pair> | undefined): Dataset<Pair> {
  return {
    length: first.length + (second?.length ?? 0),
    get: (index) => (index < first.length ? first.get(index) : second!.get(index - first.length)),
  }
}

/** The batches with pairs numbered from `by` on, as `joined` numbers them. */
function shifted(source: BatchSource<PairBatch>, by: number): BatchSource<PairBatch> {
  return {
    batchesPerEpoch: source.batchesPerEpoch,
    at(index) {
      const batch = source.at(index)
      return { ...batch, pairs: batch.pairs.map((pair) => pair + by) }
    },
  }
}
