// The operators of our own (native/elementwise.cc, cross-entropy.cc, linear.cc): their float32 kernels against the compositions beside them (which f64 takes), and those
// against finite differences. So every formula is checked by a route that shares no code with it.
import { afterEach, describe, expect, it } from 'vitest'
import { NativeError } from '../errors.ts'
import { Generator, gradients, noGrad, ops, scope, setThreads, Tensor } from './index.ts'

type Inputs = Record<string, Tensor>
type Formula = (inputs: Inputs) => Tensor

const random = (shape: number[], seed: number, scale = 1): Tensor =>
  ops.normal_(ops.empty(shape, 'f64'), 0, scale, new Generator(seed))

/** max |a − b| / max |b| */
function relativeError(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape)
  return scope(() => {
    if (a.numel === 0) return 0
    const exact = b.to('f64')
    return a.to('f64').sub(exact).abs().max().item() / Math.max(exact.abs().max().item(), 1e-30)
  })
}

/** Value and gradients of Σ formula · g for a fixed random g. */
function evaluate(formula: Formula, inputs: Inputs): { value: Tensor; grads: Inputs } {
  const leaves = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor.detach().clone()]))
  for (const leaf of Object.values(leaves)) leaf.requiresGrad = true
  const value = formula(leaves)
  const upstream = random(value.shape, 77).to(value.dtype)
  const list = gradients([value], Object.values(leaves), { gradOutputs: [upstream] })
  return { value, grads: Object.fromEntries(Object.keys(leaves).map((name, i) => [name, list[i]!])) }
}

/** The f32 kernel agrees with the f64 composition, with and without recording, with one thread and two. */
function checkAgainstComposition(formula: Formula, inputs: Inputs, { forward = 1e-5, gradient = 1e-4 } = {}): void {
  const exact = evaluate(formula, inputs)
  const narrow = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor.to('f32')]))
  for (const threads of [1, 2]) {
    setThreads(threads)
    const ours = evaluate(formula, narrow)
    expect(ours.value.dtype).toBe('f32')
    expect(relativeError(ours.value, exact.value)).toBeLessThan(forward)
    for (const [name, grad] of Object.entries(ours.grads))
      expect(relativeError(grad, exact.grads[name]!), `d ${name}, ${threads} threads`).toBeLessThan(gradient)
    const plain = noGrad(() => formula(narrow))
    expect(relativeError(plain, exact.value)).toBeLessThan(forward)
  }
}

/** Gradients of the f64 composition agree with central differences at a few coordinates of every input. */
function checkFiniteDifferences(formula: Formula, inputs: Inputs): void {
  const { grads } = evaluate(formula, inputs)
  const step = 1e-5
  const objective = (): number =>
    noGrad(() =>
      scope(() => {
        const value = formula(inputs)
        return value.mul(random(value.shape, 77).to(value.dtype)).sum().item()
      }),
    )
  for (const [name, tensor] of Object.entries(inputs)) {
    const flat = tensor.view(-1)
    const largest = grads[name]!.abs().max().item()
    for (let k = 0; k < Math.min(12, flat.numel); k++) {
      const entry = flat.narrow(0, (k * 37) % flat.numel, 1)
      const original = entry.item()
      entry.copy_(Tensor.from(new Float64Array([original + step])))
      const above = objective()
      entry.copy_(Tensor.from(new Float64Array([original - step])))
      const below = objective()
      entry.copy_(Tensor.from(new Float64Array([original])))
      const difference = (above - below) / (2 * step)
      const ours = grads[name]!.reshape(-1)
        .narrow(0, (k * 37) % flat.numel, 1)
        .item()
      expect(Math.abs(ours - difference) / largest, `${name}[${(k * 37) % flat.numel}]`).toBeLessThan(1e-7)
    }
  }
}

afterEach(() => setThreads(1))

