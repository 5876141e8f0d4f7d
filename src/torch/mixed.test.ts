// bf16 beside float32: what mixed precision computes is what float32 or f64 computes of the same rounded numbers, rounded once.
import { describe, expect, it } from 'vitest'
import { backward } from './grad.ts'
import * as ops from './ops.gen.ts'
import { Generator } from './random.ts'
import { scope } from './scope.ts'
import { Tensor } from './tensor.ts'

const random = (shape: number[], seed: number): Tensor =>
  ops.normal_(ops.empty(shape, 'f32'), 0, 1, new Generator(seed))
const rounded = (t: Tensor): Tensor => t.to('bf16').to('f64')
/** ‖got − wanted‖ / ‖wanted‖ */
const error = (got: Tensor, wanted: Tensor): number => got.to('f64').sub(wanted).norm().item() / wanted.norm().item()
/** Half of bf16's last place, and a little for a sum near the middle of two. */
const HALF_PLACE = 2 ** -8

describe('mixed_linear', () => {
  // Large products take the matrix unit where there is one, one turn along 300 and several along 2,100; small ones LibTorch's.
  it.each([
    ['f32', 203, 300, 211],
    ['f32', 130, 2100, 150],
    ['bf16', 203, 300, 211],
    ['f32', 5, 20, 7],
  ] as const)(
    'multiplies %s inputs rounded to bf16, %d × %d by %d, and keeps the types of the gradients',
    (dtype, rows, K, out) => {
      scope(() => {
        const [x, weight, bias] = [random([rows, K], 1).to(dtype), random([out, K], 2), random([out], 3)]
        const dy = random([rows, out], 4).to('bf16')
        for (const t of [x, weight, bias]) t.requiresGrad = true
        const y = ops.mixedLinear(x, weight, bias)
        backward(y, dy)
        expect([y.dtype, x.grad!.dtype, weight.grad!.dtype, bias.grad!.dtype]).toEqual(['bf16', dtype, 'f32', 'f32'])
        const [x64, weight64, dy64] = [rounded(x.detach()), rounded(weight.detach()), dy.to('f64')]
        expect(error(y.detach(), x64.matmul(weight64.t()).add(bias.detach().to('f64')))).toBeLessThan(HALF_PLACE)
        expect(error(x.grad!, dy64.matmul(weight64))).toBeLessThan(HALF_PLACE)
        expect(error(weight.grad!, dy64.t().matmul(x64))).toBeLessThan(HALF_PLACE)
        expect(error(bias.grad!, dy64.sum(0))).toBeLessThan(1e-6)
      })
    },
  )
})

describe('swiglu and rope of bf16', () => {
  const gradients = (run: (...inputs: Tensor[]) => Tensor, inputs: Tensor[], dy: Tensor): Tensor[] => {
    for (const t of inputs) t.requiresGrad = true
    const y = run(...inputs)
    backward(y, dy.to(y.dtype))
    return [y.detach(), ...inputs.map((t) => t.grad!)]
  }
  const same = (run: (...inputs: Tensor[]) => Tensor, shapes: number[][], shape: number[]): void =>
    scope(() => {
      const inputs = shapes.map((each, i) => random(each, i).to('bf16'))
      const dy = random(shape, 9).to('bf16')
      const wanted = gradients(
        run,
        inputs.map((t) => t.to('f32')),
        dy,
      )
      const got = gradients(
        run,
        inputs.map((t) => t.clone()),
        dy,
      )
      for (const [i, value] of got.entries()) {
        expect(value.dtype).toBe('bf16')
        // One rounding each: at most half of the last place, which is 2⁻⁸ of the number.
        const excess = value
          .to('f32')
          .sub(wanted[i]!)
          .abs()
          .sub(wanted[i]!.abs().mul(2 ** -8 * 1.001))
        expect(excess.max().item()).toBeLessThan(1e-9)
      }
    })

  it('computes swiglu in float32', () =>
    same(
      (gate, up) => ops.swiglu(gate!, up!),
      [
        [7, 37],
        [7, 37],
      ],
      [7, 37],
    ))

  it('turns heads in float32', () => {
    const table = [random([5, 6], 20), random([5, 6], 21)] as const
    same((x) => ops.rope(x!, ...table), [[2, 5, 3, 16]], [2, 5, 3, 16])
  })

  it('keeps NaN and infinity', () => {
    const gate = Tensor.from([Number.NaN, Number.POSITIVE_INFINITY, 2]).to('bf16')
    expect(ops.swiglu(gate, ops.ones([3], 'bf16')).toArray()).toEqual([Number.NaN, Number.POSITIVE_INFINITY, 1.7578125])
  })
})
