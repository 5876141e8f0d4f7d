// A Decoder → what a GGUF file for llama.cpp, Ollama and LM Studio holds, and the file. One tensor is put together, converted and written at a time.
// Names and types are architectures.ts and tensor-types.ts, what llama.cpp is told of the model model-metadata.ts.

import { NonFiniteError, UnsupportedError } from '../errors.ts'
import type { WrittenFile } from '../files/atomic-write.ts'
import type { Decoder } from '../model/decoder.ts'
import { quantLinears } from '../model/quantize-model.ts'
import { textPartNotices } from '../model/text-part.ts'
import type { LinearLike } from '../nn/linear.ts'
import { counted } from '../report/amounts.ts'
import { beyondNotices } from '../text/beyond-notices.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { noGrad, ops, scope, type Tensor } from '../torch/index.ts'
import { type GgufParameter, ggufParameters } from './architectures.ts'
import { type GgmlType, ggmlBytes } from './ggml-types.ts'
import { modelMetadata } from './model-metadata.ts'
import { isQuantizedType, quantize } from './quantize.ts'
import { FILE_TYPES, type GgufFormat, type TypeContext, tensorType, wantedType } from './tensor-types.ts'
import { tokenizerMetadata } from './tokenizer-metadata.ts'
import type { GgufMetadata, GgufValue } from './values.ts'
import { type GgufTensorSource, writeGguf } from './write.ts'

/** What a GGUF file holds besides the weights, and in which format it holds those. */
export interface GgufExportOptions {
  /** What matrices are stored as; matrices that the model has quantized keep about their bits. Default `f16`. */
  format?: GgufFormat
  /** Without one, only ids go in and out. */
  tokenizer?: Tokenizer | undefined
  /** Ids that end a text; default those of config.json. */
  eosTokenIds?: readonly number[] | undefined
  /** `general.name`. */
  name?: string | undefined
  /** More metadata, such as `general.license`. */
  metadata?: GgufMetadata
}

/** What was written. */
export interface GgufExport extends WrittenFile {
  readonly architecture: string
  /** Tokens that llama.cpp may see at once. */
  readonly contextLength: number
  /** Tensors by type. */
  readonly types: Readonly<Partial<Record<GgmlType, number>>>
  /** What llama.cpp does differently, for the user. */
  readonly notices: readonly string[]
}

/** Values that are quantized at once: 16 MiB. */
const VALUES_AT_ONCE = 1 << 22

/** A file before it is written. */
export interface PlannedGguf {
  metadata: GgufMetadata
  tensors: GgufTensorSource[]
  /** Bytes of the tensors. */
  total: number
  about: Omit<GgufExport, keyof WrittenFile>
}

/** Writes `model` to `path` as GGUF in one go and does not read it back: `exportGguf` does. The errors are the same. */
export function writeModelGguf(model: Decoder, path: string, options: GgufExportOptions = {}): GgufExport {
  const { metadata, tensors, about } = planGguf(model, options)
  return { ...writeGguf(path, metadata, tensors), ...about }
}

/** What a GGUF file of `model` holds; UnsupportedError for what llama.cpp cannot compute. */
export function planGguf(model: Decoder, options: GgufExportOptions = {}): PlannedGguf {
  const { format = 'f16', tokenizer, name } = options
  const { config } = model
  const { architecture, metadata: ofModel, contextLength, ropeFactors, notices } = modelMetadata(config)
  const metadata: GgufMetadata = new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: architecture.name }],
    ['general.type', { type: 'string', value: 'model' }],
    ...(name === undefined ? [] : [['general.name', { type: 'string', value: safeName(name, tokenizer) }] as const]),
    ['general.quantization_version', { type: 'u32', value: 2 }],
    ['general.file_type', { type: 'u32', value: FILE_TYPES[format] }],
    ...(options.metadata ?? []),
    ...ofModel,
    ...tokenizerPart(model, options),
  ])
  const quantized = new Map(Array.from(quantLinears(model), ([at, { weight }]) => [at, weight.format] as const))
  const hasOwnHead = model.lm_head !== null
  const context = { format, numLayers: config.layers.length, isTied: !hasOwnHead, quantized }
  const wanted = ggufParameters({ ...config, tieWordEmbeddings: !hasOwnHead }, architecture)
  const parameters = new Map(model.parameters())
  const tensors: GgufTensorSource[] = wanted.map((parameter) => {
    const type = tensorType(parameter, context)
    return {
      name: parameter.name,
      type,
      shape: parameter.shape,
      bytes: () => encoded(model, parameters, parameter, type),
    }
  })
  for (const [factorsName, factors] of ropeFactors) {
    const bytes = (): Uint8Array => new Uint8Array(factors.buffer, factors.byteOffset, factors.byteLength)
    tensors.push({ name: factorsName, type: 'F32', shape: [factors.length], bytes })
  }
  const total = tensors.reduce(
    (sum, { type, shape }) =>
      sum +
      ggmlBytes(
        type,
        shape.reduce((a, b) => a * b, 1),
      ),
    0,
  )
  const types: Partial<Record<GgmlType, number>> = {}
  for (const { type } of tensors) types[type] = (types[type] ?? 0) + 1
  const unspoken = tokenizer === undefined ? ['the file has no tokenizer: it takes and gives token ids'] : []
  const beyond = tokenizer === undefined ? [] : beyondNotices(tokenizer.fit(config.vocabSize) ?? tokenizer)
  const all = [
    ...textPartNotices(config),
    ...beyond,
    ...notices,
    ...kept(quantized.size, format),
    ...misfits(wanted, context),
    ...unspoken,
  ]
  return { metadata, tensors, total, about: { architecture: architecture.name, contextLength, types, notices: all } }
}

