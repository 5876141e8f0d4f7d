// A model directory → a model that gives labels to texts: an encoder, or a decoder with a pooled head. Of a model that has another head
// the new one is drawn.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { readJsonFile } from '../../files/read-json.ts'
import type { AnyModel, Classifier } from '../../model/any-model.ts'
import type { JsonObject } from '../../model/config-fields.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { formatModelConfig } from '../../model/config-write.ts'
import { initialise } from '../../model/decoder.ts'
import type { StoredDType } from '../../model/dtype.ts'
import type { ModelConfig } from '../../model/encoder/config.ts'
import { Encoder } from '../../model/encoder/encoder.ts'
import { isEncoderType } from '../../model/encoder/families.ts'
import type { LabelWish } from '../../model/labels.ts'
import { PooledDecoder } from '../../model/pooled-decoder.ts'
import { Generator } from '../../torch/index.ts'
import { type EncoderLoadOptions, loadEncoder, loadEncoderConfig, saveEncoder } from './encoder-directory.ts'
import { readParameters } from './read-parameters.ts'
import { saveDecoder } from './save.ts'
import { weightsDtype } from './weights-dtype.ts'

/** Where to a classifier is loaded, and with which labels; what is not said is as config.json says. */
export interface ClassifierLoadOptions extends Omit<EncoderLoadOptions, 'head'>, LabelWish {}

/** Whether the model in `directory` is an encoder; InputError where there is no model. */
export function isEncoderDirectory(directory: string): boolean {
  const file = join(directory, 'config.json')
  if (!existsSync(file)) throw new InputError(`cannot find ${file}: expected the directory of a model. Check the path`)
  const json = readJsonFile(file) as { model_type?: unknown } | null
  return isEncoderType(json?.model_type)
}

/** What the model in `directory` is as a classifier, with the labels wished for or its own. */
export function loadClassifierConfig(directory: string, wish: LabelWish = {}): ModelConfig {
  if (isEncoderDirectory(directory)) return loadEncoderConfig(directory, { kind: 'classify', ...wish })
  const file = join(directory, 'config.json')
  const config = readModelConfig(readJsonFile(file), file, wish)
  const dtype = weightsDtype(directory, config)
  return dtype === undefined ? config : { ...config, dtype }
}

/** What a classifier tells of a text. */
export interface StoredLabels {
  /** Names by id. */
  readonly labels: readonly string[]
  /** Probabilities from which a text has a label; null where it has one label. */
  readonly labelThresholds: readonly number[] | null
}

/** The labels of the classifier in `directory`; undefined where its model has another head. */
export function storedLabels(directory: string): StoredLabels | undefined {
  isEncoderDirectory(directory) // an error where there is no model
  const json = readJsonFile(join(directory, 'config.json')) as { architectures?: unknown }
  const names = Array.isArray(json.architectures) ? json.architectures : []
  if (!names.some((name) => typeof name === 'string' && name.endsWith('ForSequenceClassification'))) return undefined
  const config = loadClassifierConfig(directory)
  const { labels, labelThresholds } = 'positionOffset' in config ? config.head! : config
  return { labels: labels!, labelThresholds: labelThresholds ?? null }
}

/**
 * Loads a classifier from a Hugging Face model directory. With `seed`, what the file lacks of the head is drawn; without, that is an
 * error. UnsupportedError for a model that has no such head.
 */
export function loadClassifier(
  directory: string,
  { labels, problemType, ...options }: ClassifierLoadOptions = {},
): Classifier {
  const wish: LabelWish = { ...(labels && { labels }), ...(problemType && { problemType }) }
  if (isEncoderDirectory(directory)) return loadEncoder(directory, { ...options, head: { kind: 'classify', ...wish } })
  const { seed, onDrawn, ...loading } = options
  const config = loadClassifierConfig(directory, wish)
  if ('positionOffset' in config) throw new TypeError('a decoder is no encoder')
  const draw = seed === undefined ? undefined : initialise(config, new Generator(seed))
  const { parameters } = readParameters(config, directory, {
    ...loading,
    ...(draw && {
      missing: (parameter) => {
        if (parameter.path !== 'score.weight') return undefined
        onDrawn?.('score')
        return draw(parameter)
      },
    }),
  })
  return new PooledDecoder(config, ({ path }) => parameters.get(path)!)
}

/** Writes a model of any kind; see `saveDecoder` and `saveEncoder`. */
export function saveModel(model: AnyModel, directory: string, options: { dtype?: StoredDType } = {}): WrittenFile[] {
  return model instanceof Encoder ? saveEncoder(model, directory, options) : saveDecoder(model, directory, options)
}

/** Writes the thresholds that were found after the weights into config.json of a classifier of several labels; see `readLabelThresholds`. */
export function saveLabelThresholds(directory: string, thresholds: readonly number[]): WrittenFile {
  const file = join(directory, 'config.json')
  const json = { ...(readJsonFile(file) as JsonObject), label_thresholds: [...thresholds] }
  return writeFileAtomic(file, formatModelConfig(json))
}
