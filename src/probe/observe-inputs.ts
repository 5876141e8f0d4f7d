// What enters the matrices of a model: each is replaced by one that looks and passes on, and the model does not know. For statistics of
// inputs, such as means and second moments.
import type { Decoder } from '../model/decoder.ts'
import { Layer } from '../nn/layer.ts'
import { isLinearLike, type LinearLike } from '../nn/linear.ts'
import { scope, type Tensor } from '../torch/index.ts'

/** Runs `body`, during which `look` sees every input [..., inFeatures] of the matrix at its path. The matrices are back when it ends. */
export async function observeInputs(
  model: Decoder,
  looks: ReadonlyMap<string, (input: Tensor) => void>,
  body: () => Promise<void>,
): Promise<void> {
  const observed: [path: string, inner: LinearLike][] = []
  try {
    for (const [path, look] of looks) {
      const inner = model.get(path)
      if (!isLinearLike(inner)) throw new Error(`no matrix at '${path}' to observe`)
      model.replace(path, new ObservedLinear(inner, look))
      observed.push([path, inner])
    }
    await body()
  } finally {
    for (const [path, inner] of observed) model.replace(path, inner)
  }
}

class ObservedLinear extends Layer implements LinearLike {
  readonly inner: LinearLike
  readonly #look: (input: Tensor) => void

  constructor(inner: LinearLike, look: (input: Tensor) => void) {
    super()
    this.inner = inner
    this.#look = look
  }

  get inFeatures(): number {
    return this.inner.inFeatures
  }
  get outFeatures(): number {
    return this.inner.outFeatures
  }
  get bias(): Tensor | null {
    return this.inner.bias
  }

  forward(x: Tensor): Tensor {
    scope(() => this.#look(x))
    return this.inner.forward(x)
  }

  dense(): Tensor {
    return this.inner.dense()
  }
}
