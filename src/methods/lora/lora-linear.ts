// A weight matrix with low-rank adapters around it: y = W·x + s·B·A·x, W frozen. Which modules get one, and how adapters are made,
// switched, merged and saved is in the files beside this one; here is the arithmetic.
// LoRA arXiv:2106.09685v2 (Eq. 3 → forward) · rsLoRA arXiv:2312.03732v1 (s = α/√r) · DoRA arXiv:2402.09353v6 (Eq. 5 → magnitude / norm).
// Shapes: N tokens, W [out, in], A [r, in], B [out, r], m [out].
import { UsageError } from '../../errors.ts'
import type { RowSpan } from '../../infer/model-adapters.ts'
import { Layer } from '../../nn/layer.ts'
import { Linear, type LinearLike } from '../../nn/linear.ts'
import { autocastDtype, type DType, type Generator, noGrad, ops, scope, type Tensor } from '../../torch/index.ts'

/** One adapter on one matrix. */
export interface Adapter {
  /** [r, in] */
  A: Tensor
  /** [out, r] */
  B: Tensor
  /** DoRA's magnitude vector, [out], or null for plain LoRA. */
  magnitude: Tensor | null
  alpha: number
  /** Scale by α/√r instead of α/r. */
  useRslora: boolean
  /** Rate at which the input of A is zeroed while training. */
  dropout: number
}

/** s, by which an adapter's product is multiplied. */
export function scaleOf({ alpha, useRslora }: Pick<Adapter, 'alpha' | 'useRslora'>, rank: number): number {
  return alpha / (useRslora ? Math.sqrt(rank) : rank)
}

/** Holds the random numbers of a run; null outside training. A `Decoder` is one. */
export interface DropoutSource {
  readonly generator: Generator | null
}

/** A parameter alone in its layer, so that its path ends in `.weight` as PEFT's does. */
class AdapterWeight extends Layer {
  weight: Tensor
  constructor(weight: Tensor) {
    super()
    this.weight = weight
  }
}

/** Weights by adapter: the names are fields, which makes paths such as `lora_A.default.weight`. */
class ByAdapter extends Layer {
  put(adapter: string, weight: Tensor): void {
    Object.assign(this, { [adapter]: new AdapterWeight(weight) })
  }

  drop(adapter: string): void {
    delete (this as unknown as Record<string, unknown>)[adapter]
  }
}

/** UsageError unless `name` can be part of a parameter's path. */
export function checkAdapterName(name: string): void {
  if (!/^[A-Za-z][\w-]*$/.test(name) || name in ByAdapter.prototype)
    throw new UsageError(`adapter name: expected a word such as "default", got ${JSON.stringify(name)}. Rename it`)
}

/** `base_layer` with any number of named adapters, of which those in `active` count. */
export class LoraLinear extends Layer implements LinearLike {
  readonly base_layer: LinearLike
  readonly lora_A: ByAdapter = new ByAdapter()
  readonly lora_B: ByAdapter = new ByAdapter()
  readonly lora_magnitude_vector: ByAdapter = new ByAdapter()
  /** Stands in for all of the above while set; see merge.ts. */
  merged: Linear | null = null
  /** Which adapter which rows go through, while that differs among them; null: `active` says it for all. */
  rowAdapters: readonly RowSpan[] | null = null
  readonly #adapters = new Map<string, Adapter>()
  readonly #source: DropoutSource // private: a field would make the model a child of its own part
  #active: readonly string[] = []

  constructor(base: LinearLike, source: DropoutSource) {
    super()
    this.base_layer = base
    this.#source = source
  }

