// The weights of a model directory → parameters by our paths, and quantized matrices by module. Names and layouts come from
// model/hf-names.ts, bytes from safetensors. Files are mapped for one tensor at a time, so that a model is in memory once.
import { join } from 'node:path'
import { InputError, UsageError } from '../../errors.ts'
import type { Parameter } from '../../model/block-parameters.ts'
import { isEncoderConfig, type ModelConfig } from '../../model/encoder/config.ts'
import {
  type CheckpointTensor,
  checkpointTensors,
  isIgnoredBuffer,
  isReplacedHead,
  tiedTo,
} from '../../model/hf-names.ts'
import { HEAD } from '../../model/linears.ts'
import { plannedSpec, type QuantPlan } from '../../model/quantize-model.ts'
import { partsOf, type QuantSpec } from '../../nn/quant/format.ts'
import { quantizeWeight } from '../../nn/quant/quantize-weight.ts'
import { fromStored, type QuantizedWeight } from '../../nn/quant/quantized-weight.ts'
import { type DType, ops, scope, type Tensor } from '../../torch/index.ts'
import { splitParts } from './fused-parts.ts'
import type { ModelWeights } from './model-weights.ts'
import { readQuantization } from './quantization-config.ts'
import { readFrom } from './read-tensors.ts'
import { openTextWeights } from './text-weights.ts'

/** Where to, and as which dtype, weights are read. */
export interface LoadOptions {
  /** `cpu` (default) or `cuda`. */
  device?: string
  /** Weights are converted to it; default f32. What is stored quantized stays so. */
  dtype?: DType
  /** Quantizes matrices while they are read, one at a time: the dense model is never in memory. */
  quantize?: QuantPlan
  /** Gives what the file may lack, such as a head that is new; undefined for what it must have. */
  missing?: (parameter: Parameter) => Tensor | undefined
}

/** Everything that was read; a matrix is in one of the two. */
export interface ReadParameters {
  /** By path, such as `model.norm.weight`. */
  parameters: Map<string, Tensor>
  /** By module, such as `model.layers.0.mlp.up_proj`. */
  quantized: Map<string, QuantizedWeight>
}

/** Reads what a model of this description consists of, all of it and nothing else; InputError says what is wrong with the files. */
export function readParameters(config: ModelConfig, directory: string, options: LoadOptions): ReadParameters {
  const reading = new Reading(config, directory, options)
  try {
    reading.readAll()
    return reading
  } catch (error) {
    for (const tensor of reading.parameters.values()) tensor.free()
    for (const weight of reading.quantized.values()) weight.free()
    throw error
  }
}

class Reading implements ReadParameters {
  readonly parameters: Map<string, Tensor> = new Map()
  readonly quantized: Map<string, QuantizedWeight> = new Map()
  private readonly config: ModelConfig
  private readonly directory: string
  private readonly options: LoadOptions
  private readonly weights: ModelWeights
  private readonly unread: Set<string>
  /** Formats of the matrices that are stored quantized. */
  private readonly formats: ReadonlyMap<string, QuantSpec>

  constructor(config: ModelConfig, directory: string, options: LoadOptions) {
    this.config = config
    this.directory = directory
    this.options = options
    this.formats = readQuantization(config.raw, join(directory, 'config.json'))
    if (options.quantize !== undefined && this.formats.size > 0)
      throw new UsageError(
        `model in ${directory}: expected full-precision weights to quantize, got quantized ones. Leave the quantization out`,
      )
    this.weights = openTextWeights(directory, config)
    this.unread = new Set(this.weights.tensors.keys())
  }

  readAll(): void {
    const isStoredAlone = ({ path }: Parameter): boolean => path.endsWith('.weight') && this.formats.has(moduleOf(path))
    for (const wanted of checkpointTensors(this.config)) {
      if (wanted.parts.some(isStoredAlone)) for (const part of wanted.parts) this.readAlone(part)
      else if (this.makesUp(wanted)) continue
      else
        this.read([wanted.name, ...wanted.aliases], wanted.shape, (tensor) => {
          for (const [path, part] of splitParts(wanted, tensor)) this.take(path, part)
        })
    }
    if (this.config.tieWordEmbeddings && !isEncoderConfig(this.config)) this.readTiedHead()
    this.checkFormats()
    for (const name of this.unread) this.readUnwanted(name)
  }

  /** Takes what the file does not have from whoever makes it. */
  private makesUp({ name, aliases, shape, parts }: CheckpointTensor): boolean {
    const { missing } = this.options
    const stored = [name, ...aliases].find((each) => this.weights.tensors.has(each))
    if (missing === undefined || parts.length > 1) return false
    // Another number of labels is another classifier.
    if (stored !== undefined && this.weights.tensors.get(stored)!.shape.join() === shape.join()) return false
    const tensor = missing(parts[0]!)
    if (tensor === undefined) return false
    if (stored !== undefined) this.unread.delete(stored)
    this.take(parts[0]!.path, tensor)
    return true
  }