describe('rms_norm', () => {
  const formula =
    (offset: number): Formula =>
    ({ x, weight }) =>
      ops.rmsNorm(x!, weight!, 1e-5, offset)
  it('is x / √(mean(x²) + eps) · (weight + offset)', () => {
    // mean(3², 4²) = 12.5
    const x = Tensor.from([3, 4])
    const root = Math.sqrt(12.5)
    expect(ops.rmsNorm(x, Tensor.from([1, 2]), 0)).toBeAllclose([3 / root, 8 / root])
    expect(ops.rmsNorm(x, Tensor.from([0, 1]), 0, 1)).toBeAllclose([3 / root, 8 / root])
    expect(ops.rmsNorm(Tensor.from([0, 0]), Tensor.from([1, 1]), 1e-6)).toBeAllclose([0, 0])
  })
  it('agrees with the composition and with finite differences', () => {
    for (const offset of [0, 1]) {
      for (const shape of [
        [1, 7],
        [3, 5, 33],
        [257, 64],
      ]) {
        const inputs = { x: random(shape, 1), weight: random(shape.slice(-1), 2) }
        checkAgainstComposition(formula(offset), inputs)
        checkFiniteDifferences(formula(offset), inputs)
      }
    }
  })
  it('reads inputs of any strides', () => {
    const inputs = { x: random([6, 4], 3), weight: random([6, 2], 4) }
    checkAgainstComposition(({ x, weight }) => ops.rmsNorm(x!.t(), weight!.select(1, 1), 1e-5), inputs)
  })
  it('has a gradient when only one of its inputs wants one', () => {
    const [x, weight] = [random([5, 8], 1).to('f32'), random([8], 2).to('f32')]
    const wanted = evaluate(formula(0), { x, weight }).grads
    expect(evaluate(({ x }) => ops.rmsNorm(x!, weight, 1e-5), { x }).grads.x!.toArray()).toEqual(wanted.x!.toArray())
    expect(evaluate(({ weight }) => ops.rmsNorm(x, weight!, 1e-5), { weight }).grads.weight!).toBeAllclose(
      wanted.weight!,
    )
  })
  it('takes no rows, keeps NaN in its row, and keeps the dtype', () => {
    checkAgainstComposition(formula(0), { x: random([0, 4], 1), weight: random([4], 2) })
    const y = ops.rmsNorm(Tensor.from([1, Number.NaN, 3, 4], [2, 2]), Tensor.from([1, 1]), 1e-6).toArray()
    expect(y.slice(0, 2)).toEqual([Number.NaN, Number.NaN])
    expect(y.slice(2).every(Number.isFinite)).toBe(true)
    expect(ops.rmsNorm(ops.ones([2, 4], 'bf16'), ops.ones([4], 'f32'), 1e-6).dtype).toBe('bf16')
  })
})

describe('swiglu', () => {
  const formula: Formula = ({ gate, up }) => ops.swiglu(gate!, up!)
  it('is gate · sigmoid(gate) · up', () => {
    expect(ops.swiglu(Tensor.from([0, 1, -2]), Tensor.from([5, 2, 3]))).toBeAllclose([
      0,
      2 / (1 + Math.exp(-1)),
      -6 / (1 + Math.exp(2)),
    ])
  })
  it('agrees with the composition and with finite differences', () => {
    for (const shape of [[1], [3, 5, 7], [130, 517]]) {
      const inputs = { gate: random(shape, 1, 3), up: random(shape, 2) }
      checkAgainstComposition(formula, inputs)
      checkFiniteDifferences(formula, inputs)
    }
  })
  it('reads inputs of any strides, and no rows', () => {
    checkAgainstComposition(({ both }) => ops.swiglu(both!.narrow(1, 0, 4), both!.narrow(1, 4, 4)), {
      both: random([6, 8], 3),
    })
    checkAgainstComposition(formula, { gate: random([0, 3], 1), up: random([0, 3], 2) })
  })
  it('saturates as the formula does and keeps NaN', () => {
    const x = Tensor.from([100, -100, 1e4, -1e4, Number.NaN, Number.POSITIVE_INFINITY])
    expect(ops.swiglu(x, ops.ones([6], 'f32'))).toBeAllclose([100, 0, 1e4, 0, Number.NaN, Number.POSITIVE_INFINITY], {
      absolute: 1e-30,
    })
  })
})

