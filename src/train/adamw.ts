// AdamW (arXiv:1711.05101): decoupled weight decay on matrices, none on vectors (norms, biases).
import { CheckpointError } from '../errors.ts'
import { hasOp, ops, type Tensor } from '../torch/index.ts'

/** AdamW's numbers; names and defaults are PyTorch's. */
export interface AdamWOptions {
  beta1?: number
  beta2?: number
  epsilon?: number
  weightDecay?: number
}

interface Slot {
  name: string
  parameter: Tensor
  /** Running means of the gradient and of its square. */
  mean: Tensor
  square: Tensor
  /** Updates so far; a parameter without a gradient in a step keeps its count. */
  step: Tensor
  decays: boolean
  /** Multiplies the learning rate (LoRA+). */
  rate: number
}

/** Optimizer over named parameters. A parameter whose `grad` is null in a step is left alone: moments, decay and count. */
export class AdamW {
  private readonly slots: Slot[]
  private readonly beta1: number
  private readonly beta2: number
  private readonly epsilon: number
  private readonly weightDecay: number
  private readonly fused: boolean

  /** `rateOf` multiplies the rate of a parameter; `fused` is LibTorch's one kernel per group, composed of single operators without it. */
  constructor(
    parameters: Iterable<[string, Tensor]>,
    options: AdamWOptions & { rateOf?: (name: string) => number; fused?: boolean } = {},
  ) {
    this.beta1 = options.beta1 ?? 0.9
    this.beta2 = options.beta2 ?? 0.999
    this.epsilon = options.epsilon ?? 1e-8
    this.weightDecay = options.weightDecay ?? 0
    this.fused = options.fused ?? hasOp('aten::_fused_adamw_')
    this.slots = Array.from(parameters, ([name, parameter]) => ({
      name,
      parameter,
      mean: ops.zerosLike(parameter.detach()).keep(),
      square: ops.zerosLike(parameter.detach()).keep(),
      step: ops.zeros([], 'f32', null, parameter.device).keep(),
      decays: parameter.dim >= 2,
      rate: options.rateOf?.(name) ?? 1,
    }))
  }

  /** The gradients now, for parameters that have one. */
  gradients(): Tensor[] {
    return this.slots.flatMap(({ parameter }) => parameter.grad ?? [])
  }

  /** √(Σ of all squared gradient entries), a scalar tensor. Accumulated in f32. */
  gradientNorm(): Tensor {
    const gradients = this.gradients()
    if (gradients.length === 0) return ops.zeros([], 'f32')
    return ops.vectorNorm(ops.stack(ops.foreachNorm(gradients, 2)))
  }

  /** One update with learning rate `rate`; gradients are first multiplied by `gradientScale` (the clipping factor). */
  step(rate: number, gradientScale = 1): void {
    for (const decays of [true, false]) {
      const groups = new Map<number, { slots: Slot[]; gradients: Tensor[] }>()
      for (const slot of this.slots) {
        const gradient = slot.decays === decays ? slot.parameter.grad : null
        if (gradient === null) continue
        const group = groups.get(slot.rate) ?? { slots: [], gradients: [] }
        group.slots.push(slot)
        group.gradients.push(gradient)
        groups.set(slot.rate, group)
      }
      for (const [factor, group] of groups)
        this.update(group.slots, group.gradients, rate * factor, decays ? this.weightDecay : 0, gradientScale)
    }
  }

  private update(slots: Slot[], gradients: Tensor[], rate: number, decay: number, gradientScale: number): void {
    const one = ops.ones([], 'f32', null, slots[0]!.parameter.device)
    for (const slot of slots) slot.step.add_(one)
    if (this.fused) {
      const parameters = slots.map((slot) => slot.parameter.detach())
      const means = slots.map((slot) => slot.mean)
      const squares = slots.map((slot) => slot.square)
      const steps = slots.map((slot) => slot.step)
      // The kernel divides by its scale and clips in the same pass over the gradients.
      const scale = gradientScale === 1 ? null : ops.full([], 1 / gradientScale, 'f32', null, one.device)
      ops.fusedAdamw_(
        parameters,
        gradients,
        means,
        squares,
        [],
        steps,
        rate,
        this.beta1,
        this.beta2,
        decay,
        this.epsilon,
        false,
        false,
        scale,
      )
      return
    }
    for (const [i, slot] of slots.entries()) {
      const gradient = gradientScale === 1 ? gradients[i]! : gradients[i]!.mul(gradientScale)
      const count = slot.step.item()
      const weights = slot.parameter.detach()
      weights.mul_(1 - rate * decay)
      ops.lerp_(slot.mean, gradient, 1 - this.beta1)
      ops.addcmul_(slot.square.mul_(this.beta2), gradient, gradient, 1 - this.beta2)
      const denominator = slot.square.sqrt().mul_(1 / Math.sqrt(1 - this.beta2 ** count))
      ops.addcdiv_(weights, slot.mean, ops.addScalar(denominator, this.epsilon), -rate / (1 - this.beta1 ** count))
    }
  }

  /** Forgets the gradients and frees them. */
  zeroGrad(): void {
    for (const { parameter } of this.slots) parameter.grad = null
  }

  /** Everything needed to go on exactly: `<parameter>.exp_avg`, `.exp_avg_sq`, `.step`. */
  *state(): Iterable<[string, Tensor]> {
    for (const slot of this.slots) {
      yield [`${slot.name}.exp_avg`, slot.mean]
      yield [`${slot.name}.exp_avg_sq`, slot.square]
      yield [`${slot.name}.step`, slot.step]
    }
  }

  /** Takes over what `state` gave; CheckpointError when a tensor is missing or of another shape. */
  restore(read: (name: string) => Tensor | undefined): void {
    for (const [name, target] of this.state()) {
      const stored = read(name)
      if (stored === undefined || stored.shape.join() !== target.shape.join()) {
        throw new CheckpointError(
          `optimizer state: expected ${name} [${target.shape}], got ${stored === undefined ? 'nothing' : `[${stored.shape}]`}. The checkpoint is of another model`,
        )
      }
      target.copy_(stored)
    }
  }

  free(): void {
    for (const { mean, square, step } of this.slots) for (const tensor of [mean, square, step]) tensor.free()
  }
}
