// A model directory → a model that gives labels to texts: an encoder, or a decoder with a pooled head. Of a model that has another head
// the new one is drawn.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import type { WrittenFile } from '../../files/atomic-write.ts'
import { readJsonFile } from '../../files/read-json.ts'
import type { AnyModel, Classifier } from '../../model/any-model.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { initialise } from '../../model/decoder.ts'
import type { StoredDType } from '../../model/dtype.ts'
import type { ModelConfig } from '../../model/encoder/config.ts'
import { Encoder } from '../../model/encoder/encoder.ts'
import { isEncoderType } from '../../model/encoder/families.ts'
import { PooledDecoder } from '../../model/pooled-decoder.ts'
import { Generator } from '../../torch/index.ts'
import { type EncoderLoadOptions, loadEncoder, loadEncoderConfig, saveEncoder } from './encoder-directory.ts'
import { readParameters } from './read-parameters.ts'
import { saveDecoder } from './save.ts'
import { weightsDtype } from './weights-dtype.ts'

/** Where to a classifier is loaded, and with which labels. */
export interface ClassifierLoadOptions extends Omit<EncoderLoadOptions, 'head'> {
  /** Default: those that config.json names. */
  labels?: readonly string[]
}

/** Whether the model in `directory` is an encoder; InputError where there is no model. */
export function isEncoderDirectory(directory: string): boolean {
  const file = join(directory, 'config.json')
  if (!existsSync(file)) throw new InputError(`cannot find ${file}: expected the directory of a model. Check the path`)
  const json = readJsonFile(file) as { model_type?: unknown } | null
  return isEncoderType(json?.model_type)
}

/** What the model in `directory` is as a classifier, with the labels given or its own. */
export function loadClassifierConfig(directory: string, labels?: readonly string[]): ModelConfig {
  if (isEncoderDirectory(directory))
    return loadEncoderConfig(directory, { kind: 'classify', ...(labels && { labels }) })
  const file = join(directory, 'config.json')
  const config = readModelConfig(readJsonFile(file), file, { ...(labels && { labels }) })
  const dtype = weightsDtype(directory, config)
  return dtype === undefined ? config : { ...config, dtype }
}

/** The labels of the classifier in `directory`; undefined where its model has another head. */
export function storedLabels(directory: string): readonly string[] | undefined {
  isEncoderDirectory(directory) // an error where there is no model
  const json = readJsonFile(join(directory, 'config.json')) as { architectures?: unknown }
  const names = Array.isArray(json.architectures) ? json.architectures : []
  if (!names.some((name) => typeof name === 'string' && name.endsWith('ForSequenceClassification'))) return undefined
  const config = loadClassifierConfig(directory)
  return 'positionOffset' in config ? config.head!.labels : config.labels
}

/**
 * Loads a classifier from a Hugging Face model directory. With `seed`, what the file lacks of the head is drawn; without, that is an
 * error. UnsupportedError for a model that has no such head.
 */
export function loadClassifier(directory: string, { labels, ...options }: ClassifierLoadOptions = {}): Classifier {
  if (isEncoderDirectory(directory))
    return loadEncoder(directory, { ...options, head: { kind: 'classify', ...(labels && { labels }) } })
  const { seed, onDrawn, ...loading } = options
  const config = loadClassifierConfig(directory, labels)
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