/** Says that a format was not followed. */
function kept(count: number, format: GgufFormat): string[] {
  if (count === 0) return []
  return [
    `${counted(count, 'matrix is', 'matrices are')} quantized already and ${count === 1 ? 'keeps about its' : 'keep about their'} bits, and ${format} is for the rest. Export the model that it was made from for another format`,
  ]
}

/** Says why the file has types that nobody asked for. */
function misfits(parameters: readonly GgufParameter[], context: TypeContext): string[] {
  const count = parameters.filter((each) => tensorType(each, context) !== wantedType(each, context)).length
  if (count === 0) return []
  return [
    `${counted(count, 'matrix has', 'matrices have')} rows that are no whole number of blocks: ${count === 1 ? 'it has' : 'they have'} the nearest type that fits, of more bits`,
  ]
}

function tokenizerPart(model: Decoder, { tokenizer, eosTokenIds }: GgufExportOptions): GgufMetadata {
  if (tokenizer === undefined) return new Map([['tokenizer.ggml.model', { type: 'string', value: 'no_vocab' }]])
  const { vocabSize, eosTokenIds: own } = model.config
  return tokenizerMetadata(tokenizer, { vocabSize, eosTokenIds: eosTokenIds ?? own, file: 'tokenizer.json' })
}

/** llama.cpp takes a name with phi-3 in it for a promise of these tokens, and does not load a file without them. */
function safeName(name: string, tokenizer: Tokenizer | undefined): string {
  const hasTokens = ['</s>', '<unk>', '<s>', '<|endoftext|>'].every(
    (token) => tokenizer?.tokenToId(token) !== undefined,
  )
  return hasTokens ? name : name.replace(/phi-?3/gi, 'phi 3')
}

/** The bytes of one tensor, quantized piece by piece. */
function* encoded(
  model: Decoder,
  parameters: ReadonlyMap<string, Tensor>,
  parameter: GgufParameter,
  type: GgmlType,
): Generator<Uint8Array> {
  const whole = noGrad(() => scope(() => assembled(model, parameters, parameter)).keep())
  try {
    const [rows = 1] = whole.shape
    const columns = whole.numel / Math.max(1, rows)
    const step = Math.max(1, Math.floor(VALUES_AT_ONCE / Math.max(1, columns)))
    for (let row = 0; row < rows; row += step) {
      const some = (): Uint8Array => piece(whole.narrow(0, row, Math.min(step, rows - row)), type, parameter.name)
      yield noGrad(() => scope(some))
    }
  } finally {
    whole.free()
  }
}

/** The parameters of a tensor as llama.cpp lays them out, f32. */
function assembled(model: Decoder, parameters: ReadonlyMap<string, Tensor>, wanted: GgufParameter): Tensor {
  const parts = wanted.parts.map(({ path, shape }) => {
    const tensor = parameters.get(path)
    const dense = tensor?.shape.join() === shape.join() ? tensor : denseOf(model, path)
    return dense.to('f32').to('cpu')
  })
  const whole = parts.length === 1 ? parts[0]! : ops.cat(parts)
  const laidOut = wanted.heads > 0 ? interleaveHeads(whole, wanted.heads) : whole
  return (wanted.hasOffset ? laidOut.add(1) : laidOut).contiguous()
}

/** A matrix that is stored otherwise, such as quantized or with an adapter beside it, or its bias. */
function denseOf(model: Decoder, path: string): Tensor {
  const dot = path.lastIndexOf('.')
  const layer = path === 'lm_head.weight' ? model.head : (model.get(path.slice(0, dot)) as Partial<LinearLike>)
  const tensor = path.endsWith('.bias') ? layer.bias : layer.dense?.()
  if (tensor) return tensor
  throw new UnsupportedError(`export to GGUF: ${path}: expected a tensor or a linear layer, got another module`)
}

/** Rows of each head from Hugging Face's order (all first halves, then all second ones) to llama.cpp's (pair after pair). */
export function interleaveHeads(tensor: Tensor, heads: number): Tensor {
  const [rows = 0, ...rest] = tensor.shape
  return tensor
    .reshape(heads, 2, rows / heads / 2, ...rest)
    .transpose(1, 2)
    .reshape(rows, ...rest)
}

function piece(values: Tensor, type: GgmlType, name: string): Uint8Array {
  const highest = values.numel === 0 ? 0 : values.abs().max().item()
  if (!Number.isFinite(highest)) {
    throw new NonFiniteError(
      `export to GGUF: ${name}: expected finite weights, got NaN or infinity. Nothing was written`,
    )
  }
  if (highest > 65_504 && type !== 'F32' && type !== 'BF16') {
    throw new UnsupportedError(
      `export to GGUF: ${name}: expected weights up to 65504 for ${type}, got ${highest}. Choose bf16 or f32`,
    )
  }
  if (isQuantizedType(type)) return quantize(type, values.data() as Float32Array)
  const array = (type === 'F32' ? values : values.to(type === 'F16' ? 'f16' : 'bf16')).data()
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
