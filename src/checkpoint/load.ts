// A model directory → a Decoder. Names and layouts come from model/hf-names.ts, bytes from safetensors.
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode, InputError } from '../errors.ts'
import { type DecoderConfig, readModelConfig } from '../model/config.ts'
import { Decoder } from '../model/decoder.ts'
import { type CheckpointTensor, checkpointTensors, isIgnoredBuffer, isTiedHead } from '../model/hf-names.ts'
import { type DType, ops, scope, type Tensor } from '../torch/index.ts'
import { openModelWeights } from './model-weights.ts'
import { TensorReader } from './tensor-bytes.ts'

const MAX_CONFIG_BYTES = 10 << 20

export interface LoadOptions {
  /** `cpu` (default) or `cuda`. */
  device?: string
  /** Weights are converted to it; default f32. */
  dtype?: DType
}

/** Reads `config.json` of a model directory; InputError or UnsupportedError says what is wrong with it. */
export function loadConfig(directory: string): DecoderConfig {
  const file = join(directory, 'config.json')
  return readModelConfig(readJsonFile(file, MAX_CONFIG_BYTES), file)
}

/** Parses a JSON file of at most `limit` bytes. */
export function readJsonFile(file: string, limit: number): unknown {
  try {
    const size = statSync(file).size
    if (size > limit) throw new InputError(`${file}: expected at most ${limit} bytes, got ${size}`)
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR'))
      throw new InputError(`${file}: expected a file, got nothing. Check the path`)
    if (error instanceof SyntaxError)
      throw new InputError(`${file}: expected JSON, got something else: ${error.message}`)
    throw error
  }
}

/** Loads a decoder from a Hugging Face model directory (config.json and safetensors). */
export function loadDecoder(directory: string, options: LoadOptions = {}): Decoder {
  const config = loadConfig(directory)
  const parameters = new Map<string, Tensor>()
  try {
    readParameters(config, directory, options, parameters)
    return new Decoder(config, ({ path }) => parameters.get(path)!)
  } catch (error) {
    for (const tensor of parameters.values()) tensor.free()
    throw error
  }
}

/** Moves a view of a mapped file to its dtype and device, as memory of its own: training in place must not fault in pages one by one. */
function settle(stored: Tensor, { device = 'cpu', dtype = 'f32' }: LoadOptions): Tensor {
  return scope(() => {
    const tensor = stored.to(dtype).to(device).contiguous()
    return tensor.storageId === stored.storageId ? tensor.clone() : tensor
  }).keep()
}

/** Puts every parameter into `into` by our path. The files are mapped for one tensor at a time, so that a model is in memory once. */
function readParameters(
  config: DecoderConfig,
  directory: string,
  options: LoadOptions,
  into: Map<string, Tensor>,
): void {
  const weights = openModelWeights(directory)
  const sizes = new Map(weights.files.map((file) => [file, statSync(file).size]))
  const unread = new Set(weights.tensors.keys())
  const read = (name: string, use: (tensor: Tensor) => void): void => {
    const info = weights.tensors.get(name)!
    unread.delete(name)
    const reader = new TensorReader()
    try {
      scope(() => use(reader.read(name, info, sizes.get(info.file)!)))
    } finally {
      reader.close()
    }
  }
  for (const wanted of checkpointTensors(config)) {
    const name = [wanted.name, ...wanted.aliases].find((candidate) => weights.tensors.has(candidate))
    if (name === undefined)
      throw new InputError(`weights in ${directory}: expected a tensor ${wanted.name} [${wanted.shape}], got none`)
    const { shape } = weights.tensors.get(name)!
    if (shape.join() !== wanted.shape.join()) {
      throw new InputError(
        `weights in ${directory}: ${name}: expected shape [${wanted.shape}] from config.json, got [${shape}]`,
      )
    }
    read(name, (tensor) => {
      for (const [path, part] of splitParts(wanted, tensor)) into.set(path, settle(part, options))
    })
  }
  for (const name of unread) {
    if (isIgnoredBuffer(config.modelType, name)) continue
    if (!isTiedHead(config, name)) {
      throw new InputError(
        `weights in ${directory}: ${name}: expected only tensors of a ${config.modelType} model with ${config.layers.length} layers, got this one too`,
      )
    }
    read(name, (head) => {
      const embedding = into.get('model.embed_tokens.weight')!
      if (ops.equal(head.to(embedding.dtype).to(embedding.device), embedding)) return
      throw new InputError(
        `weights in ${directory}: ${name}: expected a copy of the embedding (tie_word_embeddings is true), got other values. Set tie_word_embeddings to false`,
      )
    })
  }
}

/** One stored tensor → our parameters: undo the transposition, then the fusing. */
export function splitParts(stored: CheckpointTensor, tensor: Tensor): [string, Tensor][] {
  const whole = stored.isTransposed ? tensor.t() : tensor
  if (stored.parts.length === 1) return [[stored.parts[0]!.path, whole]]
  if (stored.interleave > 1) {
    const [rows = 0, ...rest] = whole.shape
    const view = whole.reshape(
      stored.interleave,
      stored.parts.length,
      rows / stored.interleave / stored.parts.length,
      ...rest,
    )
    return stored.parts.map((part, i) => [part.path, view.select(1, i).reshape(...part.shape)])
  }
  let start = 0
  return stored.parts.map((part) => {
    const rows = part.shape[0]!
    start += rows
    return [part.path, whole.narrow(0, start - rows, rows)]
  })
}

/** The inverse of `splitParts`. */
export function joinParts(stored: CheckpointTensor, parameters: ReadonlyMap<string, Tensor>): Tensor {
  const parts = stored.parts.map((part) => parameters.get(part.path)!)
  let whole = parts[0]!
  if (parts.length > 1) {
    const heads = stored.interleave
    whole =
      heads > 1
        ? ops
            .stack(
              parts.map((part) => part.reshape(heads, part.size(0) / heads, ...part.shape.slice(1))),
              1,
            )
            .reshape(-1, ...whole.shape.slice(1))
        : ops.cat(parts)
  }
  return stored.isTransposed ? whole.t() : whole
}
