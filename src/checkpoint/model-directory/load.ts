// A model directory → a Decoder. What is in it as tensors is read by read-parameters.ts.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import { readJsonFile } from '../../files/read-json.ts'
import type { DecoderConfig } from '../../model/config.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder } from '../../model/decoder.ts'
import { putLinear } from '../../model/linears.ts'
import { QuantLinear } from '../../nn/quant-linear.ts'
import { ops } from '../../torch/index.ts'
import { type LoadOptions, type ReadParameters, readParameters } from './read-parameters.ts'
import { weightsDtype } from './weights-dtype.ts'

export type { LoadOptions } from './read-parameters.ts'

/**
 * Reads `config.json` of a model directory; InputError or UnsupportedError says what is wrong with it. `dtype` is what the weights
 * are stored in, where they are there.
 */
export function loadConfig(directory: string): DecoderConfig {
  const file = join(directory, 'config.json')
  if (!existsSync(file) && existsSync(join(directory, 'adapter_config.json')))
    throw new InputError(
      `${directory}: expected a model, got an adapter. Give its base as the model and this as the adapter`,
    )
  const config = readModelConfig(readJsonFile(file), file)
  const dtype = weightsDtype(directory, config)
  return dtype === undefined ? config : { ...config, dtype }
}

/** Whether the weights in `directory` are stored quantized. */
export function isQuantized(directory: string): boolean {
  return (loadConfig(directory).raw.quantization_config ?? null) !== null
}

/** Loads a decoder from a Hugging Face model directory (config.json and safetensors), quantized where the directory or `options` say so. */
export function loadDecoder(directory: string, options: LoadOptions = {}): Decoder {
  const config = loadConfig(directory)
  return assemble(config, readParameters(config, directory, options))
}

function assemble(config: DecoderConfig, { parameters, quantized }: ReadParameters): Decoder {
  // Stands in for every matrix that is quantized until its layer is replaced.
  const standIn = ops.empty([0, 0], 'f32').keep()
  const model = new Decoder(config, ({ path }) => parameters.get(path) ?? standIn)
  for (const [path, weight] of quantized)
    putLinear(model, path, new QuantLinear(weight, parameters.get(`${path}.bias`) ?? null))
  standIn.free()
  return model
}
