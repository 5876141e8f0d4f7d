// Encoders ↔ model directories that Transformers loads unchanged: names and bytes are read and written as for decoders.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { formatModelConfig } from '../../model/config-write.ts'
import { type StoredDType, weightDtype } from '../../model/dtype.ts'
import type { EncoderConfig, HeadWish } from '../../model/encoder/config.ts'
import { readEncoderConfig, writeEncoderConfig } from '../../model/encoder/config-read.ts'
import { Encoder, initialiseEncoder } from '../../model/encoder/encoder.ts'
import { checkpointTensors } from '../../model/hf-names.ts'
import { Generator } from '../../torch/index.ts'
import { writeModelWeights } from './model-weights.ts'
import { type LoadOptions, readParameters } from './read-parameters.ts'
import { denseSource } from './save.ts'
import { weightsDtype } from './weights-dtype.ts'

/** Where to an encoder is loaded, and with which head. */
export interface EncoderLoadOptions extends Omit<LoadOptions, 'quantize' | 'missing'> {
  /** Default: the head that `architectures` in config.json names. */
  head?: HeadWish
  /** Draws the parts of the head that the file does not have. Without it they are an error. */
  seed?: number
  /** Hears of the parts that were drawn, such as `head.out`. */
  onDrawn?: (module: string) => void
}

/** Reads `config.json` of an encoder's directory; InputError or UnsupportedError says what is wrong with it. */
export function loadEncoderConfig(directory: string, head?: HeadWish): EncoderConfig {
  const file = join(directory, 'config.json')
  if (!existsSync(file))
    throw new InputError(`cannot find ${file}: expected the directory of an encoder. Check the path`)
  const config = readEncoderConfig(readJsonFile(file), file, head)
  const dtype = weightsDtype(directory, config)
  return dtype === undefined ? config : { ...config, dtype }
}

/**
 * Loads an encoder from a Hugging Face model directory (config.json and safetensors).
 *
 * @example
 * const model = loadEncoder('models/xlm-r', { head: { kind: 'classify', labels: ['no', 'yes'] }, seed: 42 })
 */
export function loadEncoder(directory: string, { head, seed, onDrawn, ...options }: EncoderLoadOptions = {}): Encoder {
  const config = loadEncoderConfig(directory, head)
  const draw = seed === undefined ? undefined : initialiseEncoder(config, new Generator(seed))
  const drawn = new Set<string>()
  const { parameters } = readParameters(config, directory, {
    ...options,
    ...(draw && {
      missing: (parameter) => {
        if (!parameter.path.startsWith('head.')) return undefined
        drawn.add(parameter.path.replace(/\.(?:weight|bias)$/, ''))
        return draw(parameter)
      },
    }),
  })
  for (const module of drawn) onDrawn?.(module)
  return new Encoder(config, ({ path }) => parameters.get(path)!)
}

/**
 * Writes config.json and the weights (as `dtype`, default f32) into `directory`; returns the files. Throws a NonFiniteError for NaN and
 * infinity and an UnsupportedError for weights beyond the range of `dtype`.
 */
export function saveEncoder(
  model: Encoder,
  directory: string,
  options: { dtype?: StoredDType; maxShardBytes?: number } = {},
): WrittenFile[] {
  const dtype = options.dtype ?? 'f32'
  const parameters = new Map([...model.parameters()])
  const json = writeEncoderConfig({ ...model.config, dtype: weightDtype(dtype) })
  const sources = checkpointTensors(model.config).map((stored) => denseSource(stored, parameters, dtype))
  return [
    writeFileAtomic(join(directory, 'config.json'), formatModelConfig(json)),
    ...writeModelWeights(directory, sources, options),
  ]
}
