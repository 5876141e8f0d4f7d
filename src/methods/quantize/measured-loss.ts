// What formats cost, measured: cross-entropy, or the divergence from the dense model, per token on fixed batches. The same batches for
// every assignment (common random numbers), so that differences are the assignments' own.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Assignment } from '../../probe/budget-assignment.ts'
import { unchanged } from '../../probe/intervention.ts'
import { crossEntropyMetric, divergenceMetric, type Metric } from '../../probe/metric.ts'
import { type MeasureWatch, type Probe, probeTable } from '../../probe/probe.ts'
import { languageModeling } from '../../train/objective.ts'
import { Count } from '../../work.ts'
import type { QuantObjective } from './choices.ts'
import type { WeightBank } from './weight-bank.ts'

/** Measures on a dense model; free it before the model changes for good. */
export class MeasuredLoss {
  private readonly probe: Probe
  private readonly metric: Metric
  private readonly bank: WeightBank
  private readonly tokens: number
  private readonly watch: MeasureWatch
  private base: number | undefined

  constructor(
    model: Decoder,
    bank: WeightBank,
    batches: readonly Batch[],
    objective: QuantObjective,
    watch: MeasureWatch = {},
  ) {
    this.bank = bank
    this.metric = objective === 'kl' ? divergenceMetric(model, batches) : crossEntropyMetric(model)
    this.probe = { model, batches, metric: this.metric, label: objective, cells: watch.cells, watch }
    this.watch = watch
    this.tokens = batches.reduce((sum, batch) => sum + languageModeling().weight(batch), 0)
    if (objective === 'kl') this.base = 0
  }

  /** The loss when one unit alone is in a format, in nats per token above the dense model: [unit][format]. Tells of `measuring` in batches. */
  async sensitivities(): Promise<number[][]> {
    const { units, formats } = this.bank
    const interventions = units.flatMap((_, unit) => formats.map((__, option) => this.bank.unitAs(unit, option)))
    const base = await this.dense()
    const total = interventions.length * this.probe.batches.length
    const count = new Count(this.watch, { label: 'measuring', unit: 'batches', total })
    const losses = this.meansOf(await probeTable({ ...this.probe, count }, interventions)).map((loss) => loss - base)
    return units.map((_, unit) => losses.slice(unit * formats.length, (unit + 1) * formats.length))
  }

  /** The loss of a whole assignment, in nats per token above the dense model; NaN without batches. */
  async of(assignment: Assignment): Promise<number> {
    const base = await this.dense()
    return this.meansOf(await probeTable(this.probe, [this.bank.wholeAs(assignment)]))[0]! - base
  }

  free(): void {
    this.metric.free?.()
  }

  private async dense(): Promise<number> {
    this.base ??= this.meansOf(await probeTable(this.probe, [unchanged]))[0]!
    return this.base
  }

  private meansOf(table: readonly number[][][]): number[] {
    return table.map((batches) => batches.reduce((sum, [value = 0]) => sum + value, 0) / this.tokens)
  }
}
