// A Decoder → a model directory that Transformers, vLLM and PEFT load unchanged.
import { join } from 'node:path'
import { formatModelConfig, writeModelConfig } from '../model/config-write.ts'
import type { Decoder } from '../model/decoder.ts'
import { checkpointTensors } from '../model/hf-names.ts'
import { type DType, scope } from '../torch/index.ts'
import { type WrittenFile, writeFileAtomic } from './atomic-write.ts'
import { joinParts } from './load.ts'
import { writeModelWeights } from './model-weights.ts'
import type { TensorSource } from './safetensors-write.ts'
import { tensorSource } from './tensor-bytes.ts'

const TORCH_NAMES: Partial<Record<DType, 'float32' | 'bfloat16' | 'float16'>> = {
  f32: 'float32',
  bf16: 'bfloat16',
  f16: 'float16',
}

/** Writes config.json, generation_config.json and the weights (as `dtype`, default f32) into `directory`; returns the files. */
export function saveDecoder(
  model: Decoder,
  directory: string,
  options: { dtype?: 'f32' | 'bf16' | 'f16' } = {},
): WrittenFile[] {
  const dtype = options.dtype ?? 'f32'
  const { config } = model
  const json = writeModelConfig({ ...config, dtype: TORCH_NAMES[dtype]! })
  const generation = {
    ...(config.bosTokenId !== null && { bos_token_id: config.bosTokenId }),
    ...(config.eosTokenIds.length > 0 && {
      eos_token_id: config.eosTokenIds.length === 1 ? config.eosTokenIds[0] : config.eosTokenIds,
    }),
    ...(config.padTokenId !== null && { pad_token_id: config.padTokenId }),
  }
  const parameters = new Map([...model.parameters()])
  const sources = checkpointTensors(config).map((stored): TensorSource => {
    const like = parameters.get(stored.parts[0]!.path)!
    const described = tensorSource(stored.name, like)
    return {
      ...described,
      dtype: dtype === 'f32' ? 'F32' : dtype === 'bf16' ? 'BF16' : 'F16',
      shape: stored.shape,
      // Fused and transposed tensors are put together one at a time, when their bytes are wanted.
      bytes: () =>
        scope(() => (tensorSource(stored.name, joinParts(stored, parameters).to(dtype)).bytes as () => Uint8Array)()),
    }
  })
  return [
    writeFileAtomic(join(directory, 'config.json'), formatModelConfig(json)),
    writeFileAtomic(join(directory, 'generation_config.json'), `${JSON.stringify(generation, null, 2)}\n`),
    ...writeModelWeights(directory, sources),
  ]
}
