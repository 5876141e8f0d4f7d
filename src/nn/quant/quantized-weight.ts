// A weight matrix in a quantized format: the stored tensors, and what can be done with them. How they are made is quantize-weight.ts,
// what they are is format.ts. A `Layer`, so that its parts have names in the checkpoint: `….q_proj.weight.codes`.
import { InputError } from '../../errors.ts'
import { type DType, ops, type Tensor } from '../../torch/index.ts'
import type { FrozenWeight } from '../frozen-linear.ts'
import { Layer } from '../layer.ts'
import { codebook } from './codebook.ts'
import { codeBits, isNormalFloat, type PartLayout, partsOf, type QuantFormat, type QuantSpec } from './format.ts'

/** A weight matrix [out, in] as codes and scales; `dense()` gives it back in floats. */
export class QuantizedWeight extends Layer implements FrozenWeight {
  readonly spec: QuantSpec
  /** [out, in] */
  readonly shape: readonly number[]
  readonly codes: Tensor
  readonly scales: Tensor
  readonly scale_scales: Tensor | null
  readonly scale_offset: Tensor | null
  readonly mins: Tensor | null
  /** Six numbers, made once: they are asked for at every product. */
  readonly #layout: readonly number[]

  /** Takes over tensors that fit `partsOf(spec, shape)` and are kept. */
  constructor(spec: QuantSpec, shape: readonly number[], parts: Readonly<Record<string, Tensor>>) {
    super()
    this.spec = spec
    this.shape = shape
    this.codes = parts.codes!
    this.scales = parts.scales!
    this.scale_scales = parts.scale_scales ?? null
    this.scale_offset = parts.scale_offset ?? null
    this.mins = parts.mins ?? null
    const [rows = 0, columns = 0] = shape
    this.#layout = [0, this.parts.length, rows, columns, codeBits(spec.format), spec.blockSize || columns]
  }

  get format(): QuantFormat {
    return this.spec.format
  }
  get device(): string {
    return this.codes.device
  }

  /** A matrix in 4 bits has as many weights as any other. */
  override get weightCount(): number {
    return this.shape.reduce((a, b) => a * b, 1)
  }

  /** What is stored, by name. */
  get tensors(): ReadonlyMap<string, Tensor> {
    return new Map(this.parameters())
  }

  /** Bytes of what is stored. */
  get bytes(): number {
    return [...this.tensors.values()].reduce((sum, tensor) => sum + tensor.nbytes, 0)
  }

  /** The matrix [out, in] that is computed with, as a tensor of its own. */
  dequantize(dtype: DType = 'f32'): Tensor {
    return ops.frozenDense(this.parts, this.layout, dtype)
  }

  get parts(): readonly (Tensor | null)[] {
    const { format, codes, scales, mins } = this
    if (!isNormalFloat(format)) return mins === null ? [codes, scales] : [codes, scales, mins]
    const levels = codebook(format, this.device)
    if (this.scale_scales === null) return [codes, scales, null, levels]
    return [codes, scales, null, levels, this.scale_scales, this.scale_offset, codebook('scales', this.device)]
  }

  get layout(): readonly number[] {
    return this.#layout
  }
}

/**
 * A matrix [out, in] from tensors that were stored, which it keeps as they are; `name` is for messages. InputError unless they are
 * exactly what `spec` says.
 */
export function fromStored(
  spec: QuantSpec,
  shape: readonly number[],
  tensors: ReadonlyMap<string, Tensor>,
  name = 'quantized weight',
): QuantizedWeight {
  const layout = partsOf(spec, shape)
  for (const part of tensors.keys())
    if (!Object.hasOwn(layout, part))
      throw new InputError(`${name}: expected ${Object.keys(layout).join(', ')} for ${spec.format}, got ${part} too`)
  const parts = Object.entries(layout).map(([part, expected]) => {
    const tensor = tensors.get(part)
    checkPart(`${name}.${part}`, expected, tensor)
    return [part, tensor.keep()] as const
  })
  return new QuantizedWeight(spec, shape, Object.fromEntries(parts))
}

function checkPart(name: string, expected: PartLayout, tensor: Tensor | undefined): asserts tensor is Tensor {
  const describe = ({ dtype, shape }: PartLayout): string => `${dtype} [${shape}]`
  const got = tensor === undefined ? 'nothing' : describe(tensor)
  if (got !== describe(expected))
    throw new InputError(
      `${name}: expected ${describe(expected)}, got ${got}. The file is damaged or its config.json is`,
    )
}