describe('rope', () => {
  const tables = (shape: number[]): { cos: Tensor; sin: Tensor } => {
    const angles = random(shape, 9, 2)
    return { cos: ops.cos(angles), sin: ops.sin(angles) }
  }
  const formula = (shape: number[]): Formula => {
    const exact = tables(shape)
    return ({ x }) => ops.rope(x!, exact.cos.to(x!.dtype), exact.sin.to(x!.dtype))
  }
  it('turns pairs (i, i + R) by the angle of their position', () => {
    // One head of 4 channels at two positions; R = 2; angle 90° for pair 0 and 0° for pair 1 at position 1.
    const x = Tensor.from([1, 2, 3, 4, 1, 2, 3, 4], [1, 2, 1, 4])
    const cos = Tensor.from([1, 1, 0, 1], [2, 2])
    const sin = Tensor.from([0, 0, 1, 0], [2, 2])
    expect(ops.rope(x, cos, sin)).toBeAllclose([1, 2, 3, 4, -3, 2, 1, 4])
  })
  it('agrees with the composition and with finite differences: full, partial, and with a table per row', () => {
    for (const table of [
      [5, 4],
      [5, 2],
      [1, 5, 4],
      [2, 5, 3],
    ]) {
      const inputs = { x: random([2, 5, 3, 8], 1) }
      checkAgainstComposition(formula(table), inputs)
      checkFiniteDifferences(formula(table), inputs)
    }
    checkAgainstComposition(formula([300, 32]), { x: random([1, 300, 4, 64], 2) })
  })
  it('reads inputs of any strides, and no rows', () => {
    const { cos, sin } = tables([5, 4])
    const turned: Formula = ({ x }) => ops.rope(x!.transpose(1, 2), cos.to(x!.dtype), sin.to(x!.dtype))
    checkAgainstComposition(turned, { x: random([2, 3, 5, 8], 1) })
    checkAgainstComposition(formula([5, 4]), { x: random([0, 5, 3, 8], 1) })
  })
  it('keeps half precision, with f32 tables', () => {
    const { cos, sin } = tables([5, 4])
    const x = random([2, 5, 3, 8], 1)
    const y = ops.rope(x.to('bf16'), cos.to('f32'), sin.to('f32'))
    expect(y.dtype).toBe('bf16')
    expect(relativeError(y, ops.rope(x, cos, sin))).toBeLessThan(0.01)
  })
  it('keeps the length of every pair', () => {
    const x = random([1, 5, 1, 8], 1).to('f32')
    const { cos, sin } = tables([5, 4])
    expect(ops.rope(x, cos.to('f32'), sin.to('f32')).norm().item()).toBeCloseTo(x.norm().item(), 5)
  })
})

