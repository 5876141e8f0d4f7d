import { describe, expect, it } from 'vitest'
import { Layer } from '../../nn/layer.ts'
import { Linear, type LinearLike } from '../../nn/linear.ts'
import { autocast, backward, Generator, gradients, memoryStats, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { type Adapter, LoraLinear, scaleOf } from './lora-linear.ts'

const quiet = { generator: null }
const f64 = (values: number[], shape: number[]): Tensor => Tensor.from(new Float64Array(values), shape)
const random = (shape: number[], seed: number, dtype: 'f32' | 'f64' = 'f64'): Tensor =>
  ops.normal_(ops.empty(shape, dtype), 0, 1, new Generator(seed))

function adapterOf(A: Tensor, B: Tensor, settings: Partial<Adapter> = {}): Adapter {
  return { A, B, magnitude: null, alpha: A.size(0), useRslora: false, dropout: 0, ...settings }
}

function wrap(
  base: LinearLike,
  adapters: Record<string, Adapter>,
  source: { generator: Generator | null } = quiet,
): LoraLinear {
  const layer = new LoraLinear(base, source)
  for (const [name, adapter] of Object.entries(adapters)) layer.add(name, adapter)
  layer.activate(Object.keys(adapters))
  return layer
}

/** A base of another kind, as a quantized one is. */
class Opaque extends Layer implements LinearLike {
  readonly bias: Tensor | null
  readonly #inner: Linear
  constructor(inner: Linear) {
    super()
    this.#inner = inner
    this.bias = inner.bias
  }
  get inFeatures(): number {
    return this.#inner.inFeatures
  }
  get outFeatures(): number {
    return this.#inner.outFeatures
  }
  forward(x: Tensor): Tensor {
    return this.#inner.forward(x)
  }
  dense(): Tensor {
    return this.#inner.dense()
  }
}

/** d(Σ f·g)/d(entry) by central differences, for every entry of `tensor`. */
function differences(tensor: Tensor, value: () => number): number[] {
  const step = 1e-5
  const flat = tensor.detach().view(-1)
  return Array.from({ length: flat.numel }, (_, i) =>
    scope(() => {
      const entry = flat.narrow(0, i, 1)
      const original = entry.item()
      const at = (x: number): number => {
        entry.copy_(f64([x], [1]))
        return noGrad(() => scope(value))
      }
      const slope = (at(original + step) - at(original - step)) / (2 * step)
      entry.copy_(f64([original], [1]))
      return slope
    }),
  )
}

describe('LoraLinear', () => {
  // W·x = [5, 11], A·x = −1, B·(A·x) = [−1, −2]
  const W = (): Tensor => Tensor.from([1, 2, 3, 4], [2, 2])
  const x = (): Tensor => Tensor.from([1, 2], [1, 2])
  const A = (): Tensor => Tensor.from([1, -1], [1, 2])
  const B = (): Tensor => Tensor.from([1, 2], [2, 1])

  it.each([
    { alpha: 1, useRslora: false, expected: [5 - 1, 11 - 2] },
    { alpha: 4, useRslora: false, expected: [5 - 4, 11 - 8] },
    { alpha: 0.5, useRslora: true, expected: [5 - 0.5, 11 - 1] },
  ])('is W·x + s·B·A·x at rank 1, alpha $alpha', ({ expected, ...settings }) => {
    const layer = wrap(new Linear(W()), { a: adapterOf(A(), B(), settings) })
    expect(layer.forward(x())).toBeAllclose(expected)
    expect(layer.dense().matmul(x().t())).toBeAllclose(expected)
  })

  it('divides alpha by the rank, or by its root with rsLoRA', () => {
    expect(scaleOf({ alpha: 16, useRslora: false }, 4)).toBe(4)
    expect(scaleOf({ alpha: 16, useRslora: true }, 4)).toBe(8)
    // Rank 4: A = four times the row above, B = the column four times, so B·A·x = 4·[−1, −2]; s = 2/4 or 2/√4.
    const four = (tensor: Tensor, dim: number): Tensor => ops.cat([tensor, tensor, tensor, tensor], dim)
    for (const [useRslora, expected] of [
      [false, [5 - 2, 11 - 4]],
      [true, [5 - 4, 11 - 8]],
    ] as const) {
      const adapter = adapterOf(four(A(), 0), four(B(), 1), { alpha: 2, useRslora })
      expect(wrap(new Linear(W()), { a: adapter }).forward(x())).toBeAllclose([...expected])
    }
  })

  it('gives each row of DoRA its own length', () => {
    // W + B·A = [[3, 4], [0, 2]] with row norms 5 and 2; m = [10, 3] makes the rows [6, 8] and [0, 3].
    const base = new Linear(Tensor.from([2, 5, -2, 4], [2, 2]), Tensor.from([0.5, -0.5]))
    const adapter = adapterOf(A(), B(), { magnitude: Tensor.from([10, 3]) })
    for (const layer of [wrap(base, { a: adapter }), wrap(new Opaque(base), { a: adapter })]) {
      expect(layer.dense()).toBeAllclose([6, 8, 0, 3])
      expect(layer.forward(x())).toBeAllclose([6 + 16 + 0.5, 6 - 0.5])
    }
  })

  it('is its base bit for bit while B is zero or no adapter is active', () => {
    const base = new Linear(random([24, 16], 1, 'f32'), random([24], 2, 'f32'))
    const input = random([3, 5, 16], 3, 'f32')
    const expected = base.forward(input).toArray()
    const layer = wrap(base, { a: adapterOf(random([4, 16], 4, 'f32'), ops.zeros([24, 4], 'f32')) })
    expect(layer.forward(input).toArray()).toEqual(expected)
    layer.adapters.get('a')!.B.copy_(random([24, 4], 5, 'f32'))
    expect(layer.forward(input).toArray()).not.toEqual(expected)
    layer.activate([])
    expect(layer.forward(input).toArray()).toEqual(expected)
    expect(layer.dense().toArray()).toEqual(base.weight.toArray())
  })

  it.each([
    ['a matrix', (base: Linear): LinearLike => base],
    ['another kind of base', (base: Linear): LinearLike => new Opaque(base)],
  ])('has the gradients of finite differences around %s', (_, baseOf) => {
    const base = new Linear(random([5, 4], 1), random([5], 2))
    const [input, a, b] = [random([2, 3, 4], 3), random([2, 4], 4), random([5, 2], 5)]
    for (const tensor of [input, a, b]) tensor.requiresGrad = true
    const layer = wrap(baseOf(base), { a: adapterOf(a, b, { alpha: 3 }) })
    const upstream = random([2, 3, 5], 6)
    const value = (): Tensor => layer.forward(input).mul(upstream).sum()
    const found = gradients([value()], [input, a, b])
    for (const [i, tensor] of [input, a, b].entries())
      expect(found[i]!).toBeAllclose(
        differences(tensor, () => value().item()),
        { absolute: 1e-8 },
      )
  })

  it('has the gradients of finite differences with DoRA, its norm held fixed', () => {
    const base = new Linear(random([5, 4], 1), random([5], 2))
    const [input, a, b, m] = [random([6, 4], 3), random([2, 4], 4), random([5, 2], 5), random([5], 7).abs()]
    for (const tensor of [input, a, b, m]) tensor.requiresGrad = true
    const upstream = random([6, 5], 6)
    // The paper's formula with the norm of now as a number.
    const sum = (): Tensor => base.weight.add(b.matmul(a).mul(3 / 2))
    const norm = noGrad(() => sum().pow(2).sum(1).sqrt())
    const fixed = (): number => {
      const y = input.matmul(sum().mul(m.div(norm).unsqueeze(1)).t()).add(base.bias!)
      return y.mul(upstream).sum().item()
    }
    for (const kind of [base, new Opaque(base)]) {
      const layer = wrap(kind, { a: adapterOf(a, b, { alpha: 3, magnitude: m }) })
      const value = layer.forward(input).mul(upstream).sum()
      expect(value.item()).toBeCloseTo(noGrad(fixed), 10)
      const found = gradients([value], [input, a, b, m])
      for (const [i, tensor] of [input, a, b, m].entries())
        expect(found[i]!).toBeAllclose(differences(tensor, fixed), { absolute: 1e-8 })
    }
  })

  it('sends gradients through dense() to the adapter', () => {
    const base = new Linear(random([5, 4], 1))
    const [a, b] = [random([2, 4], 4), random([5, 2], 5)]
    for (const tensor of [a, b]) tensor.requiresGrad = true
    const layer = wrap(base, { a: adapterOf(a, b, { alpha: 3 }) })
    const upstream = random([5, 4], 6)
    const value = (): Tensor => layer.dense().mul(upstream).sum()
    const found = gradients([value()], [a, b])
    for (const [i, tensor] of [a, b].entries())
      expect(found[i]!).toBeAllclose(
        differences(tensor, () => value().item()),
        { absolute: 1e-8 },
      )
  })

  it('adds the changes of all active adapters, DoRA among them', () => {
    const base = new Linear(random([5, 4], 1), random([5], 2))
    const input = random([3, 4], 3)
    const plain = adapterOf(random([2, 4], 4), random([5, 2], 5))
    const dora = adapterOf(random([1, 4], 6), random([5, 1], 7), { magnitude: random([5], 8).abs() })
    const layer = wrap(base, { plain, dora })
    const both = layer.forward(input)
    expect(both).toBeAllclose(input.matmul(layer.dense().t()).add(base.bias!))
    const alone = (name: string): Tensor => {
      layer.activate([name])
      return layer.forward(input)
    }
    expect(both).toBeAllclose(alone('plain').add(alone('dora')).sub(base.forward(input)))
  })

  it('drops inputs of the adapter only, by the given generator, and makes up for them', () => {
    const source = { generator: new Generator(9) as Generator | null }
    const base = new Linear(random([6, 8], 1), null)
    const [input, a, b] = [random([50, 8], 3), random([2, 8], 4), random([6, 2], 5)]
    for (const tensor of [input, a, b]) tensor.requiresGrad = true
    const upstream = random([50, 6], 6)
    const mask = ops.bernoulli_(ops.empty([50, 8], 'bool'), 0.75, new Generator(9))
    const wanted = input.matmul(base.weight.t()).add(input.mul(mask).div(0.75).matmul(a.t()).matmul(b.t()))
    const wantedGradients = gradients([wanted.mul(upstream).sum()], [input, a, b])
    for (const kind of [base, new Opaque(base)]) {
      source.generator = new Generator(9)
      const y = wrap(kind, { a: adapterOf(a, b, { dropout: 0.25 }) }, source).forward(input)
      expect(y).toBeAllclose(wanted)
      for (const [i, gradient] of gradients([y.mul(upstream).sum()], [input, a, b]).entries())
        expect(gradient!).toBeAllclose(wantedGradients[i]!)
    }
    source.generator = null
    const still = wrap(base, { a: adapterOf(a, b, { dropout: 0.25 }) }, source).forward(input)
    expect(still).toBeAllclose(input.matmul(base.weight.t()).add(input.matmul(a.t()).matmul(b.t())))
  })

  // Few rows, ranks that are no multiple of four, and ranks above 32 take other kernels.
  it.each([
    { rows: 1, rank: 1 },
    { rows: 3, rank: 6 },
    { rows: 70, rank: 4 },
    { rows: 70, rank: 7 },
    { rows: 70, rank: 40 },
    { rows: 600, rank: 8 },
  ])('computes in f32 what it computes in f64, with $rows rows and rank $rank', ({ rows, rank }) => {
    for (const dropout of [0, 0.4]) {
      const results = (['f32', 'f64'] as const).map((dtype) => {
        const make = (shape: number[], seed: number): Tensor => random(shape, seed).to(dtype).clone()
        const [input, a, b] = [make([rows, 48], 1), make([rank, 48], 2), make([80, rank], 3)]
        const base = new Linear(make([80, 48], 4), make([80], 5))
        const layer = wrap(base, { a: adapterOf(a, b, { dropout }) }, { generator: new Generator(2) })
        const plain = noGrad(() => layer.forward(input))
        const again = wrap(base, { a: adapterOf(a, b, { dropout }) }, { generator: new Generator(2) })
        for (const tensor of [input, a, b]) tensor.requiresGrad = true
        const y = again.forward(input)
        return [plain, y, ...gradients([y.mul(make([rows, 80], 6)).sum()], [input, a, b])]
      })
      for (const [i, exact] of results[1]!.entries())
        expect(results[0]![i]!).toBeAllclose(exact!, { absolute: 1e-3, relative: 1e-3 })
    }
  })

  it('keeps its weights in f32 around a bf16 base, and computes in bf16 under autocast', () => {
    const base = new Linear(random([6, 8], 1, 'f32').to('bf16'))
    const adapter = adapterOf(random([2, 8], 4, 'f32'), random([6, 2], 5, 'f32'))
    for (const tensor of [adapter.A, adapter.B]) tensor.requiresGrad = true
    const layer = wrap(base, { a: adapter })
    const input = random([3, 8], 3, 'f32')
    const exact = input.matmul(base.weight.to('f32').add(adapter.B.matmul(adapter.A)).t())
    const plain = layer.forward(input.to('bf16'))
    const cast = autocast('bf16', () => layer.forward(input))
    for (const y of [plain, cast]) {
      expect(y.dtype).toBe('bf16')
      expect(y).toBeAllclose(exact, { absolute: 0.15, relative: 0.02 })
      adapter.A.grad = null
      backward(y.to('f32').sum())
      expect(adapter.A.grad!.dtype).toBe('f32')
    }
    expect(layer.dense().dtype).toBe('bf16')
    expect(layer.dense('f32')).toBeAllclose(base.weight.to('f32').add(adapter.B.matmul(adapter.A)))
  })

  it('trains a base that is not frozen, too', () => {
    const base = new Linear(random([5, 4], 1))
    base.weight.requiresGrad = true
    const layer = wrap(base, { a: adapterOf(random([2, 4], 4), random([5, 2], 5)) })
    const input = random([3, 4], 3)
    const [gradient] = gradients([layer.forward(input).sum()], [base.weight])
    expect(gradient!).toBeAllclose(ops.ones([5, 3], 'f64').matmul(input))
  })

  it('keeps nothing for the backward pass but the product with A, and one byte per entry for dropout', () => {
    const [tokens, width, rank] = [512, 256, 8]
    const base = new Linear(random([width, width], 1, 'f32'))
    const input = random([tokens, width], 3, 'f32')
    const adapter = adapterOf(random([rank, width], 4, 'f32'), random([width, rank], 5, 'f32'))
    for (const tensor of [input, adapter.A, adapter.B]) tensor.requiresGrad = true
    const kept = (dropout: number): number => {
      const layer = wrap(base, { a: { ...adapter, dropout } }, { generator: new Generator(1) })
      const before = memoryStats().liveBytes
      const y = layer.forward(input)
      const bytes = memoryStats().liveBytes - before - y.nbytes
      y.free()
      return bytes
    }
    expect(kept(0)).toBe(tokens * rank * 4)
    expect(kept(0.1)).toBe(tokens * rank * 4 + tokens * width)
  })

  it('names its parameters as PEFT does', () => {
    const adapter = adapterOf(A(), B(), { magnitude: Tensor.from([1, 1]) })
    const paths = [...wrap(new Linear(W()), { default: adapter }).parameters()].map(([path]) => path)
    expect(paths).toEqual([
      'base_layer.weight',
      'lora_A.default.weight',
      'lora_B.default.weight',
      'lora_magnitude_vector.default.weight',
    ])
  })
})
