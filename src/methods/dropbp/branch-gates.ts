// A gate in every attention and MLP branch of a model. Shut, the branch still adds its value to the residual stream, but runs without a
// graph: nothing is saved for it, it gets no gradient, and what arrives at its output passes by on the residual path alone.
//   open   y = x + F(x)        shut   y = x + stopgrad(F(x)),  so dL/dx = dL/dy
//   open with gain s           y = x + stopgrad(F(x)) + s·(F(x) − stopgrad(F(x))): the value of x + F(x), s times the branch's gradient
import type { Decoder } from '../../model/decoder.ts'
import type { Branch, BranchRule } from '../../nn/branch.ts'
import { isRecomputing, noGrad, ops, scope, type Tensor } from '../../torch/index.ts'

/** What one pass does with the branches, in the order of the gates. */
export interface Mask {
  /** 1 where the branch is shut to the backward pass. */
  readonly dropped: Uint8Array
  /** What the gradient of an open branch is multiplied by; null is 1 everywhere. */
  readonly gains: Float64Array | null
}

/** The branch rules of DropBP: which branches of a model have a backward pass in this micro-batch. */
export class BranchGates {
  private readonly installed: { branch: Branch; rule: BranchRule }[]
  /** For each branch the gate of the one after it in its block, or −1. */
  private readonly followers: number[]
  private mask: Mask | null = null

  /** Puts a gate into each named branch. All are open until `run`. */
  constructor(model: Decoder, branches: readonly { block: number; kind: 'attention' | 'mlp' }[]) {
    this.followers = branches.map(({ block, kind }) =>
      kind === 'attention' ? branches.findIndex((other) => other.block === block && other.kind === 'mlp') : -1,
    )
    this.installed = branches.map(({ block, kind }, index) => {
      const layer = model.model.layers[block]!
      const branch = kind === 'attention' ? layer.attention : layer.feedForward
      const rule: BranchRule = (x, next) => this.pass(index, x, next)
      branch.rules.push(rule)
      return { branch, rule }
    })
  }

  /** Runs forward and backward of `body` under `mask`; outside, as in evaluation, all gates are open. */
  run<T>(mask: Mask, body: () => T): T {
    this.mask = mask
    try {
      return body()
    } finally {
      this.mask = null
    }
  }

  /** Takes the gates off the model. */
  remove(): void {
    for (const { branch, rule } of this.installed) {
      const at = branch.rules.indexOf(rule)
      if (at >= 0) branch.rules.splice(at, 1)
    }
  }

  private pass(index: number, x: Tensor, next: (x: Tensor) => Tensor | null): Tensor | null {
    if (this.mask === null) return next(x)
    if (this.mask.dropped[index]) {
      // Checkpointing computes a block again for its gradient, to which a shut branch adds nothing, so it is left out; unless an open
      // MLP after it reads its sum, or draws dropout after it.
      const follower = this.followers[index]!
      const isRead = follower >= 0 && !this.mask.dropped[follower]
      return isRecomputing() && !isRead ? null : noGrad(() => scope(() => next(x)))
    }
    const gain = this.mask.gains?.[index] ?? 1
    const y = next(x)
    return y === null || gain === 1 ? y : ops.scaleGradient(y, gain)
  }
}
