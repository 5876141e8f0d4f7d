// A Decoder → a model directory that Transformers, vLLM and PEFT load unchanged.
import { join } from 'node:path'
import { NonFiniteError, UnsupportedError } from '../../errors.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import type { Parameter } from '../../model/block-parameters.ts'
import { formatModelConfig, writeModelConfig } from '../../model/config-write.ts'
import type { Decoder } from '../../model/decoder.ts'
import { type StoredDType, weightDtype } from '../../model/dtype.ts'
import { type CheckpointTensor, checkpointTensors } from '../../model/hf-names.ts'
import { quantLinears } from '../../model/quantize-model.ts'
import { noGrad, scope, type Tensor } from '../../torch/index.ts'
import type { TensorSource } from '../safetensors/safetensors-write.ts'
import { SAFETENSORS_DTYPE, tensorSource } from '../safetensors/tensor-bytes.ts'
import { joinParts } from './fused-parts.ts'
import { writeModelWeights } from './model-weights.ts'
import { formatQuantization } from './quantization-config.ts'

/**
 * Writes config.json, generation_config.json and the weights (as `dtype`, default f32; quantized ones as they are) into `directory`;
 * returns the files. Throws a NonFiniteError for NaN and infinity and an UnsupportedError for weights beyond the range of `dtype`. A model with quantized matrices is for Anneal alone; `dequantizeModel` makes it one for everybody.
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
    ...(config.labels === undefined
      ? [writeFileAtomic(join(directory, 'generation_config.json'), `${JSON.stringify(generation, null, 2)}\n`)]
      : []),
    ...writeModelWeights(directory, sources, options),
  ]
}

/** A parameter as a tensor of the file by itself. */
function alone(part: Parameter): CheckpointTensor {
  return { name: part.path, aliases: [], shape: part.shape, isTransposed: false, interleave: 1, parts: [part] }
}

/** A tensor of the file, made when its bytes are wanted; its values are checked then. */
export function denseSource(
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
      scope(() => {
        const whole = joinParts(stored, parameters)
        const narrowed = whole.to(dtype)
        checkFinite(stored.name, whole, narrowed, dtype)
        return (tensorSource(stored.name, narrowed).bytes as () => Uint8Array)()
      }),
  }
}

/** A value beyond the range of the type that is written becomes infinity, and nobody would hear of it. */
function checkFinite(name: string, whole: Tensor, narrowed: Tensor, dtype: StoredDType): void {
  if (narrowed.numel === 0 || Number.isFinite(highest(narrowed))) return
  const value = highest(whole)
  if (!Number.isFinite(value))
    throw new NonFiniteError(`save: ${name}: expected finite weights, got NaN or infinity. Nothing was written`)
  throw new UnsupportedError(
    `save: ${name}: expected weights up to ${dtype === 'f16' ? '65504' : '3.39e38'} for ${dtype.toUpperCase()}, got ${value}. Choose ${dtype === 'f16' ? 'bf16 or f32' : 'f32'}`,
  )
}

function highest(tensor: Tensor): number {
  return noGrad(() => tensor.detach().abs().max().item())
}