describe('linear_cross_entropy', () => {
  const labelsOf = (values: number[]): Tensor => Tensor.from(values, [values.length], 'i64')
  const [rows, width, vocabulary] = [37, 16, 53]
  const labels = labelsOf(Array.from({ length: rows }, (_, i) => (i % 5 === 2 ? -100 : (i * 17) % vocabulary)))
  const inputs = (): Inputs => ({ hidden: random([rows, width], 1), weight: random([vocabulary, width], 2, 0.7) })
  const formula =
    (targets: Tensor, chunk = 0, softcap = 0): Formula =>
    ({ hidden, weight }) =>
      ops.linearCrossEntropy(hidden!, weight!, targets, chunk, softcap)[0]

  it('is Σ −log softmax(hidden · weightᵀ)[label], and counts the right ones', () => {
    // Logits (0, ln 3) twice, label 0 then 1: −ln(1/4) − ln(3/4); the second is right.
    const [loss, correct] = ops.linearCrossEntropy(
      Tensor.from([1, 1], [2, 1]),
      Tensor.from([0, Math.log(3)], [2, 1]),
      labelsOf([0, 1]),
    )
    expect(loss.item()).toBeCloseTo(Math.log(4) + Math.log(4 / 3), 6)
    expect(correct.item()).toBe(1)
  })

  it('agrees with the composition and with finite differences, for every chunk size, capped or not', () => {
    for (const softcap of [0, 3]) {
      for (const chunk of [0, 1, 7, 30, 1000]) checkAgainstComposition(formula(labels, chunk, softcap), inputs())
      checkFiniteDifferences(formula(labels, 8, softcap), inputs())
    }
    const all = labelsOf(Array.from({ length: rows }, (_, i) => i))
    for (const chunk of [0, 5]) checkAgainstComposition(formula(all, chunk), inputs())
  })

  it('agrees with logits made in full', () => {
    const composed: Formula = ({ hidden, weight }) => {
      const kept = labels.toArray().flatMap((label, i) => (label < 0 ? [] : [i]))
      const index = Tensor.from(kept, [kept.length], 'i64')
      const capped = hidden!.indexSelect(0, index).matmul(weight!.t()).div(3).tanh().mul(3)
      return ops.gather(capped.logSoftmax(), 1, labels.indexSelect(0, index).unsqueeze(1)).sum().neg()
    }
    const [ours, theirs] = [evaluate(formula(labels, 8, 3), inputs()), evaluate(composed, inputs())]
    expect(ours.value.item()).toBeCloseTo(theirs.value.item(), 9)
    for (const name of ['hidden', 'weight'])
      expect(relativeError(ours.grads[name]!, theirs.grads[name]!)).toBeLessThan(1e-10)
  })

  it('counts the same right ones in both paths, gradient or not', () => {
    const { hidden, weight } = inputs()
    const count = (h: Tensor, w: Tensor): number => ops.linearCrossEntropy(h, w, labels, 5)[1].item()
    const wanted = hidden!.matmul(weight!.t()).argmax(1).toArray()
    const right = labels.toArray().filter((label, i) => label === wanted[i]).length
    const counts = [count(hidden!, weight!), count(hidden!.to('f32'), weight!.to('f32'))]
    const leaf = hidden!.to('f32').clone()
    leaf.requiresGrad = true
    expect([...counts, count(leaf, weight!.to('f32'))]).toEqual([right, right, right])
  })

  it('gives a gradient only to the input that wants one', () => {
    const { hidden, weight } = inputs()
    for (const dtype of ['f32', 'f64'] as const) {
      const [h, w] = [hidden!.to(dtype), weight!.to(dtype)]
      const wanted = evaluate(formula(labels, 9), { hidden: h, weight: w }).grads
      const onlyHidden = evaluate(({ hidden }) => formula(labels, 9)({ hidden: hidden!, weight: w }), { hidden: h })
      const onlyWeight = evaluate(({ weight }) => formula(labels, 9)({ hidden: h, weight: weight! }), { weight: w })
      expect(onlyHidden.grads.hidden!.toArray()).toEqual(wanted.hidden!.toArray())
      expect(onlyWeight.grads.weight!.toArray()).toEqual(wanted.weight!.toArray())
    }
  })

  it('adds both gradients of a tied weight', () => {
    const ids = labelsOf(Array.from({ length: rows }, (_, i) => (i * 29) % vocabulary))
    const tied: Formula = ({ weight }) => formula(labels, 6)({ hidden: ops.embedding(weight!, ids), weight: weight! })
    checkAgainstComposition(tied, { weight: inputs().weight! })
    checkFiniteDifferences(tied, { weight: inputs().weight! })
  })

  it('reads inputs of any strides', () => {
    const turned: Formula = ({ hidden, weight }) => formula(labels, 6)({ hidden: hidden!.t(), weight: weight!.t() })
    checkAgainstComposition(turned, { hidden: random([width, rows], 1), weight: random([width, vocabulary], 2) })
  })

  it('is 0 with gradients of 0 when every label is ignored or there are no rows', () => {
    const ignored = labelsOf(Array.from({ length: rows }, () => -100))
    for (const dtype of ['f32', 'f64'] as const) {
      const { hidden, weight } = inputs()
      for (const [h, targets] of [
        [hidden!, ignored],
        [random([0, width], 1), labelsOf([])],
      ] as const) {
        const { value, grads } = evaluate(formula(targets), { hidden: h.to(dtype), weight: weight!.to(dtype) })
        expect(value.item()).toBe(0)
        expect(grads.hidden!.toArray().every((entry) => entry === 0)).toBe(true)
        expect(grads.weight!.toArray().every((entry) => entry === 0)).toBe(true)
        expect(grads.hidden!.shape).toEqual(h.shape)
      }
    }
  })

  it('stays exact for logits far apart', () => {
    // Logits ±1000: the right one costs 0, the wrong one 2000.
    const weight = Tensor.from([1000, -1000], [2, 1])
    expect(formula(labelsOf([0]))({ hidden: Tensor.from([1], [1, 1]), weight }).item()).toBe(0)
    expect(formula(labelsOf([1]))({ hidden: Tensor.from([1], [1, 1]), weight }).item()).toBe(2000)
  })

  it('keeps NaN', () => {
    const hidden = Tensor.from([1, Number.NaN], [2, 1])
    expect(formula(labelsOf([0, 1]))({ hidden, weight: Tensor.from([1, 2], [2, 1]) }).item()).toBeNaN()
    const { grads } = evaluate(
      ({ hidden }) => formula(labelsOf([0, 1]))({ hidden: hidden!, weight: Tensor.from([1, 2], [2, 1]) }),
      { hidden },
    )
    expect(Number.isFinite(grads.hidden!.toArray()[0])).toBe(true)
    expect(grads.hidden!.toArray()[1]).toBeNaN()
  })

  it('scales its gradient, also the second time', () => {
    const { hidden, weight } = inputs()
    const leaf = hidden!.to('f32').clone()
    leaf.requiresGrad = true
    const [loss] = ops.linearCrossEntropy(leaf, weight!.to('f32'), labels)
    const [one] = gradients([loss], [leaf], { retainGraph: true })
    const [half] = gradients([loss.mul(0.5)], [leaf])
    expect(half!).toBeAllclose(one!.mul(0.5), { absolute: 1e-9 })
  })

  it('computes in bf16 close to f32', () => {
    const { hidden, weight } = inputs()
    const half = evaluate(formula(labels), { hidden: hidden!.to('bf16'), weight: weight!.to('bf16') })
    const exact = evaluate(formula(labels), { hidden: hidden!, weight: weight! })
    expect(half.value.dtype).toBe('f32')
    expect(half.grads.weight!.dtype).toBe('bf16')
    expect(relativeError(half.value, exact.value)).toBeLessThan(0.01)
    expect(relativeError(half.grads.weight!, exact.grads.weight!)).toBeLessThan(0.05)
  })

  it('refuses labels outside the vocabulary and shapes that do not fit', () => {
    const { hidden, weight } = inputs()
    for (const wrong of [vocabulary, -1, -101]) {
      const targets = labelsOf(Array.from({ length: rows }, (_, i) => (i === 3 ? wrong : 0)))
      expect(() => formula(targets)({ hidden: hidden!, weight: weight! })).toThrow(
        /labels must be −100 or in \[0, 53\)/,
      )
    }
    expect(() => formula(labelsOf([1]))({ hidden: hidden!, weight: weight! })).toThrow(/expected hidden \[N,D\]/)
    expect(() => formula(labels)({ hidden: hidden!, weight: random([0, width], 1) })).toThrow(NativeError)
    expect(() => formula(labels.to('i32'))({ hidden: hidden!, weight: weight! })).toThrow(NativeError)
  })
})

