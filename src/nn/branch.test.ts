import { describe, expect, it } from 'vitest'
import { backward, noGrad, Tensor } from '../torch/index.ts'
import { Branch, type BranchRule } from './branch.ts'

const double = (x: Tensor): Tensor => x.mul(2)

describe('Branch', () => {
  it('is x + body(x) without rules', () => {
    expect(new Branch('mlp').add(Tensor.from([1, 2]), double)).toBeAllclose([3, 6])
  })

  it('adds to another residual, in one where no rule stands between', () => {
    const [x, residual] = [Tensor.from([1, 2]), Tensor.from([10, 20])]
    const branch = new Branch('mlp')
    expect(branch.add(x, double, residual)).toBeAllclose([12, 24])
    const seen: Tensor[][] = []
    const joined = (h: Tensor, to: Tensor): Tensor => {
      seen.push([h, to])
      return to.add(double(h))
    }
    expect(branch.add(x, double, residual, joined)).toBeAllclose([12, 24])
    expect(seen).toEqual([[x, residual]])
    branch.rules.push((h, next) => next(h.add(1)))
    expect(branch.add(x, double, residual, joined)).toBeAllclose([14, 26])
    branch.rules.push(() => null)
    expect(branch.add(x, double, residual, joined)).toBe(residual)
    expect(seen).toHaveLength(1)
  })

  it('runs the first rule outermost', () => {
    const order: string[] = []
    const rule =
      (name: string, edit: (y: Tensor) => Tensor): BranchRule =>
      (x, next) => {
        order.push(`${name} in`)
        const y = next(x)
        order.push(`${name} out`)
        return y && edit(y)
      }
    const branch = new Branch('attention')
    branch.rules.push(
      rule('a', (y) => y.add(1)),
      rule('b', (y) => y.mul(10)),
    )
    // ((2·3)·10) + 1
    expect(branch.run(Tensor.from([3]), double)!.item()).toBe(61)
    expect(order).toEqual(['a in', 'b in', 'b out', 'a out'])
  })

  it('lets a rule change what the branch reads', () => {
    const branch = new Branch('mlp')
    branch.rules.push((x, next) => next(x.add(1)))
    expect(branch.add(Tensor.from([1]), double).item()).toBe(5)
  })

  it('adds nothing for null, and does not run what is inside', () => {
    const x = Tensor.from([1])
    const branch = new Branch('mlp')
    let runs = 0
    branch.rules.push(
      () => null,
      () => {
        runs++
        return null
      },
    )
    expect(branch.add(x, double)).toBe(x)
    expect(runs).toBe(0)
  })

  it('keeps the value and drops the gradient of a branch run without one', () => {
    const x = Tensor.from([3])
    x.requiresGrad = true
    const branch = new Branch('mlp')
    branch.rules.push((input, next) => noGrad(() => next(input)))
    const y = branch.add(x, (h) => h.pow(2))
    expect(y.item()).toBe(12)
    backward(y.sum())
    expect(x.grad!.item()).toBe(1) // the residual path only; the whole would be 1 + 2·3
  })
})
