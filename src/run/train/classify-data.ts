// Stage `classify`: texts with labels, of which the labels are learnt.

import { join } from 'node:path'
import type { StoredLabels } from '../../checkpoint/model-directory/classifier-directory.ts'
import { heldPaths } from '../../config/data-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { BatchSource } from '../../data/batch.ts'
import { batches } from '../../data/batches.ts'
import { LabelSets } from '../../data/label-sets.ts'
import { foldOf } from '../../data/split.ts'
import { type LabelledSamples, readLabelled } from '../../data/tuning/labelled.ts'
import { ConfigError } from '../../errors.ts'
import { counted } from '../../report/amounts.ts'
import { formatNumber } from '../../report/scale.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { classification } from '../../train/classification.ts'
import { multiLabelClassification } from '../../train/multi-label-classification.ts'
import type { Drawn } from '../../train/rule.ts'
import { noticesOnce } from '../../work.ts'
import { ownLabels } from './headed-model.ts'
import { type HeadedReading, padIdFor, windowFor } from './headed-reading.ts'
import type { StageData } from './stage-data.ts'
import { refuseEmpty } from './tuning-files.ts'

/** Reads texts and labels, and says how many of each there are. */
export async function classifyData(
  config: TrainConfig,
  tokenizer: Tokenizer,
  reading: HeadedReading,
): Promise<StageData> {
  const { tell, quarantine, described } = reading
  const maxLength = windowFor(config, described, tell)
  const own = ownLabels(config)
  const sets = mayHaveSeveral(config, own) ? new LabelSets() : undefined
  const once = noticesOnce(tell)
  const onNotice = (message: string): void => once({ type: 'notice', message })
  const read = async (
    paths: readonly string[],
    name: string,
    fraction: number,
    labels: readonly string[] | undefined,
  ) => {
    const data = await readLabelled(paths, {
      tokenizer,
      maxLength,
      textColumn: config.text_column,
      labelColumn: config.label_column!,
      idColumn: config.id_column,
      keepRows: config.training_dynamics !== undefined,
      ...(labels && { labels }),
      ...(sets && { several: { sets, separator: config.label_separator ?? ',' } }),
      validation: { fraction },
      rows: {
        ...(quarantine !== undefined && { quarantinePath: join(quarantine, `${name}.jsonl`) }),
        maxBadFraction: config.max_bad_fraction,
        onNotice,
      },
    })
    for (const notice of data.report.notices) onNotice(notice)
    return data
  }
  const { train: all, validation, report } = await read(config.dataset, 'train', config.val_split, own?.labels)
  const { train, recorded } = recordedOf(config, all)
  const { labels, rows, tokens } = report
  const paths = heldPaths(config.eval_dataset)
  const held =
    paths !== undefined
      ? (await read(paths, 'validation', 0, labels)).train
      : config.val_split > 0
        ? validation
        : undefined
  refuseEmpty('labelled texts', train, held, { config, rows })
  const labelsAt = (index: number): readonly number[] => sets?.of(train.labelOf(index)) ?? [train.labelOf(index)]
  const counts = countsOf(train.length, labelsAt, labels.length)
  const shown = labels.map((label, id) => `${label} ${counts[id]!.toLocaleString('en')}`)
  tell({
    type: 'data-read',
    split: 'train',
    message: `${counted(rows, 'text')}, ${counted(tokens, 'token')}, ${counted(labels.length, 'label')}; to train on: ${shown.slice(0, 20).join(', ')}${labels.length > 20 ? ', …' : ''}`,
    tokens,
    samples: train.length,
  })
  if (labels.length < 2)
    throw new ConfigError(
      `dataset: expected at least two labels in column '${config.label_column}', got ${labels.join() || 'none'}. There is nothing to tell apart`,
    )
  for (const [id, count] of counts.entries())
    if (count < 2)
      onNotice(
        `label ${labels[id]} has ${count === 0 ? 'no text' : 'one text'} to train on, from which it cannot be learnt. Give more, or leave it out`,
      )
  if (
    sets !== undefined &&
    own === undefined &&
    Array.from({ length: sets.size }, (_, id) => sets.of(id).length).every((length) => length === 1)
  )
    onNotice(
      'no text has more than one label: each label is told by itself all the same. Where a text has one label, leave problem_type out',
    )
  const weights = weightsOf(config, labels, counts, sets && train.length)
  const padId = padIdFor(described, tokenizer)
  const evaluation = (set: LabelledSamples): BatchSource =>
    batches(set, { batchSize: config.per_device_eval_batch_size, shuffle: false, padId })
  return {
    train: batches(train, { batchSize: config.per_device_train_batch_size, seed: config.data_seed, padId }),
    evaluation: held && evaluation(held),
    objective: () =>
      sets === undefined ? classification(labels.length, weights) : multiLabelClassification(labels, sets, weights),
    figures: labelFigures,
    labels,
    ...(recorded && {
      recorded: { samples: recorded, batches: evaluation(recorded) },
    }),
    stopTokenIds: [],
    chatTemplate: undefined,
    close: () => {},
  }
}

