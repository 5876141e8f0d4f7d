// A tensor: an integer handle into the add-on, with the operations that formulas are written in. Everything LibTorch does is in
// ops.gen.ts; the methods here are the ones that read better with the tensor in front.
import { arrayFor, type DType, dtypeBytes, dtypeCode, dtypeOf, dtypeOfArray, type TypedArray } from './dtype.ts'
import { native } from './native.ts'
import * as ops from './ops.gen.ts'
import { track, untrack } from './scope.ts'

/** An array of numbers in LibTorch's memory, with a shape, a dtype and a device. It lives until the `scope()` around it ends. */
export class Tensor {
  /** Index in the add-on's table; 0 after the tensor was freed. */
  handle: number
  /** Set by `keep()`: scopes do not free this tensor. */
  keepAlive = false

  constructor(handle: number) {
    this.handle = handle
    track(this)
  }

  /**
   * A CPU tensor with a copy of `data` (row-major). Numbers become f32 unless `dtype` says otherwise; a typed array is what it is,
   * and `dtype` says so only of a Uint16Array (f16, bf16) or of raw bytes (Uint8Array, any dtype).
   */
  static from(data: TypedArray | readonly number[], shape: readonly number[] = [data.length], dtype?: DType): Tensor {
    const array = ArrayBuffer.isView(data) ? data : fill(arrayFor(dtype ?? 'f32', data.length), data, dtype ?? 'f32')
    const code = dtype ?? dtypeOfArray(array)
    if (!fits(array, code))
      throw new RangeError(`${array.constructor.name}: expected dtype ${dtypeOfArray(array)}, got ${dtype}`)
    return new Tensor(native.fromData(array, dtypeCode[code], shape))
  }

