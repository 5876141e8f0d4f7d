// A classifier of hashed character n-grams as a directory: config.json, which says what it is as those of other classifiers do, and the
// weights in the file of a language identifier, which is the same model.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { loadLanguageIdentifier, saveLanguageIdentifier } from './identifier-file.ts'
import type { LanguageModel } from './language-model.ts'

/** `model_type` in its config.json and in a training configuration. */
export const NGRAMS = 'ngrams'
/** The file of its weights. */
export const NGRAM_WEIGHTS = 'ngrams.lid'

/** Whether `directory` holds such a classifier. */
export function isNgramDirectory(directory: string): boolean {
  const file = join(directory, 'config.json')
  return existsSync(file) && (readJsonFile(file) as { model_type?: unknown } | null)?.model_type === NGRAMS
}

/** Loads one; InputError for weights that are missing or damaged. */
export function loadNgramModel(directory: string): LanguageModel {
  return loadLanguageIdentifier(join(directory, NGRAM_WEIGHTS))
}

/** Writes one; the same model gives the same bytes. */
export function saveNgramModel(model: LanguageModel, directory: string): void {
  const names = model.labels.map((label, id) => [id, label] as const)
  const config = {
    architectures: ['NgramsForSequenceClassification'],
    model_type: NGRAMS,
    bits: model.parts.bits,
    id2label: Object.fromEntries(names),
    label2id: Object.fromEntries(names.map(([id, label]) => [label, id])),
  }
  saveLanguageIdentifier(model, join(directory, NGRAM_WEIGHTS))
  writeFileAtomic(join(directory, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
}
