// The seam around attention and MLP of every block. A rule decides what becomes of one branch: run it, run it without a gradient
// (DropBP), or leave it out (null, as SLEB does when it probes). With no rules a branch is `x + body(x)`.
import type { Tensor } from '../torch/index.ts'

/** Around one branch: `next(x)` is the branch itself; null adds nothing to the residual stream. */
export type BranchRule = (x: Tensor, next: (x: Tensor) => Tensor | null) => Tensor | null

/** One branch of one block. Not a layer: it has no weights, only rules. */
export class Branch {
  readonly kind: 'attention' | 'mlp'
  readonly rules: BranchRule[] = []

  constructor(kind: 'attention' | 'mlp') {
    this.kind = kind
  }

  /** body(x) as the rules have it; the first rule is the outermost. */
  run(x: Tensor, body: (x: Tensor) => Tensor): Tensor | null {
    if (this.rules.length === 0) return body(x)
    const chain = this.rules.reduceRight<(x: Tensor) => Tensor | null>(
      (next, rule) => (input) => rule(input, next),
      body,
    )
    return chain(x)
  }

  /**
   * x + body(x), or `residual` + body(x). `joined`, given x and the residual, may do both in one; it is taken where no rule stands between.
   */
  add(
    x: Tensor,
    body: (x: Tensor) => Tensor,
    residual: Tensor = x,
    joined: (x: Tensor, residual: Tensor) => Tensor = (h, to) => to.add(body(h)),
  ): Tensor {
    if (this.rules.length === 0) return joined(x, residual)
    const y = this.run(x, body)
    return y === null ? residual : residual.add(y)
  }
}