describe('linear_log_probs', () => {
  const [rows, width, vocabulary] = [37, 16, 53]
  const labelsOf = (values: number[]): Tensor => Tensor.from(values, [values.length], 'i64')
  const labels = labelsOf(Array.from({ length: rows }, (_, i) => (i % 5 === 2 ? -100 : (i * 17) % vocabulary)))
  const inputs = (): Inputs => ({ hidden: random([rows, width], 1), weight: random([vocabulary, width], 2, 0.7) })
  const formula =
    (targets: Tensor, chunk = 0, softcap = 0): Formula =>
    ({ hidden, weight }) =>
      ops.linearLogProbs(hidden!, weight!, targets, chunk, softcap)

  it('is log softmax(hidden · weightᵀ)[label] of each row, 0 where there is none', () => {
    // Logits (0, ln 3).
    const values = ops.linearLogProbs(
      Tensor.from([1, 1, 1], [3, 1]),
      Tensor.from([0, Math.log(3)], [2, 1]),
      labelsOf([0, -100, 1]),
    )
    expect(values).toBeAllclose([Math.log(1 / 4), 0, Math.log(3 / 4)])
  })

  it('agrees with the composition and with finite differences when rows have gradients of their own', () => {
    const all = labelsOf(Array.from({ length: rows }, (_, i) => i))
    for (const softcap of [0, 3]) {
      for (const chunk of [0, 1, 7, 1000]) checkAgainstComposition(formula(labels, chunk, softcap), inputs())
      checkFiniteDifferences(formula(labels, 8, softcap), inputs())
      checkAgainstComposition(formula(all, 5, softcap), inputs())
    }
  })

  it('has the same gradients when only one input wants one', () => {
    const { hidden, weight } = inputs()
    const wanted = evaluate(formula(labels, 9), { hidden: hidden!, weight: weight! }).grads
    const frozen: Formula = (leaves) => formula(labels, 9)({ hidden: leaves.hidden!, weight: weight! })
    checkFiniteDifferences(frozen, { hidden: hidden! })
    expect(evaluate(frozen, { hidden: hidden! }).grads.hidden).toBeAllclose(wanted.hidden!, { absolute: 1e-12 })
    const fixed: Formula = (leaves) => formula(labels, 9)({ hidden: hidden!, weight: leaves.weight! })
    expect(evaluate(fixed, { weight: weight! }).grads.weight).toBeAllclose(wanted.weight!, { absolute: 1e-12 })
  })

  it('sums to linear_cross_entropy', () => {
    const { hidden, weight } = inputs()
    const [loss] = ops.linearCrossEntropy(hidden!, weight!, labels)
    expect(ops.linearLogProbs(hidden!, weight!, labels).sum().neg()).toBeAllclose(loss, { absolute: 1e-10 })
  })

  it('is empty for no rows, and zero for no labels', () => {
    const { weight } = inputs()
    expect(ops.linearLogProbs(random([0, width], 1), weight!, labelsOf([])).shape).toEqual([0])
    const leaf = random([2, width], 1)
    leaf.requiresGrad = true
    const values = ops.linearLogProbs(leaf, weight!, labelsOf([-100, -100]))
    expect(values).toBeAllclose([0, 0], { absolute: 0 })
    expect(gradients([values.sum()], [leaf])[0]).toBeAllclose(new Float64Array(2 * width))
  })
})

