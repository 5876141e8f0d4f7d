// Stage `classify` with `model: { model_type: ngrams }`: a classifier of character n-grams, which the identifier of languages is too, in
// place of a network. Seconds instead of minutes, no checkpoints; the same data and seed give the same bytes.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { heldPaths } from '../../config/data-keys.ts'
import { dumpConfig } from '../../config/dump.ts'
import { ngramModel } from '../../config/ngram-keys.ts'
import type { ConfigKey, TrainConfig } from '../../config/schema.ts'
import { trainKind } from '../../config/train-kind.ts'
import { LabelCounts } from '../../data/label-counts.ts'
import type { LanguageModel } from '../../data/language/language-model.ts'
import { saveNgramModel } from '../../data/language/ngram-directory.ts'
import { type LanguageSample, trainLanguageIdentifier } from '../../data/language/train-identifier.ts'
import { sideOf } from '../../data/split.ts'
import { ConfigError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { takeOutputDirectory } from '../../files/output-directory.ts'
import { counted } from '../../report/amounts.ts'
import { eventsOf } from '../../work.ts'
import { readSamples } from '../read-samples.ts'
import { writeNgramCard } from './classifier-card.ts'
import { resolveDatasets } from './resolve-datasets.ts'
import type { RunEvent, RunOnlyEvent, RunTell, TrainResult } from './run-events.ts'

/** How it is run. */
export interface TrainNgramsOptions {
  signal?: AbortSignal | undefined
  origins?: Readonly<Partial<Record<ConfigKey, string>>> | undefined
  /** Reads the data, and leaves nothing. */
  isTrial?: boolean
}

/** Trains, measures on the texts that are held out, and leaves the directory of a classifier. */
export async function* trainNgrams(
  config: TrainConfig,
  { signal, origins, isTrial = false }: TrainNgramsOptions = {},
): AsyncGenerator<RunEvent, TrainResult> {
  const { output_dir: directory } = config
  if (existsSync(join(directory, 'config.json')))
    throw new ConfigError(
      `output_dir: expected a folder without a model, got ${directory}. Choose another one, or remove the model`,
    )
  const giveBack = takeOutputDirectory(directory, 'output_dir')
  const begun = performance.now()
  try {
    const { train, held } = yield* eventsOf<Data, RunOnlyEvent>(
      async (watch) => read(await resolveDatasets(config, watch), watch.tell),
      { signal },
    )
    const result: TrainResult = {
      directory,
      step: 0,
      reason: 'finished',
      metrics: {},
      isSaved: false,
      keptStep: undefined,
      saveError: undefined,
      fingerprint: undefined,
    }
    if (isTrial) return result
    const epochs = config.num_train_epochs
    const model = yield* eventsOf<LanguageModel, RunOnlyEvent>(
      async ({ tell }) =>
        trainLanguageIdentifier(train, {
          name: 'ngrams',
          epochs,
          seed: config.seed,
          ...(ngramModel(config)?.bits !== undefined && { bits: ngramModel(config)!.bits! }),
          onEpoch: ({ epoch }) =>
            tell({ type: 'progress', label: 'learning', done: epoch, total: epochs, unit: 'epochs' }),
        }),
      { signal },
    )
    const metrics = held === undefined ? {} : measured(model, held)
    writeFileAtomic(
      join(directory, 'train_config.yaml'),
      dumpConfig(trainKind, { config, origins }, ['Resolved configuration: every key, and where its value came from.']),
    )
    saveNgramModel(model, directory)
    writeNgramCard(directory, { labels: model.labels, texts: train.length, evaluation: metrics })
    if (held !== undefined) yield { type: 'evaluation-done', step: epochs, epoch: epochs, metrics, isBest: true }
    yield { type: 'saved', what: 'model', path: directory }
    const whole = { train_runtime: (performance.now() - begun) / 1000, ...metrics }
    yield { type: 'run-end', step: epochs, reason: 'finished', metrics: whole }
    return { ...result, step: epochs, keptStep: epochs, metrics: whole, isSaved: true }
  } finally {
    giveBack()
  }
}

interface Data {
  train: readonly LanguageSample[]
  held: readonly LanguageSample[] | undefined
}

async function read(config: TrainConfig, tell: RunTell): Promise<Data> {
  const { dataset, eval_dataset, val_split: fraction, max_bad_fraction: maxBadFraction } = config
  const reading = { textColumn: config.text_column, labelColumn: config.label_column ?? 'label', maxBadFraction }
  const all = await readSamples(dataset, reading, tell)
  const paths = heldPaths(eval_dataset)
  const isHeld = ({ text }: LanguageSample): boolean => sideOf(text, { fraction }) === 'validation'
  const train = paths === undefined ? all.filter((sample) => !isHeld(sample)) : all
  const held = paths ? await readSamples(paths, reading, tell) : fraction > 0 ? all.filter(isHeld) : undefined
  const counts = new Map<string, number>()
  for (const { label } of train) counts.set(label, (counts.get(label) ?? 0) + 1)
  const shown = [...counts].sort().map(([label, count]) => `${label} ${count.toLocaleString('en')}`)
  tell({
    type: 'notice',
    message: `${counted(train.length, 'text')} to train on: ${shown.slice(0, 20).join(', ')}${shown.length > 20 ? ', …' : ''}`,
  })
  if (counts.size < 2)
    throw new ConfigError(
      `dataset: expected at least two labels in column '${reading.labelColumn}', got ${[...counts.keys()].join() || 'none'}. There is nothing to tell apart`,
    )
  const odd = held?.find(({ label }) => !counts.has(label))
  if (odd !== undefined)
    throw new ConfigError(
      `eval_dataset: expected the labels that are trained on (${[...counts.keys()].sort().slice(0, 20).join(', ')}), got ${odd.label}`,
    )
  return { train, held }
}

/** By the names of every classifier's evaluation. */
function measured(model: LanguageModel, held: readonly LanguageSample[]): Record<string, number> {
  const counts = new LabelCounts(model.labels.length)
  let loss = 0
  for (const { text, label } of held) {
    const logits = model.logitsOf(text)
    const most = Math.max(...logits)
    const truth = model.labels.indexOf(label)
    loss += most + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0)) - logits[truth]!
    counts.add(truth, logits.indexOf(most))
  }
  return {
    eval_loss: loss / Math.max(1, held.length),
    eval_accuracy: counts.accuracy,
    eval_macro_f1: counts.macroF1,
    eval_mcc: counts.mcc,
  }
}
