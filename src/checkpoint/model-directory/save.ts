// A Decoder → a model directory that Transformers, vLLM and PEFT load unchanged.
import { join } from 'node:path'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { formatModelConfig, writeModelConfig } from '../../model/config-write.ts'
import type { Decoder } from '../../model/decoder.ts'
import { type StoredDType, weightDtype } from '../../model/dtype.ts'
import { type CheckpointTensor, checkpointTensors, type Parameter } from '../../model/hf-names.ts'
import { quantLinears } from '../../model/quantize-model.ts'
import { scope, type Tensor } from '../../torch/index.ts'
import type { TensorSource } from '../safetensors/safetensors-write.ts'
import { SAFETENSORS_DTYPE, tensorSource } from '../safetensors/tensor-bytes.ts'
import { joinParts } from './fused-parts.ts'
import { writeModelWeights } from './model-weights.ts'
import { formatQuantization } from './quantization-config.ts'

/**
 * Writes config.json, generation_config.json and the weights (as `dtype`, default f32; quantized ones as they are) into `directory`;
 * returns the files. A model with quantized matrices is for Anneal alone; `dequantizeModel` makes it one for everybody.
 */
export function saveDecoder(
  model: Decoder,
  directory: string,
  options: { dtype?: StoredDType; maxShardBytes?: number } = {},
): WrittenFile[] {
  const dtype = options.dtype ?? 'f32'
  const { config } = model
  const quantized = quantLinears(model)
  const { quantization_config: _, ...rest } = config.raw
  const section = formatQuantization(Array.from(quantized, ([path, { weight }]) => [path, weight.spec]))
  const raw = section === undefined ? rest : { ...rest, quantization_config: section }
  const json = writeModelConfig({ ...config, raw, dtype: weightDtype(dtype) })
  const generation = {
    ...(config.bosTokenId !== null && { bos_token_id: config.bosTokenId }),
    ...(config.eosTokenIds.length > 0 && {
      eos_token_id: config.eosTokenIds.length === 1 ? config.eosTokenIds[0] : config.eosTokenIds,
    }),
    ...(config.padTokenId !== null && { pad_token_id: config.padTokenId }),
  }
  const parameters = new Map([...model.parameters()])
  const isQuantized = (path: string): boolean => quantized.has(path.replace(/\.weight$/, ''))
  const sources = checkpointTensors(config).flatMap((stored): TensorSource[] => {
    if (!stored.parts.some(({ path }) => isQuantized(path))) return [denseSource(stored, parameters, dtype)]
    // Each part by itself, under our name for it: what one file fuses may be quantized in different ways.
    return stored.parts
      .filter(({ path }) => !isQuantized(path))
      .map((part) => denseSource(alone(part), parameters, dtype))
  })
  for (const [path, { weight }] of quantized)
    for (const [part, tensor] of weight.tensors) sources.push(tensorSource(`${path}.weight.${part}`, tensor))
  return [
    writeFileAtomic(join(directory, 'config.json'), formatModelConfig(json)),
    writeFileAtomic(join(directory, 'generation_config.json'), `${JSON.stringify(generation, null, 2)}\n`),
    ...writeModelWeights(directory, sources, options),
  ]
}

/** A parameter as a tensor of the file by itself. */
function alone(part: Parameter): CheckpointTensor {
  return { name: part.path, aliases: [], shape: part.shape, isTransposed: false, interleave: 1, parts: [part] }
}

function denseSource(
  stored: CheckpointTensor,
  parameters: ReadonlyMap<string, Tensor>,
  dtype: StoredDType,
): TensorSource {
  return {
    name: stored.name,
    dtype: SAFETENSORS_DTYPE[dtype],
    shape: stored.shape,
    // Fused and transposed tensors are put together one at a time, when their bytes are wanted.
    bytes: () =>
      scope(() => (tensorSource(stored.name, joinParts(stored, parameters).to(dtype)).bytes as () => Uint8Array)()),
  }
}