  get inFeatures(): number {
    return this.base_layer.inFeatures
  }
  get outFeatures(): number {
    return this.base_layer.outFeatures
  }
  get bias(): Tensor | null {
    return this.base_layer.bias
  }
  get adapters(): ReadonlyMap<string, Adapter> {
    return this.#adapters
  }
  /** Of the base and the adapters that count. */
  override get weightCount(): number {
    const tensors = this.#active.flatMap((name) => {
      const { A, B, magnitude } = this.#adapters.get(name)!
      return magnitude === null ? [A, B] : [A, B, magnitude]
    })
    return tensors.reduce((sum, { numel }) => sum + numel, this.base_layer.weightCount)
  }
  /** Adapters that count now; none is the base alone. */
  get active(): readonly string[] {
    return this.#active
  }

  override get setting(): string {
    return this.#active.join()
  }

  /** Takes over an adapter; its tensors must live as long as this layer. It does not count until it is activated. */
  add(name: string, adapter: Adapter): void {
    this.#adapters.set(name, adapter)
    this.lora_A.put(name, adapter.A)
    this.lora_B.put(name, adapter.B)
    if (adapter.magnitude !== null) this.lora_magnitude_vector.put(name, adapter.magnitude)
  }

  /** Takes an adapter off and frees it; nothing where it is not here. */
  remove(name: string): void {
    const adapter = this.#adapters.get(name)
    if (adapter === undefined) return
    this.#adapters.delete(name)
    this.#active = this.#active.filter((other) => other !== name)
    for (const weights of [this.lora_A, this.lora_B, this.lora_magnitude_vector]) weights.drop(name)
    for (const tensor of [adapter.A, adapter.B, adapter.magnitude]) tensor?.free()
  }

  /** Makes those of `names` that are here count, in this order, and no others. */
  activate(names: readonly string[]): void {
    this.#active = names.filter((name) => this.#adapters.has(name))
  }

  forward(x: Tensor): Tensor {
    if (this.merged !== null) return this.merged.forward(x)
    if (this.rowAdapters !== null) return this.#byRows(this.rowAdapters, x)
    const [first, ...others] = this.#active
    if (first === undefined) return this.base_layer.forward(x)
    return scope(() => {
      if (others.length === 0) return this.#alone(this.#adapters.get(first)!, x)
      const base = this.base_layer.forward(x)
      return this.#active.reduce((y, name) => y.add(this.#change(this.#adapters.get(name)!, x, base)), base)
    })
  }

  /** All rows through the base together, then each range through its own adapter. Not for training. */
  #byRows(spans: readonly RowSpan[], x: Tensor): Tensor {
    const y = this.base_layer.forward(x)
    scope(() => {
      const [from, to] = [x.view(-1, this.inFeatures), y.view(-1, this.outFeatures)]
      for (const { adapter: name, begin, end } of spans) {
        const adapter = name === null ? undefined : this.#adapters.get(name)
        if (adapter === undefined) continue
        const [input, part] = [from.narrow(0, begin, end - begin), to.narrow(0, begin, end - begin)]
        const { A, B, magnitude } = adapter
        // The operator knows one precision: that of a base in fewer bits is not the adapter's.
        if (magnitude === null && A.dtype === part.dtype) ops.loraAdd_(part, input, A, B, scaleOf(adapter, A.size(0)))
        else part.add_(this.#change(adapter, input, part))
      }
    })
    return y
  }

  /** W with the active adapters, [out, in], as `dtype` (default: the base's); gradients reach A, B and m, dropout does not take part. */
  dense(dtype?: DType): Tensor {
    if (this.merged !== null) return this.merged.dense()
    const base = this.base_layer.dense()
    if (this.#active.length === 0) return dtype === undefined ? base : base.to(dtype)
    return scope(() => {
      const weight = base.to(dtype ?? base.dtype)
      const [first, ...others] = this.#active.map((name) => this.#effective(this.#adapters.get(name)!, weight))
      return others.reduce((sum, other) => sum.add(other.sub(weight)), first!)
    })
  }

  /** Base and one adapter. */
  #alone(adapter: Adapter, x: Tensor): Tensor {
    const base = this.base_layer
    const y = this.#sum(adapter, x, adapter.magnitude === null)
    if (adapter.magnitude === null) return y
    const bias = base.bias
    const scaled = y.mul(this.#stretch(adapter, y.dtype))
    return bias === null ? scaled : scaled.add(bias.to(y.dtype))
  }

  /** x·Wᵀ + s·x·Aᵀ·Bᵀ, and the bias where `withBias`. */
  #sum(adapter: Adapter, x: Tensor, withBias: boolean): Tensor {
    const base = this.base_layer
    const dtype = autocastDtype() ?? adapter.A.dtype
    const bias = base.bias
    if (base instanceof Linear && !base.weight.requiresGrad && !bias?.requiresGrad) {
      if (autocastDtype() !== null || (base.weight.dtype === dtype && x.dtype === dtype)) {
        const { mask, scale } = this.#dropout(adapter, x)
        const [A, B, W] = [adapter.A.to(dtype), adapter.B.to(dtype), base.weight.to(dtype)]
        return ops.loraLinear(x.to(dtype), W, withBias ? bias?.to(dtype) : null, A, B, scale, mask)
      }
    }
    const y = base.forward(x)
    const sum = y.add(this.#product(adapter, x).to(y.dtype))
    return withBias || bias === null ? sum : sum.sub(bias.to(y.dtype))
  }

  /** s·x·Aᵀ·Bᵀ, in the adapter's own precision unless autocast says otherwise. */
  #product(adapter: Adapter, x: Tensor): Tensor {
    const dtype = autocastDtype() ?? adapter.A.dtype
    const { mask, scale } = this.#dropout(adapter, x)
    const input = (mask === null ? x : x.mul(mask)).to(dtype)
    // The scale goes to the smallest matrix, not to the [N, out] product.
    return ops.linear(ops.linear(input, adapter.A.to(dtype)), adapter.B.mul(scale).to(dtype))
  }

  /** What one adapter of several adds to the base's output `base`, as PEFT sums them. */
  #change(adapter: Adapter, x: Tensor, base: Tensor): Tensor {
    const product = this.#product(adapter, x).to(base.dtype)
    if (adapter.magnitude === null) return product
    const bias = this.base_layer.bias
    const stretch = this.#stretch(adapter, base.dtype)
    const plain = bias === null ? base : base.sub(bias.to(base.dtype))
    return plain.mul(stretch.sub(1)).add(product.mul(stretch))
  }

  /** m / ‖W + s·B·A‖ per row, [out]. DoRA §4.3: the norm is a constant to the gradient. */
  #stretch(adapter: Adapter, dtype: DType): Tensor {
    const norm = noGrad(() => rowNorms(lowRankSum(adapter, this.base_layer.dense().to(adapter.A.dtype))))
    return adapter.magnitude!.div(norm).to(dtype)
  }

  #effective(adapter: Adapter, weight: Tensor): Tensor {
    const sum = lowRankSum(adapter, weight)
    return adapter.magnitude === null ? sum : sum.mul(this.#stretch(adapter, weight.dtype).unsqueeze(1))
  }

  /** Which entries of x the adapter sees (null: all), and s with the factor that makes up for the others. */
  #dropout(adapter: Adapter, x: Tensor): { mask: Tensor | null; scale: number } {
    const scale = scaleOf(adapter, adapter.A.size(0))
    const { generator } = this.#source
    if (adapter.dropout === 0 || generator === null) return { mask: null, scale }
    const keep = 1 - adapter.dropout
    // One byte per entry is kept for the backward pass, not a second x.
    return { mask: ops.bernoulli_(ops.empty(x.shape, 'bool', null, x.device), keep, generator), scale: scale / keep }
  }
}

/** W + s·B·A in the dtype of W. */
function lowRankSum(adapter: Adapter, weight: Tensor): Tensor {
  const { A, B } = adapter
  return ops.addmm(weight, B.to(weight.dtype), A.to(weight.dtype), 1, scaleOf(adapter, A.size(0)))
}

/** √Σ of the squares of each row, [out]. */
export function rowNorms(weight: Tensor): Tensor {
  return ops.vectorNorm(weight, 2, [1])
}
