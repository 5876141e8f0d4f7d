// A GGUF file → a Decoder, rows in Hugging Face's order: matrices as the blocks that they are, or everything dequantized.

import { InputError } from '../errors.ts'
import { Decoder } from '../model/decoder.ts'
import { putLinear } from '../model/linears.ts'
import { GgmlEmbedding, GgmlLinear } from '../nn/ggml-linear.ts'
import type { GgmlWeight } from '../nn/ggml-weight.ts'
import { type DType, ops, scope, Tensor } from '../torch/index.ts'
import { architectureOf, type GgufParameter, ggufParameters } from './architectures.ts'
import { BlockMap, widenedNotice } from './block-map.ts'
import { dequantize } from './dequantize.ts'
import { configFromGguf } from './model-config.ts'
import { type GgufHeader, readGguf, readTensorBytes } from './read.ts'

/** How a GGUF file is loaded. */
export interface GgufLoadOptions {
  device?: string | undefined
  /** What everything is widened to. Default: on a CPU blocks of `GGML_WEIGHTS` stay as they are in the file, all else is f32. */
  dtype?: DType | undefined
  /** Hears which matrices had to be widened although nothing asked for it. */
  tell?: ((notice: string) => void) | undefined
}

/**
 * Loads the model in a GGUF file; an InputError or UnsupportedError says what is wrong with the file. Blocks that stay as they are are
 * read from the file when they are computed with: it must not change until the model is freed.
 *
 * @example
 * const model = loadGguf('model-q4_k_m.gguf') // takes about the bytes of the file
 */
export function loadGguf(file: string, options: GgufLoadOptions = {}): Decoder {
  return decoderFromGguf(readGguf(file), options)
}

/** The same for a file whose header was read. */
export function decoderFromGguf(header: GgufHeader, { device = 'cpu', dtype, tell }: GgufLoadOptions = {}): Decoder {
  const config = configFromGguf(header)
  const wanted = ggufParameters(config, architectureOf(config))
  checkTensors(header, wanted)
  const parameters = new Map<string, Tensor>()
  const blocks = new Map<string, GgmlWeight>()
  const keepsBlocks = dtype === undefined && device === 'cpu'
  // Stands in for every matrix in blocks until its layer is put in place.
  const standIn = ops.empty([0, 0], 'f32').keep()
  try {
    scope(() => {
      const map = keepsBlocks ? new BlockMap(header) : null
      for (const parameter of wanted) {
        if (map?.holds(parameter)) for (const [path, weight] of map.read(parameter)) blocks.set(path, weight)
        else scope(() => readDense(header, parameter, dtype ?? 'f32', device, parameters))
      }
    })
    const notice = keepsBlocks ? widenedNotice(header) : undefined
    if (notice !== undefined) tell?.(notice)
    const model = new Decoder(config, ({ path }) => parameters.get(path) ?? standIn)
    for (const [path, weight] of blocks) putBlocks(model, path, weight, parameters)
    return model
  } catch (error) {
    for (const tensor of parameters.values()) tensor.free()
    for (const weight of blocks.values()) weight.free()
    throw error
  } finally {
    standIn.free()
  }
}

function readDense(
  header: GgufHeader,
  parameter: GgufParameter,
  dtype: DType,
  device: string,
  into: Map<string, Tensor>,
): void {
  for (const [path, part] of readParameter(header, parameter)) {
    const settled = part.to(dtype).to(device).contiguous()
    into.set(path, (settled.storageId === part.storageId ? settled.clone() : settled).keep())
  }
}

function putBlocks(model: Decoder, path: string, weight: GgmlWeight, parameters: ReadonlyMap<string, Tensor>): void {
  const module = path.replace(/\.weight$/, '')
  if (module === 'model.embed_tokens') model.replace(module, new GgmlEmbedding(weight))
  else putLinear(model, module, new GgmlLinear(weight, parameters.get(`${module}.bias`) ?? null))
}

/** What model-config.ts reads: settings stored as tensors. */
const ROPE_TENSORS: ReadonlySet<string> = new Set([
  'rope_freqs.weight',
  'rope_factors_long.weight',
  'rope_factors_short.weight',
])

/** Both ways, before anything is read: a missing tensor, another shape, or one that nobody would compute with. */
function checkTensors(header: GgufHeader, wanted: readonly GgufParameter[]): void {
  const unread = new Set(header.tensors.keys())
  for (const { name, shape } of wanted) {
    const found = header.tensors.get(name)
    if (found?.shape.join() !== shape.join()) {
      throw new InputError(
        `${header.file}:${name}: expected a tensor [${shape}] as its metadata says, got ${found === undefined ? 'none' : `[${found.shape}]`}. Get the file again`,
      )
    }
    unread.delete(name)
  }
  const [left] = [...unread].filter((name) => !ROPE_TENSORS.has(name))
  if (left === undefined) return
  throw new InputError(
    `${header.file}:${left}: expected tensors of this architecture only, got one that Anneal would ignore`,
  )
}

function readParameter(header: GgufHeader, parameter: GgufParameter): [string, Tensor][] {
  const { name, shape, heads, hasOffset, parts } = parameter
  const stored = header.tensors.get(name)!
  const values = Tensor.from(dequantize(stored.type, readTensorBytes(header, stored), `${header.file}:${name}`), shape)
  const ordered = heads > 0 ? separateHeads(values, heads) : values
  const whole = hasOffset ? ordered.sub(1) : ordered
  let start = 0
  return parts.map((part) => {
    const rows = part.shape[0]!
    start += rows
    return [part.path, whole.narrow(0, start - rows, rows)]
  })
}

/** The inverse of `interleaveHeads` in export-model.ts. */
function separateHeads(tensor: Tensor, heads: number): Tensor {
  const [rows = 0, ...rest] = tensor.shape
  return tensor
    .reshape(heads, rows / heads / 2, 2, ...rest)
    .transpose(1, 2)
    .reshape(rows, ...rest)
}
