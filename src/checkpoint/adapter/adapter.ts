// PEFT adapter directories: adapter_config.json and adapter_model.safetensors, read and written. Which tensor belongs to which
// part of a model is the methods' business; what a key may look like is settled here.
import { join } from 'node:path'
import { InputError, UnsupportedError } from '../../errors.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { parseJson, readJsonFile } from '../../files/read-json.ts'
import type { QuantSpec } from '../../nn/quant/format.ts'
import { noGrad, type Tensor } from '../../torch/index.ts'
import { openModelWeights, writeModelWeights } from '../model-directory/model-weights.ts'
import { formatQuantization, parseQuantization } from '../model-directory/quantization-config.ts'
import { readTensors } from '../model-directory/read-tensors.ts'
import { tensorSource } from '../safetensors/tensor-bytes.ts'
import { adapterCard } from './adapter-card.ts'
import { type AdapterFile, formatAdapterConfig, parseAdapterConfig } from './adapter-config.ts'
import { namedFromAnywhere } from './base-model.ts'

const CONFIG = 'adapter_config.json'
const STEM = 'adapter_model'
/** PEFT wraps the model twice, and so do its names. */
const PREFIX = 'base_model.model.'

/** An adapter as its directory has it. Tensors are in f32 and belong to the caller's scope. */
export interface StoredAdapter {
  config: AdapterFile
  tensors: Map<string, Tensor>
}

/** Entry of the weight file's metadata, which PEFT passes over, with the `quantization_config` of the base. */
const BASE_QUANTIZATION = 'anneal_base_quantization'

/** Reads a PEFT directory; InputError for a malformed one, UnsupportedError for what would be computed differently. Pickle is refused. */
export function readAdapter(directory: string): StoredAdapter {
  const file = join(directory, CONFIG)
  const config = parseAdapterConfig(readJsonFile(file), file)
  return readTensors(directory, STEM, (stored) => {
    const tensors = new Map<string, Tensor>()
    for (const name of stored.tensors.keys()) {
      const tensor = stored.read(name)
      const own = tensor.to('f32')
      // Memory of its own: the file may change, and training writes.
      tensors.set(name, own === tensor ? tensor.clone() : own)
    }
    return { config, tensors }
  })
}

/** The formats of the base that the adapter in `directory` was trained on, by module; empty where nothing was quantized. */
export function baseFormatsOf(directory: string): Map<string, QuantSpec> {
  const text = openModelWeights(directory, STEM).metadata.get(BASE_QUANTIZATION)
  if (text === undefined) return new Map()
  const what = `adapter in ${directory}: ${BASE_QUANTIZATION}`
  return parseQuantization(parseJson(text, what), what)
}

/** Writes a PEFT directory's files into `directory`, which must exist: weights, configuration, and a README.md for people. */
export function writeAdapter(
  directory: string,
  given: AdapterFile,
  tensors: Iterable<[string, Tensor]>,
  notices: readonly string[] = [],
  baseFormats: ReadonlyMap<string, QuantSpec> = new Map(),
): WrittenFile[] {
  const sources = noGrad(() => Array.from(tensors, ([name, tensor]) => tensorSource(name, tensor.detach())))
  const section = formatQuantization(baseFormats)
  const { base_model_name_or_path: base } = given
  const config = base === null ? given : { ...given, ...namedFromAnywhere(base) }
  return [
    ...writeModelWeights(directory, sources, {
      stem: STEM,
      ...(section && { metadata: { format: 'pt', [BASE_QUANTIZATION]: JSON.stringify(section) } }),
    }),
    writeFileAtomic(join(directory, CONFIG), formatAdapterConfig(config)),
    writeFileAtomic(join(directory, 'README.md'), adapterCard(config, notices)),
  ]
}

/** The parts of a LoRA by module name, such as `model.layers.0.self_attn.q_proj`. */
export interface LoraTensors {
  /** [r, in] */
  A: Tensor
  /** [out, r] */
  B: Tensor
  /** [out], with DoRA. */
  magnitude: Tensor | null
}

// PEFT has written magnitude vectors with and without the suffix.
const KEY = /^base_model\.model\.(.+)\.(?:(lora_A|lora_B)\.weight|(lora_magnitude_vector)(?:\.weight)?)$/

/** Sorts an adapter's tensors by module; every module must have A and B, and a magnitude exactly where DoRA is on. */
export function groupLoraTensors({ config, tensors }: StoredAdapter, directory: string): Map<string, LoraTensors> {
  const where = `adapter in ${directory}`
  const groups = new Map<string, Partial<Record<string, Tensor>>>()
  for (const [name, tensor] of tensors) {
    const [, module, matrix, vector] = KEY.exec(name) ?? []
    if (module === undefined)
      throw new UnsupportedError(
        `${where}: ${name}: expected lora_A, lora_B or a magnitude vector of a linear module, got this too`,
      )
    groups.set(module, { ...groups.get(module), [(matrix ?? vector)!]: tensor })
  }
  const useDora = config.peft_type === 'LORA' && config.use_dora
  const result = new Map<string, LoraTensors>()
  for (const [module, { lora_A: A, lora_B: B, lora_magnitude_vector: magnitude = null }] of groups) {
    if (A === undefined || B === undefined || (magnitude !== null) !== useDora)
      throw new InputError(
        `${where}: ${module}: expected lora_A, lora_B and, with use_dora only, lora_magnitude_vector, got ${Object.keys(groups.get(module)!).join(', ')}`,
      )
    const shapes = [A.shape, B.shape, ...(magnitude === null ? [] : [magnitude.shape])].map((shape) => `[${shape}]`)
    const isWhole = A.dim === 2 && B.dim === 2 && A.size(0) === B.size(1)
    if (!isWhole || (magnitude !== null && magnitude.shape.join() !== `${B.size(0)}`))
      throw new InputError(
        `${where}: ${module}: expected lora_A [r, in], lora_B [out, r] and a magnitude [out], got ${shapes.join(', ')}`,
      )
    result.set(module, { A, B, magnitude })
  }
  if (result.size === 0) throw new InputError(`${where}: expected tensors, got none`)
  return result
}

/** The inverse of `groupLoraTensors`. */
export function* nameLoraTensors(modules: Iterable<[string, LoraTensors]>): Iterable<[string, Tensor]> {
  for (const [module, { A, B, magnitude }] of modules) {
    yield [`${PREFIX}${module}.lora_A.weight`, A]
    yield [`${PREFIX}${module}.lora_B.weight`, B]
    if (magnitude !== null) yield [`${PREFIX}${module}.lora_magnitude_vector`, magnitude]
  }
}
