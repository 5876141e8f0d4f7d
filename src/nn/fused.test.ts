import { afterEach, describe, expect, it } from 'vitest'
import { random, relativeError } from '../../test/fused-formulas.ts'
import { autocast, gradients, inference, ops, scope, setThreads, Tensor } from '../torch/index.ts'
import type { FrozenLinear } from './frozen-linear.ts'
import { addTo, type GatedMlp, gatedMlp, project, withoutFusing } from './fused.ts'
import { GgmlLinear } from './ggml-linear.ts'
import { GgmlWeight } from './ggml-weight.ts'
import { Layer } from './layer.ts'
import { Linear, type LinearLike } from './linear.ts'
import { LayerNorm, type Norm, RmsNorm } from './norm.ts'
import type { QuantOptions } from './quant/format.ts'
import { quantizeWeight } from './quant/quantize-weight.ts'
import { QuantLinear } from './quant-linear.ts'

afterEach(() => setThreads(1))

const linear = (out: number, width: number, seed: number, hasBias = false): Linear =>
  new Linear(random([out, width], seed, 0.1).to('f32'), hasBias ? random([out], seed + 50).to('f32') : null)
const WIDTH = 100
const NORMS: [string, Norm | null][] = [
  ['no norm', null],
  ['RMS norm', new RmsNorm(random([WIDTH], 7).to('f32'), 1e-5)],
  ['RMS norm with an offset', new RmsNorm(random([WIDTH], 7, 0.1).to('f32'), 1e-6, 1)],
  ['layer norm', new LayerNorm(random([WIDTH], 7).to('f32'), random([WIDTH], 8).to('f32'), 1e-5)],
]

/** A linear layer that nobody can look into. */
class Other extends Layer implements LinearLike {
  readonly bias: null = null
  readonly inner: Linear
  constructor(inner: Linear) {
    super()
    this.inner = inner
  }
  get inFeatures(): number {
    return this.inner.inFeatures
  }
  get outFeatures(): number {
    return this.inner.outFeatures
  }
  forward(x: Tensor): Tensor {
    return this.inner.forward(x).mul(2)
  }
  dense(): Tensor {
    return this.inner.dense()
  }
}

/** Every number of what `body` gives, fused and layer by layer; the same bits, whatever rows there are and however many threads. */
function expectSame(body: (x: Tensor) => Tensor[], width = WIDTH): void {
  inference(() => {
    for (const shape of [[width], [1, 1, width], [2, 2, width], [5, width], [17, width], [1, 70, width]])
      for (const threads of [1, 3]) {
        setThreads(threads)
        scope(() => {
          const x = random(shape, 3).to('f32')
          const [fused, apart] = [body(x), withoutFusing(() => body(x))]
          expect(fused.map((y) => y.shape)).toEqual(apart.map((y) => y.shape))
          expect(fused.map((y) => y.toArray())).toEqual(apart.map((y) => y.toArray()))
        })
      }
  })
}