describe('linear', () => {
  const composed = (x: Tensor, weight: Tensor, bias?: Tensor): Tensor => {
    const y = x.matmul(weight.t())
    return bias === undefined ? y : y.add(bias)
  }
  it('agrees with a product of matrices for one to five rows', () => {
    noGrad(() => {
      for (const [inputs, outputs] of [
        [1, 1],
        [7, 33],
        [576, 1536],
        [1000, 3],
      ] as const) {
        const [weight, bias] = [random([outputs, inputs], 2), random([outputs], 3)]
        for (const shape of [[inputs], [1, inputs], [2, inputs], [3, 1, inputs], [2, 2, inputs], [5, inputs]]) {
          const x = random(shape, 1)
          for (const b of [undefined, bias]) {
            const ours = ops.linear(x.to('f32'), weight.to('f32'), b?.to('f32'))
            expect(relativeError(ours, composed(x, weight, b))).toBeLessThan(1e-5)
          }
        }
      }
    })
  })
  it('reads rows and weights of any strides', () => {
    noGrad(() => {
      const [x, weight, bias] = [random([8, 2], 1), random([8, 5], 2), random([5, 2], 3)]
      const ours = ops.linear(x.to('f32').t(), weight.to('f32').t(), bias.to('f32').select(1, 0))
      expect(relativeError(ours, composed(x.t(), weight.t(), bias.select(1, 0)))).toBeLessThan(1e-5)
      const few = ops.linear(x.to('f32').t(), weight.to('f32').t().contiguous(), bias.to('f32').select(1, 1))
      expect(relativeError(few, composed(x.t(), weight.t(), bias.select(1, 1)))).toBeLessThan(1e-5)
    })
  })
  it('has gradients for few rows, too', () => {
    const formula: Formula = ({ x, weight, bias }) => ops.linear(x!, weight!, bias!)
    const inputs = { x: random([2, 6], 1), weight: random([5, 6], 2), bias: random([5], 3) }
    checkAgainstComposition(formula, inputs)
    checkFiniteDifferences(formula, inputs)
    const frozen = { weight: inputs.weight.to('f32'), x: inputs.x.to('f32') }
    const onlyBias = evaluate(({ bias }) => formula({ ...frozen, bias: bias! }), { bias: inputs.bias.to('f32') })
    expect(relativeError(onlyBias.grads.bias!, evaluate(formula, inputs).grads.bias!)).toBeLessThan(1e-5)
  })
  it('computes in bf16 and f64, and no rows', () => {
    const [x, weight] = [random([2, 64], 1), random([8, 64], 2)]
    const half = ops.linear(x.to('bf16'), weight.to('bf16'))
    expect(half.dtype).toBe('bf16')
    expect(relativeError(half, composed(x, weight))).toBeLessThan(0.02)
    expect(relativeError(ops.linear(x, weight), composed(x, weight))).toBeLessThan(1e-12)
    expect(ops.linear(ops.zeros([0, 64], 'f64'), weight).shape).toEqual([0, 8])
  })
  it('keeps NaN in its row', () => {
    const y = noGrad(() => ops.linear(Tensor.from([1, Number.NaN, 1, 1], [2, 2]), ops.ones([3, 2], 'f32')))
    expect(y.toArray()).toEqual([Number.NaN, Number.NaN, Number.NaN, 2, 2, 2])
  })
})

