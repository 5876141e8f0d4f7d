// linear_cross_entropy and linear_log_probs (native/cross-entropy.cc); test/fused-formulas.ts says how.
import { afterEach, describe, expect, it } from 'vitest'
import {
  checkAgainstComposition,
  checkFiniteDifferences,
  evaluate,
  type Formula,
  type Inputs,
  random,
  relativeError,
} from '../../test/fused-formulas.ts'
import { NativeError } from '../errors.ts'
import { gradients, ops, setThreads, Tensor } from './index.ts'

afterEach(() => setThreads(1))

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
