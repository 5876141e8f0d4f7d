// LoRA adapters → a GGUF file that llama.cpp lays over its base (`--lora`). It knows one kind: A and B on matrices that the base
// file has under one name, and one scale. What it cannot hold is refused with the way around it: merge.

import { UnsupportedError } from '../errors.ts'
import type { WrittenFile } from '../files/atomic-write.ts'
import type { DecoderConfig } from '../model/config.ts'
import { noGrad, scope, type Tensor } from '../torch/index.ts'
import { architectureOf, ggufParameters } from './architectures.ts'
import { interleaveHeads } from './export-model.ts'
import type { GgufMetadata, GgufValue } from './values.ts'
import { type GgufTensorSource, writeGguf } from './write.ts'

/** One adapter on the matrix of one module. */
export interface AdapterMatrices {
  /** [r, in] */
  readonly A: Tensor
  /** [out, r] */
  readonly B: Tensor
  /** The product B·A is multiplied by it. */
  readonly scale: number
  readonly isDora: boolean
}

/**
 * Writes adapters by module path (`model.layers.0.self_attn.q_proj`) to `path`, under `name` where one is given; an UnsupportedError
 * says what llama.cpp cannot load.
 */
export function exportAdapterGguf(
  config: DecoderConfig,
  adapters: ReadonlyMap<string, AdapterMatrices>,
  path: string,
  name?: string,
): WrittenFile {
  const architecture = architectureOf(config)
  const byPath = new Map(
    ggufParameters(config, architecture).flatMap((wanted) => wanted.parts.map((part) => [part.path, wanted] as const)),
  )
  const [, first] = [...adapters][0]!
  const alpha = first.scale * first.A.size(0)
  const metadata: GgufMetadata = new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: architecture.name }],
    ['general.type', { type: 'string', value: 'adapter' }],
    ...(name === undefined ? [] : [['general.name', { type: 'string', value: name }] as const]),
    ['adapter.type', { type: 'string', value: 'lora' }],
    ['adapter.lora.alpha', { type: 'f32', value: alpha }],
  ])
  const tensors = [...adapters].flatMap(([module, adapter]): GgufTensorSource[] => {
    const wanted = byPath.get(`${module}.weight`)
    if (wanted === undefined || wanted.parts.length > 1 || !wanted.name.startsWith('blk.')) {
      throw refusal(
        module,
        wanted === undefined
          ? 'a module of the model'
          : wanted.name.startsWith('blk.')
            ? 'a matrix by itself'
            : 'modules of the blocks only',
        'got this one',
      )
    }
    if (adapter.isDora) throw refusal(module, 'plain LoRA', 'got DoRA')
    // llama.cpp divides the one alpha by each matrix's rank; another scale goes into B.
    const { A, B, scale } = adapter
    const factor = (scale * A.size(0)) / alpha
    const right = (): Tensor =>
      (wanted.heads > 0 ? interleaveHeads(B.to('f32'), wanted.heads) : B.to('f32')).mul(factor)
    return [
      { name: `${wanted.name}.lora_a`, type: 'F32', shape: A.shape, bytes: () => bytesOf(() => A.to('f32')) },
      { name: `${wanted.name}.lora_b`, type: 'F32', shape: B.shape, bytes: () => bytesOf(right) },
    ]
  })
  return noGrad(() => writeGguf(path, metadata, tensors))
}

function bytesOf(make: () => Tensor): Uint8Array {
  return scope(() => {
    const array = make().contiguous().data()
    return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  })
}

function refusal(module: string, expected: string, got: string): UnsupportedError {
  return new UnsupportedError(
    `adapter to GGUF: ${module}: expected ${expected}, ${got}. llama.cpp does not load it; merge the adapter instead`,
  )
}
