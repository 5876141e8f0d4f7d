// A classifier of hashed character n-grams as a directory: config.json, which says what it is as those of other classifiers do, and the
// weights in the file of a language identifier, which is the same model.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadLanguageIdentifier, saveLanguageIdentifier } from '../data/language/identifier-file.ts'
import { type LanguageModel, softmax } from '../data/language/language-model.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { readJsonFile } from '../files/read-json.ts'
import { Count, turn, type Watch } from '../work.ts'
import type { Classification, TextLabeller } from './classification.ts'

/** `model_type` in its config.json and in a training configuration. */
export const NGRAMS = 'ngrams'
const WEIGHTS = 'ngrams.bin'

/** Gives one label to each text, by its characters. Needs no tokenizer and no LibTorch. */
export class NgramClassifier implements TextLabeller {
  readonly model: LanguageModel
  readonly thresholds = null

  constructor(model: LanguageModel) {
    this.model = model
  }

  get labels(): readonly string[] {
    return this.model.labels
  }

  async label(texts: readonly string[], _options?: object, watch?: Watch): Promise<Classification[]> {
    const done = new Count(watch, { label: 'classifying', unit: 'rows', total: texts.length })
    const answers: Classification[] = []
    for (const text of texts) {
      const logits = this.model.logitsOf(text)
      const label = this.labels[logits.indexOf(Math.max(...logits))]!
      answers.push({ label, labels: [label], probabilities: softmax(logits), logits })
      done.add(1)
      if (answers.length % 1000 === 0) await turn(watch)
    }
    return answers
  }

  free(): void {}
}

/** Whether `directory` holds such a classifier. */
export function isNgramDirectory(directory: string): boolean {
  const file = join(directory, 'config.json')
  return existsSync(file) && (readJsonFile(file) as { model_type?: unknown } | null)?.model_type === NGRAMS
}

/** Loads one; InputError for weights that are missing or damaged. */
export function loadNgramClassifier(directory: string): NgramClassifier {
  return new NgramClassifier(loadLanguageIdentifier(join(directory, WEIGHTS)))
}

/** Writes one; the same model gives the same bytes. */
export function saveNgramClassifier(model: LanguageModel, directory: string): void {
  const names = model.labels.map((label, id) => [id, label] as const)
  const config = {
    architectures: ['NgramsForSequenceClassification'],
    model_type: NGRAMS,
    bits: model.parts.bits,
    id2label: Object.fromEntries(names),
    label2id: Object.fromEntries(names.map(([id, label]) => [label, id])),
  }
  saveLanguageIdentifier(model, join(directory, WEIGHTS))
  writeFileAtomic(join(directory, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
}