  /** Hands over the first of `names` that there is, mapped into memory; it must have `shape`. */
  private read(names: readonly string[], shape: readonly number[], use: (tensor: Tensor) => void): void {
    const { directory, weights } = this
    const name = names.find((candidate) => weights.tensors.has(candidate))
    if (name === undefined)
      throw new InputError(`weights in ${directory}: expected a tensor ${names[0]} [${shape}], got none`)
    const info = weights.tensors.get(name)!
    if (info.shape.join() !== shape.join())
      throw new InputError(
        `weights in ${directory}: ${name}: expected shape [${shape}] from config.json, got [${info.shape}]`,
      )
    this.unread.delete(name)
    readFrom(weights, (stored) => scope(() => use(stored.read(name))))
  }

  /** A parameter as it was stored → as it was asked for. */
  private take(path: string, tensor: Tensor): void {
    const { quantize, device = 'cpu', dtype = 'f32' } = this.options
    const isMatrix = path.endsWith('.weight') && tensor.dim === 2
    const spec = isMatrix && quantize !== undefined ? plannedSpec(quantize, moduleOf(path)) : undefined
    if (spec === undefined) this.parameters.set(path, this.settle(tensor, dtype))
    else this.quantized.set(moduleOf(path), quantizeWeight(tensor.to(device), spec))
  }

  /** A matrix that is stored by itself, under our name for it: quantized, or fused with a quantized one elsewhere. */
  private readAlone({ path, shape }: Parameter): void {
    const spec = this.formats.get(moduleOf(path))
    if (spec === undefined) return void this.read([path], shape, (tensor) => this.take(path, tensor))
    const parts = new Map<string, Tensor>()
    for (const [part, layout] of Object.entries(partsOf(spec, shape)))
      this.read([`${path}.${part}`], layout.shape, (tensor) => parts.set(part, this.settle(tensor, tensor.dtype)))
    this.quantized.set(moduleOf(path), fromStored(spec, shape, parts, `weights in ${this.directory}: ${path}`))
  }

  /** The head of a tied model is the embedding, unless it is quantized: then it is a matrix of its own. */
  private readTiedHead(): void {
    const { formats, config } = this
    const path = `${HEAD}.weight`
    if (formats.has(HEAD)) this.readAlone({ path, shape: [config.vocabSize, config.hiddenSize] })
    const spec = this.options.quantize && plannedSpec(this.options.quantize, HEAD)
    if (spec) this.quantized.set(HEAD, quantizeWeight(this.parameters.get('model.embed_tokens.weight')!, spec))
  }

  private checkFormats(): void {
    const { quantize } = this.options
    const planned = quantize instanceof Map ? [...quantize.keys()] : []
    const missing = [...this.formats.keys(), ...planned].find((path) => !this.quantized.has(path))
    if (missing !== undefined)
      throw new InputError(
        `quantization of the model in ${this.directory}: expected matrices of this model, got ${missing}`,
      )
  }

  /** A tensor that no parameter needs: to be passed over, or an error. */
  private readUnwanted(name: string): void {
    const { config, directory } = this
    if (isReplacedHead(config, name)) return
    const original = tiedTo(config, name)
    if (original === undefined && isIgnoredBuffer(config.modelType, name)) return
    if (original === undefined) {
      throw new InputError(
        `weights in ${directory}: ${name}: expected only tensors of a ${config.modelType} model with ${config.layers.length} layers, got this one too`,
      )
    }
    this.read([name], this.weights.tensors.get(name)!.shape, (copy) => {
      const kept = this.parameters.get(original)!
      if (ops.equal(copy.to(kept.dtype).to(kept.device), kept)) return
      const what = original === 'model.embed_tokens.weight' ? 'the embedding' : original
      throw new InputError(
        `weights in ${directory}: ${name}: expected a copy of ${what} (tie_word_embeddings is true), got other values. Set tie_word_embeddings to false`,
      )
    })
  }

  /** Moves a view of a mapped file to its dtype and device, as memory of its own: training in place must not fault in pages one by one. */
  private settle(stored: Tensor, dtype: DType): Tensor {
    return scope(() => {
      const tensor = stored
        .to(dtype)
        .to(this.options.device ?? 'cpu')
        .contiguous()
      return tensor.storageId === stored.storageId ? tensor.clone() : tensor
    }).keep()
  }
}

/** `model.norm.weight` → `model.norm`. */
function moduleOf(path: string): string {
  return path.slice(0, path.lastIndexOf('.'))
}