describe.each(NORMS)('with %s', (_, norm) => {
  it('projections have the bits of the layers one after the other', () => {
    const layers = [linear(96, WIDTH, 1, true), linear(33, WIDTH, 2), linear(5, WIDTH, 3, true)]
    expectSame((x) => project(norm, x, layers))
    expectSame((x) => project(norm, x, [layers[1]!, new Other(layers[0]!)]))
    const heads = [linear(96, WIDTH, 1), linear(32, WIDTH, 2)]
    expectSame((x) => project(norm, x, heads, 16))
    inference(() =>
      expect(project(norm, random([2, 3, WIDTH], 3).to('f32'), heads, 16).map((y) => y.shape)).toEqual([
        [2, 3, 6, 16],
        [2, 3, 2, 16],
      ]),
    )
  })

  it('a gated MLP has the bits of its operators one after the other', () => {
    const mlp = (width: number, hasBias = false): GatedMlp => ({
      gate: linear(width, WIDTH, 1, hasBias),
      up: linear(width, WIDTH, 2, hasBias),
      down: linear(WIDTH, width, 3, hasBias),
    })
    expectSame((x) => [gatedMlp(norm, x, mlp(131)), gatedMlp(norm, x, mlp(31, true), x)])
    for (const name of ['gate', 'down'] as const) {
      const layers = mlp(31)
      layers[name] = new Other(layers[name] as Linear)
      expectSame((x) => [gatedMlp(norm, x, layers), gatedMlp(norm, x, layers, x)])
    }
  })

  it('gradients are those of the layers', () => {
    const layers = [linear(9, WIDTH, 1, true), linear(9, WIDTH, 2)]
    const inputs = [random([2, 3, WIDTH], 3).to('f32'), layers[0]!.weight, layers[0]!.bias!, layers[1]!.weight]
    if (norm !== null) inputs.push((norm as RmsNorm).weight)
    for (const tensor of inputs) tensor.requiresGrad = true
    for (const body of [
      () => project(norm, inputs[0]!, layers).map((y) => y.sum()),
      () => [gatedMlp(norm, inputs[0]!, { gate: layers[0]!, up: layers[1]!, down: linear(WIDTH, 9, 4) }).sum()],
      () => [addTo(random([2, 3, 9], 5).to('f32'), layers[0]!, inputs[0]!).sum()],
    ]) {
      const of = (sums: Tensor[]): (Tensor | null)[] => gradients(sums, inputs)
      const wanted = withoutFusing(() => of(body()))
      for (const [i, gradient] of of(body()).entries())
        if (wanted[i] === null) expect(gradient).toBeNull()
        else expect(relativeError(gradient!, wanted[i]!)).toBeLessThan(1e-6)
    }
    for (const tensor of inputs) tensor.requiresGrad = false
  })
})

describe('addTo', () => {
  it('has the bits of a product and a sum, or is the product alone', () => {
    const [plain, other] = [linear(33, WIDTH, 1, true), new Other(linear(33, WIDTH, 2))]
    const residual = (x: Tensor): Tensor => random([...x.shape.slice(0, -1), 33], 4).to('f32')
    expectSame((x) => [addTo(residual(x), plain, x), addTo(residual(x), other, x), addTo(null, plain, x)])
    // 1 + (2·3 + 4)
    const layer = new Linear(ops.full([1, 1], 3, 'f32'), ops.full([1], 4, 'f32'))
    expect(addTo(ops.full([1], 1, 'f32'), layer, ops.full([1], 2, 'f32')).item()).toBe(11)
  })
})

describe('in half precision', () => {
  it('has the bits of the layers, and under autocast their dtype', () => {
    const half = ({ weight, bias }: Linear): Linear => new Linear(weight.to('bf16'), bias?.to('bf16') ?? null)
    const layers = [half(linear(33, WIDTH, 1, true)), half(linear(33, WIDTH, 2))]
    const down = half(linear(WIDTH, 33, 3))
    const norm = new RmsNorm(random([WIDTH], 7).to('bf16'), 1e-5)
    const body = (x: Tensor): Tensor[] => {
      const half = x.to('bf16')
      const mlp = gatedMlp(norm, half, { gate: layers[0]!, up: layers[1]!, down }, half)
      return [...project(norm, half, layers), mlp, addTo(project(norm, half, layers)[0]!, layers[1]!, half)]
    }
    expectSame(body)
    inference(() => expect(body(random([2, WIDTH], 3))[0]!.dtype).toBe('bf16'))
    const wide = [linear(33, WIDTH, 1), linear(33, WIDTH, 2)]
    const cast = autocast('bf16', () => project(null, random([2, WIDTH], 3).to('f32'), wide))
    expect(cast.map((y) => y.dtype)).toEqual(['bf16', 'bf16'])
  })
})