describe('lora_linear', () => {
  const frozen = { weight: random([12, 10], 11, 0.5), bias: random([12], 12) }
  const keep = random([2, 3, 10], 13).to('f32')
  const mask = ops.gtScalar(keep, 0).to('f64').mul(2)
  const inputs = (): Inputs => ({ x: random([2, 3, 10], 1), a: random([4, 10], 2), b: random([12, 4], 3) })
  const formula =
    (options: { bias?: boolean; mask?: boolean } = {}): Formula =>
    ({ x, a, b }) => {
      const as = (tensor: Tensor): Tensor => tensor.to(x!.dtype)
      const bias = options.bias ? as(frozen.bias) : null
      return ops.loraLinear(x!, as(frozen.weight), bias, a!, b!, 0.5, options.mask ? as(mask) : null)
    }
  const composed =
    (options: { bias?: boolean; mask?: boolean } = {}): Formula =>
    ({ x, a, b }) => {
      const y = x!.matmul(frozen.weight.t())
      const thin = (options.mask ? x!.mul(mask) : x!).matmul(a!.t())
      const sum = y.add(thin.matmul(b!.t()).mul(0.5))
      return options.bias ? sum.add(frozen.bias) : sum
    }
  it('is x·Wᵀ + bias + scale·(x ⊙ mask)·Aᵀ·Bᵀ', () => {
    // W = 2, A = 3, B = 5, scale 0.1, x = 1: 2 + 7 + 0.1·15; with a mask of 2: 2 + 7 + 0.1·30
    const [x, weight, bias, a, b] = [1, 2, 7, 3, 5].map((value, i) => Tensor.from([value], i === 2 ? [1] : [1, 1]))
    expect(ops.loraLinear(x!, weight!, bias, a!, b!, 0.1).item()).toBeCloseTo(10.5, 5)
    expect(ops.loraLinear(x!, weight!, null, a!, b!, 0.1, Tensor.from([2], [1, 1])).item()).toBeCloseTo(5, 5)
  })
  it('agrees with its composition, in value and gradients, with bias and mask or without', () => {
    for (const options of [{}, { bias: true }, { mask: true }, { bias: true, mask: true }]) {
      const [ours, theirs] = [evaluate(formula(options), inputs()), evaluate(composed(options), inputs())]
      expect(relativeError(ours.value, theirs.value)).toBeLessThan(1e-12)
      for (const name of ['x', 'a', 'b'])
        expect(relativeError(ours.grads[name]!, theirs.grads[name]!), name).toBeLessThan(1e-12)
      checkAgainstComposition(formula(options), inputs())
    }
    checkFiniteDifferences(formula({ bias: true, mask: true }), inputs())
  })
  it('gives a gradient only to what wants one', () => {
    const all = evaluate(formula(), inputs()).grads
    for (const name of ['x', 'a', 'b']) {
      const alone = evaluate((leaf) => formula()({ ...inputs(), ...leaf }), { [name]: inputs()[name]! })
      expect(relativeError(alone.grads[name]!, all[name]!)).toBeLessThan(1e-12)
    }
  })
  it('reads one row, and rows of any strides', () => {
    checkAgainstComposition(formula(), { ...inputs(), x: random([10], 5) })
    checkAgainstComposition(({ x, a, b }) => formula()({ x: x!.transpose(0, 2), a: a!.t(), b: b!.t() }), {
      x: random([10, 3, 2], 5),
      a: random([10, 4], 6),
      b: random([4, 12], 7),
    })
    checkAgainstComposition(formula(), { ...inputs(), x: random([0, 10], 5) })
  })
  it('refuses a base that is trained, and shapes that do not fit', () => {
    const { x, a, b } = inputs()
    const weight = frozen.weight.clone()
    weight.requiresGrad = true
    a!.requiresGrad = true
    expect(() => ops.loraLinear(x!, weight, null, a!, b!, 1)).toThrow(/expected a frozen weight and bias/)
    expect(() => ops.loraLinear(x!, frozen.weight, null, b!, a!, 1)).toThrow(/expected x \[\.\.\.,in\]/)
  })
})

describe('scale_gradient', () => {
  it('is the identity with a scaled gradient, without a copy', () => {
    const x = random([3], 1)
    expect(ops.scaleGradient(x, 4).storageId).toBe(x.storageId)
    const { value, grads } = evaluate(({ x }) => ops.scaleGradient(x!, 4), { x })
    expect(value.toArray()).toEqual(x.toArray())
    expect(grads.x!).toBeAllclose(random([3], 77).mul(4))
  })
})