  get shape(): number[] {
    return native.sizes(this.handle)
  }
  get dim(): number {
    return this.shape.length
  }
  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1)
  }
  get dtype(): DType {
    return dtypeOf(native.dtype(this.handle))
  }
  /** Bytes of the elements that the shape names (storage may be shared or larger). */
  get nbytes(): number {
    return this.numel * dtypeBytes[this.dtype]
  }
  /** `cpu` or `cuda:0`. */
  get device(): string {
    return native.device(this.handle)
  }
  /** Equal for tensors that share memory, such as tied weights. */
  get storageId(): number {
    return native.storageId(this.handle)
  }
  /** How often the memory was written in place, as by an optimizer's step. */
  get version(): number {
    return native.version(this.handle)
  }
  /** The size of dimension `dim`; negative counts from the end. */
  size(dim: number): number {
    return this.shape.at(dim)!
  }

  get requiresGrad(): boolean {
    return native.requiresGrad(this.handle)
  }
  set requiresGrad(on: boolean) {
    native.setRequiresGrad(this.handle, on)
  }
  get isLeaf(): boolean {
    return native.isLeaf(this.handle)
  }
  /** The accumulated gradient, or null. Each read gives a new tensor object for the same memory. */
  get grad(): Tensor | null {
    const handle = native.grad(this.handle)
    return handle === 0 ? null : new Tensor(handle)
  }
  set grad(gradient: Tensor | null) {
    native.setGrad(this.handle, gradient?.handle ?? 0)
  }

  /** The values in row-major order; half precisions as their raw 16 bits. */
  data(): TypedArray {
    const array = arrayFor(this.dtype, this.numel)
    native.toData(this.handle, array)
    return array
  }
  /** The values as numbers, whatever the dtype. */
  toArray(): number[] {
    const { dtype } = this
    // f32 holds integers up to 2²⁴ only.
    const tensor = this.to(dtype === 'i64' || dtype === 'i32' || dtype === 'f64' ? 'f64' : 'f32')
    const values = Array.from(tensor.data() as Float64Array)
    if (tensor !== this) tensor.free()
    return values
  }
  /** The one element of a tensor of one element. On a GPU this waits for it. */
  item(): number {
    return native.item(this.handle)
  }

  /** Exempts the tensor from every scope: it lives until `free()` or until JavaScript forgets it. */
  keep(): this {
    this.keepAlive = true
    return this
  }
  /** A second tensor object for the same memory and graph position, with its own life. */
  alias(): Tensor {
    return new Tensor(native.alias(this.handle))
  }
  /** Frees the tensor now. Using it afterwards is an error; freeing twice is not. */
  free(): void {
    if (this.handle === 0) return
    untrack(this)
    native.freeOne(this.handle)
    this.handle = 0
  }
  [Symbol.dispose](): void {
    this.free()
  }

  // Arithmetic: `other` is a tensor (broadcast) or a number.
  add(other: Tensor | number): Tensor {
    return typeof other === 'number' ? ops.addScalar(this, other) : ops.add(this, other)
  }
  sub(other: Tensor | number): Tensor {
    return typeof other === 'number' ? ops.subScalar(this, other) : ops.sub(this, other)
  }
  mul(other: Tensor | number): Tensor {
    return typeof other === 'number' ? ops.mulScalar(this, other) : ops.mul(this, other)
  }
  div(other: Tensor | number): Tensor {
    return typeof other === 'number' ? ops.divScalar(this, other) : ops.div(this, other)
  }
  pow(exponent: number): Tensor {
    return ops.pow(this, exponent)
  }
  neg(): Tensor {
    return ops.neg(this)
  }
  abs(): Tensor {
    return ops.abs(this)
  }
  exp(): Tensor {
    return ops.exp(this)
  }
  log(): Tensor {
    return ops.log(this)
  }
  sqrt(): Tensor {
    return ops.sqrt(this)
  }
  tanh(): Tensor {
    return ops.tanh(this)
  }
  sigmoid(): Tensor {
    return ops.sigmoid(this)
  }
  add_(other: Tensor, alpha?: number): Tensor {
    return ops.add_(this, other, alpha)
  }
  mul_(other: Tensor | number): Tensor {
    return typeof other === 'number' ? ops.mulScalar_(this, other) : ops.mul_(this, other)
  }
  copy_(source: Tensor): Tensor {
    return ops.copy_(this, source)
  }
  zero_(): Tensor {
    return ops.zero_(this)
  }
  matmul(other: Tensor): Tensor {
    return ops.matmul(this, other)
  }

  // Reductions: over everything without `dim`.
  sum(dim?: number | readonly number[], keepdim = false): Tensor {
    return dim === undefined ? ops.sumAll(this) : ops.sum(this, typeof dim === 'number' ? [dim] : dim, keepdim)
  }
  mean(dim?: number | readonly number[], keepdim = false): Tensor {
    return dim === undefined ? ops.meanAll(this) : ops.mean(this, typeof dim === 'number' ? [dim] : dim, keepdim)
  }
  max(): Tensor {
    return ops.maxAll(this)
  }
  argmax(dim?: number): Tensor {
    return ops.argmax(this, dim)
  }
  softmax(dim = -1): Tensor {
    return ops.softmax(this, dim)
  }
  logSoftmax(dim = -1): Tensor {
    return ops.logSoftmax(this, dim)
  }
  norm(): Tensor {
    return ops.vectorNorm(this)
  }

  // Shapes.
  view(...shape: number[]): Tensor {
    return ops.view(this, shape)
  }
  reshape(...shape: number[]): Tensor {
    return ops.reshape(this, shape)
  }
  expand(...shape: number[]): Tensor {
    return ops.expand(this, shape)
  }
  transpose(a: number, b: number): Tensor {
    return ops.transpose(this, a, b)
  }
  permute(...dims: number[]): Tensor {
    return ops.permute(this, dims)
  }
  t(): Tensor {
    return ops.t(this)
  }
  unsqueeze(dim: number): Tensor {
    return ops.unsqueeze(this, dim)
  }
  squeeze(dim: number): Tensor {
    return ops.squeeze(this, dim)
  }
  narrow(dim: number, start: number, length: number): Tensor {
    return ops.narrow(this, dim, start, length)
  }
  select(dim: number, index: number): Tensor {
    return ops.select(this, dim, index)
  }
  chunk(count: number, dim = 0): Tensor[] {
    return ops.chunk(this, count, dim)
  }
  contiguous(): Tensor {
    return ops.contiguous(this)
  }
  clone(): Tensor {
    return ops.clone(this)
  }
  /** The same memory outside the graph. */
  detach(): Tensor {
    return ops.detach(this)
  }
  indexSelect(dim: number, index: Tensor): Tensor {
    return ops.indexSelect(this, dim, index)
  }
  /** This tensor as `dtype`, or on a device (`cpu`, `cuda`); the tensor itself where nothing changes. */
  to(target: DType | (string & {})): Tensor {
    if (target in dtypeCode) return this.dtype === target ? this : ops.toDtype(this, target as DType)
    return this.device === target || (target === 'cuda' && this.device.startsWith('cuda'))
      ? this
      : ops.toDevice(this, target, this.dtype)
  }
}

function fits(array: TypedArray, dtype: DType): boolean {
  if (array instanceof Uint8Array) return true
  if (array instanceof Uint16Array) return dtype === 'f16' || dtype === 'bf16'
  return dtypeOfArray(array) === dtype
}

function fill(array: TypedArray, values: readonly number[], dtype: DType): TypedArray {
  if (dtype === 'f16' || dtype === 'bf16')
    throw new RangeError(`numbers to ${dtype}: make an f32 tensor and call .to('${dtype}')`)
  for (let i = 0; i < values.length; i++) array[i] = dtype === 'i64' ? (BigInt(values[i]!) as never) : values[i]!
  return array
}

/** A tensor for a handle that the add-on returned. */
export function wrap(handle: number): Tensor {
  return new Tensor(handle)
}

/** Tensors for an array of handles. */
export function wrapAll(result: unknown): Tensor[] {
  return (result as number[]).map(wrap)
}

/** Handles for the add-on; null stays null. */
export function handles(tensors: readonly (Tensor | null)[]): (number | null)[] {
  return tensors.map((tensor) => (tensor === null ? null : tensor.handle))
}
