// A GGUF file → a Decoder: weights dequantized, rows back in Hugging Face's order. Tensors are read one at a time.

import type { LoadOptions } from '../checkpoint/model-directory/load.ts'
import { InputError } from '../errors.ts'
import { Decoder } from '../model/decoder.ts'
import { scope, Tensor } from '../torch/index.ts'
import { architectureOf, type GgufParameter, ggufParameters } from './architectures.ts'
import { dequantize } from './dequantize.ts'
import { configFromGguf } from './model-config.ts'
import { type GgufHeader, readGguf, readTensorBytes } from './read.ts'

/** Loads the model in a GGUF file; an InputError or UnsupportedError says what is wrong with the file. */
export function loadGguf(file: string, options: Omit<LoadOptions, 'quantize'> = {}): Decoder {
  return decoderFromGguf(readGguf(file), options)
}

/** The same for a file whose header was read. */
export function decoderFromGguf(
  header: GgufHeader,
  { device = 'cpu', dtype = 'f32' }: Omit<LoadOptions, 'quantize'> = {},
): Decoder {
  const config = configFromGguf(header)
  const wanted = ggufParameters(config, architectureOf(config))
  checkTensors(header, wanted)
  const parameters = new Map<string, Tensor>()
  try {
    for (const parameter of wanted) {
      scope(() => {
        for (const [path, part] of readParameter(header, parameter)) {
          const settled = part.to(dtype).to(device).contiguous()
          parameters.set(path, (settled.storageId === part.storageId ? settled.clone() : settled).keep())
        }
      })
    }
    return new Decoder(config, ({ path }) => parameters.get(path)!)
  } catch (error) {
    for (const tensor of parameters.values()) tensor.free()
    throw error
  }
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