describe('with weights in few bits', () => {
  const width = 256
  const stored = (out: number, seed: number, options: QuantOptions, hasBias = false, inner = width): QuantLinear =>
    new QuantLinear(
      quantizeWeight(random([out, inner], seed, 0.1).to('f32'), options),
      hasBias ? random([out], seed + 50).to('f32') : null,
    )
  /** Blocks of Q8_0 or of Q4_0: [out, width / 32] of a scale of 1/64 and any codes. */
  const blocks = (type: 'Q8_0' | 'Q4_0', out: number): GgmlLinear => {
    const size = type === 'Q8_0' ? 34 : 18
    const bytes = Uint8Array.from({ length: (out * width * size) / 32 }, (_, i) => (i * 7919 + ((i * i) >> 3)) & 255)
    for (let at = 0; at < bytes.length; at += size) bytes.set([0, 0x24], at)
    return new GgmlLinear(new GgmlWeight(type, [out, width], Tensor.from(bytes, [out, bytes.length / out])))
  }
  const FORMATS: [string, FrozenLinear[]][] = [
    ['int8', [stored(96, 1, { format: 'int8' }, true), stored(33, 2, { format: 'int8' })]],
    ['int8 with a scale a row', [stored(96, 1, { format: 'int8', blockSize: 0 }), stored(33, 2, { format: 'int8' })]],
    ['int4', [stored(96, 1, { format: 'int4' }, true), stored(33, 2, { format: 'int4', symmetric: false })]],
    ['nf4', [stored(96, 1, { format: 'nf4' }), stored(33, 2, { format: 'nf4', doubleQuant: true }, true)]],
    ['blocks of GGUF', [blocks('Q8_0', 96), blocks('Q4_0', 33)]],
    ['several formats', [stored(96, 1, { format: 'nf3' }), blocks('Q8_0', 33), stored(5, 3, { format: 'int8' }, true)]],
  ]
  const down = stored(width, 8, { format: 'int8' }, true, 96)
  const norms: [string, Norm | null][] = [
    ['no norm', null],
    ['RMS norm', new RmsNorm(random([width], 7).to('f32'), 1e-5)],
    ['layer norm', new LayerNorm(random([width], 7).to('f32'), random([width], 8).to('f32'), 1e-5)],
  ]

  it.each(FORMATS)('%s has the bits of the layers one after the other', (_, layers) => {
    for (const [, norm] of norms)
      expectSame(
        (x) => [
          ...project(norm, x, layers),
          gatedMlp(norm, x, { gate: layers[0]!, up: layers[0]!, down }, x),
          addTo(random([...x.shape.slice(0, -1), 96], 4).to('f32'), layers[0]!, x),
        ],
        width,
      )
  })

  it('splits outputs into heads', () => {
    const layers = [stored(96, 1, { format: 'int8' }), stored(32, 2, { format: 'int4' })]
    expectSame((x) => project(null, x, layers, 16), width)
    const x = random([2, width], 3).to('f32')
    inference(() =>
      expect(project(null, x, layers, 32).map((y) => y.shape)).toEqual([
        [2, 3, 32],
        [2, 1, 32],
      ]),
    )
    expect(() => project(null, x, layers, 24)).toThrow(/whole heads of 24, got 32/)
  })

  it('mixes with layers of floats', () => {
    const dense = new Linear(random([96, width], 1, 0.1).to('f32'))
    expectSame(
      (x) => [
        ...project(norms[1]![1], x, [dense, FORMATS[0]![1][0]!]),
        gatedMlp(null, x, { gate: dense, up: FORMATS[0]![1][0]!, down: stored(7, 9, { format: 'int8' }, false, 96) }),
      ],
      width,
    )
  })

  it('computes in bf16, and gives gradients where they are recorded', () => {
    const layers = FORMATS[0]![1]
    expectSame((x) => {
      const half = x.to('bf16')
      const mlp = gatedMlp(null, half, { gate: layers[0]!, up: layers[0]!, down }, half)
      return [...project(null, half, layers), mlp, addTo(project(null, half, layers)[0]!, layers[0]!, half)]
    }, width)
    const x = random([3, width], 3).to('f32')
    x.requiresGrad = true
    const sum = (): Tensor =>
      ops.add(
        gatedMlp(norms[1]![1], x, { gate: layers[0]!, up: layers[0]!, down }).sum(),
        addTo(x.narrow(-1, 0, 96), layers[0]!, x).sum(),
      )
    const [gradient] = gradients([sum()], [x])
    const [wanted] = withoutFusing(() => gradients([sum()], [x]))
    expect(relativeError(gradient!, wanted!)).toBeLessThan(1e-6)
  })

  it('refuses what the matrices do not fit', () => {
    const [layer] = FORMATS[0]![1] as [FrozenLinear]
    const x = random([2, 33], 3).to('f32')
    expect(() => project(null, x, [layer, layer])).toThrow(/frozen_linears.*expected x \[\.\.\.,256\]/)
    expect(() => ops.frozenLinear(x, null, null, layer.weight.parts, [1])).toThrow(/expected 6 numbers a matrix/)
    expect(() => ops.frozenLinear(x, null, null, [], layer.weight.layout)).toThrow(/expected the parts of every matrix/)
  })
})
