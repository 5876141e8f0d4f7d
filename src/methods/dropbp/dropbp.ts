// DropBP: leaves out the backward pass of some attention and MLP branches, drawn anew for every micro-batch, which saves their time and
// their activations while the forward pass, and so the loss, stays exact.
// Paper: "DropBP: Accelerating Fine-Tuning of Large Language Models by Dropping Backward Propagation", Woo et al., NeurIPS 2024, arXiv:2402.17812.
//   the gate, y = x + stopgrad(F(x)), and the gain (1 − p)^−γ   branch-gates.ts      which branches, each micro-batch   sample-masks.ts
//   sensitivity S_l, once at 10 % of training                   sensitivity.ts       drop rates p_l from S and FLOPs    allocate-rates.ts
// Symbols: P = `rate`, share of the branches' FLOPs dropped; p_l = `rates`; S_l = `sensitivities`; γ = `scaling`.
import { z } from 'zod'
import { CheckpointError, UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { type BranchFlops, branchFlops } from '../../probe/flops.ts'
import type { LoggedMetrics, MicroBatch, Rule, RuleFigures, RunState } from '../../train/rule.ts'
import { greedyRates, knapsackRates, uniformRates, waterFilling } from './allocate-rates.ts'
import { BranchGates, type Mask } from './branch-gates.ts'
import { dropBpSection, FLOP_FRACTION } from './figures.ts'
import { liveBranches } from './live-branches.ts'
import { checkedSettings, type DropBpOptions, type Settings } from './options.ts'
import { bernoulliSampler, type MaskSampler, maskRandom, pivotalSampler } from './sample-masks.ts'
import { measureSensitivities } from './sensitivity.ts'

/** What `dropbp` hands to the loop, open to plots. */
export interface DropBpRule extends Rule {
  /** The branches that have a backward pass, bottom up; the order of all arrays here. Rates and fractions are shares of their FLOPs. */
  readonly branches: readonly BranchFlops[]
  readonly gates: BranchGates
  /** p_l now. */
  readonly rates: Float64Array
  /** S_l as last measured, or null. */
  readonly sensitivities: Float64Array | null
  /** The mask of micro-batch `microBatch` of step `step`. */
  maskAt(step: number, microBatch: number): Mask
}

/**
 * A rule for `train` that drops the backward pass of branches of `model`. Make it when it is settled which parameters are trained:
 * branches below the lowest one have no backward pass and are not among those to choose from. UsageError for an option out of range.
 *
 * @example
 * for await (const event of train(model, batches, languageModeling(), { steps, learningRate, rules: [dropbp({ rate: 0.5 })(model)] })) …
 */
export function dropbp(options: DropBpOptions): (model: Decoder) => DropBpRule {
  const settings = checkedSettings(options)
  return (model) => new DropBp(settings, model)
}

export type { DropBpOptions } from './options.ts'

const saved = z.strictObject({
  seed: z.int().nonnegative().nullable(),
  measuredAt: z.int().nonnegative().nullable(),
  sensitivities: z.array(z.number().nonnegative()).nullable(),
})

const ALLOCATORS = { 'water-filling': waterFilling, knapsack: knapsackRates, greedy: greedyRates }

class DropBp implements DropBpRule {
  readonly name = 'dropbp'
  readonly title = 'DropBP'
  readonly branches: readonly BranchFlops[]
  readonly gates: BranchGates
  rates: Float64Array
  sensitivities: Float64Array | null = null
  private readonly settings: Settings
  private readonly model: Decoder
  private readonly flops: Float64Array
  private sampler: MaskSampler
  private gains: Float64Array | null = null
  private seed: number | null
  /** Step before which the sensitivities were measured. */
  private measuredAt: number | null = null
  private isNews = false
  private isChecked = false
  /** Share of the FLOPs dropped in each micro-batch of this step. */
  private fractions: number[] = []

  constructor(settings: Settings, model: Decoder) {
    this.settings = settings
    this.model = model
    this.seed = settings.seed ?? null
    this.branches = liveBranches(model, this.branchesOfAll())
    if (this.branches.length === 0)
      throw new UsageError(
        'dropbp: expected something that is trained in or below a block, got only what comes after the last one. Leave dropbp out, there is no backward pass to drop',
      )
    this.flops = Float64Array.from(this.branches, ({ flops }) => flops)
    this.gates = new BranchGates(model, this.branches)
    this.rates = uniformRates(this.branches.length, settings.rate)
    this.sampler = this.samplerOf(this.rates)
  }

  /** A fresh mask for every micro-batch, as in the paper. */
  microStep(run: RunState, batch: MicroBatch, next: () => number): number {
    this.seed ??= run.seed
    if (batch.index === 0) {
      this.fractions = []
      this.isNews = false
      this.checkTrained()
      if (this.isDue(run)) this.measure(run, batch)
    }
    const mask = this.maskAt(run.step, batch.index)
    this.fractions.push(this.fractionOf(mask.dropped))
    return this.gates.run(mask, next)
  }

  maskAt(step: number, microBatch: number): Mask {
    return { dropped: this.sampler.draw(maskRandom(this.seed ?? 0, step, microBatch)), gains: this.gains }
  }

  /** The FLOPs really dropped; after a measurement also every sensitivity and rate. */
  metrics(): Record<string, number> {
    const mean = this.fractions.reduce((a, b) => a + b, 0) / Math.max(1, this.fractions.length)
    const metrics: Record<string, number> = { [FLOP_FRACTION]: mean }
    if (this.isNews) {
      for (const [i, { path }] of this.branches.entries()) {
        metrics[`dropbp/sensitivity/${path}`] = this.sensitivities![i]!
        metrics[`dropbp/rate/${path}`] = this.rates[i]!
      }
    }
    return metrics
  }

  figures({ meanOf }: LoggedMetrics): RuleFigures {
    return dropBpSection(this, this.settings.rate, meanOf(FLOP_FRACTION))
  }

  /** Masks follow from the seed and the step, and rates from the sensitivities. */
  state(): z.infer<typeof saved> {
    const { seed, measuredAt, sensitivities } = this
    return { seed, measuredAt, sensitivities: sensitivities && [...sensitivities] }
  }

  restore(state: unknown): void {
    const parsed = saved.safeParse(state)
    const count = parsed.data?.sensitivities?.length ?? this.branches.length
    if (!parsed.success || count !== this.branches.length) {
      const got = parsed.success ? `${count}` : 'something else'
      throw new CheckpointError(
        `dropbp state: expected sensitivities of ${this.branches.length} branches, got ${got}. Resume with the model and methods that the run began with`,
      )
    }
    const { seed, measuredAt, sensitivities } = parsed.data
    this.seed = seed
    this.measuredAt = measuredAt
    if (sensitivities !== null) this.adopt(Float64Array.from(sensitivities))
  }

  remove(): void {
    this.gates.remove()
  }

  /** Once: what is trained may have been chosen after the rule was made. */
  private checkTrained(): void {
    if (this.isChecked) return
    this.isChecked = true
    if (liveBranches(this.model, this.branchesOfAll()).length !== this.branches.length)
      throw new UsageError(
        'dropbp: expected the parameters that were trained when the rule was made, got others. Make the rule after adapters are added and layers are frozen',
      )
  }

  private branchesOfAll(): BranchFlops[] {
    return branchFlops(this.model.config, this.settings.sequenceLength)
  }

  private isDue(run: RunState): boolean {
    const { allocation, rate, sensitivityAt, refreshEvery = Number.POSITIVE_INFINITY } = this.settings
    if (allocation === 'uniform' || rate === 0) return false
    return this.measuredAt === null
      ? run.step >= Math.floor(sensitivityAt * run.steps)
      : run.step >= this.measuredAt + refreshEvery
  }

  private measure(run: RunState, batch: MicroBatch): void {
    const sensitivities = measureSensitivities({
      gates: this.gates,
      branches: this.branches.length,
      parameters: Array.from(this.model.parameters(), ([, parameter]) => parameter).filter(
        (parameter) => parameter.requiresGrad,
      ),
      generator: this.model.generator,
      loss: () => batch.loss(),
      kind: this.settings.sensitivity,
    })
    // A batch whose numbers are not finite says nothing; the loop deals with it, and the next one is measured.
    if (!sensitivities.every(Number.isFinite)) return
    this.measuredAt = run.step
    this.isNews = true
    this.adopt(sensitivities)
  }

  private adopt(sensitivities: Float64Array): void {
    this.sensitivities = sensitivities
    const { allocation, rate } = this.settings
    if (allocation !== 'uniform') this.rates = ALLOCATORS[allocation](sensitivities, this.flops, rate)
    this.sampler = this.samplerOf(this.rates)
  }

  private samplerOf(rates: Float64Array): MaskSampler {
    const { sampling, rate, scaling } = this.settings
    const sampler = sampling === 'exact' ? pivotalSampler(rates, this.flops) : bernoulliSampler(rates, rate)
    // Departs: the paper's kept branches count once, so long paths through many of them are missing from the gradient on average.
    this.gains = scaling === 0 ? null : sampler.keep.map((keep) => keep ** -scaling)
    return sampler
  }

  private fractionOf(dropped: Uint8Array): number {
    const total = this.flops.reduce((a, b) => a + b, 0)
    return this.flops.reduce((sum, flops, i) => sum + flops * dropped[i]!, 0) / total
  }
}