/** What is learnt from, and whose logits are kept: the same samples, or a fold of them and the others. */
function recordedOf(
  { training_dynamics: when, crossfit_folds: folds = 0, crossfit_fold: fold = 0 }: TrainConfig,
  all: LabelledSamples,
): { train: LabelledSamples; recorded: LabelledSamples | undefined } {
  if (when !== 'crossfit') return { train: all, recorded: when && all }
  if (fold >= folds)
    throw new ConfigError(`crossfit_fold: expected one of the ${folds} folds, 0 to ${folds - 1}, got ${fold}`)
  const recorded = all.where(({ text }) => foldOf(text, folds) === fold)
  if (recorded.length === 0)
    throw new ConfigError(
      `crossfit_fold: expected texts in fold ${fold} of ${folds}, got none among ${counted(all.length, 'text')}. Use fewer folds`,
    )
  return { train: all.where(({ text }) => foldOf(text, folds) !== fold), recorded }
}

/** What its page shows of held-out texts. */
const labelFigures: Drawn = {
  name: 'classify',
  title: 'Labels',
  prefixes: ['accuracy', 'macro_f1', 'micro_f1', 'mcc'],
  figures: ({ points }) => {
    const last = points('eval_macro_f1').at(-1)?.[1]
    return {
      ...(last !== undefined && {
        key: [{ label: 'macro-F1', value: formatNumber(last), detail: 'of held-out texts' }],
      }),
      charts: [
        { metric: 'accuracy', title: 'Labels guessed right', y: 'of the texts', isShare: true },
        { metric: 'macro_f1', title: 'Macro-F1', y: 'mean over the labels', isShare: true },
        { metric: 'micro_f1', title: 'Micro-F1', y: 'over all labels together', isShare: true },
        { metric: 'mcc', title: "Matthews' correlation", y: 'between label and guess' },
      ],
    }
  },
}

/** Whether a text may have several labels: as the configuration says, or the model that the run goes on from. */
function mayHaveSeveral(config: TrainConfig, own: StoredLabels | undefined): boolean {
  const { problem_type: type, label_separator: separator, training_dynamics: dynamics } = config
  const several = type === undefined ? own?.labelThresholds != null : type === 'multi_label_classification'
  if (separator !== undefined && !several)
    throw new ConfigError(
      'label_separator: expected it where a text may have several labels, got one. Set problem_type: multi_label_classification',
    )
  if (several && dynamics !== undefined)
    throw new ConfigError(
      'training_dynamics: expected it where a text has one label, got a model that gives any number of them. Leave it out',
    )
  return several
}

function countsOf(texts: number, labelsAt: (index: number) => readonly number[], size: number): number[] {
  const counts: number[] = Array(size).fill(0)
  for (let i = 0; i < texts; i++) for (const label of labelsAt(i)) counts[label]!++
  return counts
}

/**
 * By label id: as given by name, or so that every label weighs alike in all, with a mean of 1. Where each of `texts` may have several
 * labels, so that having one weighs as much in all as not having it.
 */
export function weightsOf(
  { class_weights: given }: Pick<TrainConfig, 'class_weights'>,
  labels: readonly string[],
  counts: readonly number[],
  texts?: number,
): number[] | undefined {
  if (given === undefined) return undefined
  if (given === 'balanced' && texts !== undefined)
    return counts.map((count) => (count === 0 || count === texts ? 1 : (texts - count) / count))
  if (given === 'balanced') {
    const total = counts.reduce((a, b) => a + b, 0)
    return counts.map((count) => (count === 0 ? 1 : total / (labels.length * count)))
  }
  const unknown = Object.keys(given).find((label) => !labels.includes(label))
  if (unknown !== undefined)
    throw new ConfigError(
      `class_weights: expected labels of the data (${labels.slice(0, 20).join(', ')}), got ${unknown}`,
    )
  return labels.map((label) => given[label] ?? 1)
}
