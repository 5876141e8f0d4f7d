// The search behind `sleb`: what is out at the moment, and the loops that decide what goes next. Units are left out by branch rules;
// cells are named after everything that is out, so equal models are measured once, also across swaps and runs.
import { type Batch, IGNORE_INDEX } from '../../data/batch.ts'
import { NonFiniteError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { crossEntropyMetric, divergenceMetric, type Metric } from '../../probe/metric.ts'
import { type CellStore, type Probe, probeTable } from '../../probe/probe.ts'
import { type Entry, type Race, race } from '../../probe/race.ts'
import { shiftLabels } from '../../train/objective.ts'
import { Count } from '../../work.ts'
import { blockInfluence } from './block-influence.ts'
import type { ResolvedOptions } from './options.ts'
import type { Candidate, SlebResult, SlebStep, SlebWatch } from './result.ts'
import { leavingOut, nameOf, type Unit } from './unit.ts'

/** One search on one model; `end` puts everything back that was left out. */
export class Search {
  private readonly options: ResolvedOptions
  private readonly watch: SlebWatch
  private readonly model: Decoder
  private readonly crossEntropy: Probe
  /** Like `crossEntropy` unless the metric is another one. */
  private readonly probe: Probe
  private readonly metric: Metric
  /** Tokens that are predicted in the first n batches. */
  private readonly tokensUpTo: number[] = [0]
  private readonly positions: number
  private readonly gone: Unit[] = []
  private readonly undo = new Map<Unit, () => void>()
  private readonly steps: SlebStep[] = []
  private measured = 0
  private full = 0
  private readonly batches: Count

  constructor(model: Decoder, batches: readonly Batch[], options: ResolvedOptions, watch: SlebWatch) {
    const { cells = memoryCells(), reuse = true } = watch
    this.batches = new Count(watch, { label: 'searching', unit: 'batches', total: 0 })
    const probeOf = (metric: Metric): Probe => ({
      model,
      batches,
      metric,
      cells,
      reuse,
      label: metric.name,
      count: this.batches,
      watch,
    })
    this.model = model
    this.options = options
    this.watch = watch
    this.crossEntropy = probeOf(crossEntropyMetric(model))
    this.metric = options.metric === 'ce' ? this.crossEntropy.metric : divergenceMetric(model, batches)
    this.probe = options.metric === 'ce' ? this.crossEntropy : probeOf(this.metric)
    this.positions = batches.reduce((sum, { rows, length }) => sum + rows * length, 0)
    for (const batch of batches) {
      const count = shiftLabels(batch).filter((label) => label !== IGNORE_INDEX).length
      this.tokensUpTo.push(this.tokensUpTo.at(-1)! + count)
    }
  }

  async run(units: readonly Unit[]): Promise<Omit<SlebResult, 'pass' | 'options' | 'report'>> {
    const { remove, search, refine } = this.options
    const batches = this.probe.batches.length
    const perStep = Array.from({ length: remove }, (_, i) => units.length - i).reduce((a, b) => a + b, 0)
    // The whole model before, candidates, and what is left at the end; judging at once measures that a second time.
    this.batches.total = batches * (2 + (search === 'greedy' ? perStep : search === 'one-shot' ? units.length + 1 : 2))
    const tokens = this.tokensUpTo.at(-1)!
    const before = (await this.sumNow(this.crossEntropy)) / tokens
    if (!Number.isFinite(before))
      throw new NonFiniteError(`sleb: expected a finite loss of the whole model, got ${before}. Check its weights`)
    if (remove > 0) {
      if (search === 'greedy') await this.removeGreedily(units)
      else await this.removeAtOnce(units)
      if (refine === 'swap') await this.swap(units)
    }
    const after = (await this.sumNow(this.crossEntropy)) / tokens
    const { measured, full, steps } = this
    return { removed: [...this.gone], steps, before, after, measured, full }
  }

  end(): void {
    for (const undo of this.undo.values()) undo()
    this.metric.free?.()
  }

  /** One unit after the other: the one without which the loss is lowest. */
  private async removeGreedily(units: readonly Unit[]): Promise<void> {
    for (let i = 0; i < this.options.remove; i++) {
      const left = units.filter((unit) => !this.gone.includes(unit))
      const { winner, entries } = await this.race(left)
      if (winner < 0)
        throw new NonFiniteError(`sleb: expected a finite loss without one more unit, got none after ${i} units`)
      this.remove(left[winner]!)
      this.step({
        removed: [left[winner]!],
        returned: [],
        sum: entries[winner]!.sum,
        candidates: this.scored(left, entries),
      })
    }
  }

  /** The units with the lowest scores, each judged alone in the whole model. */
  private async removeAtOnce(units: readonly Unit[]): Promise<void> {
    const batches = this.probe.batches.length
    const sums =
      this.options.search === 'cosine'
        ? await blockInfluence(this.model, this.probe.batches, units, {
            cells: this.probe.cells!,
            count: this.batches,
            watch: this.watch,
          })
        : (
            await probeTable(
              this.probe,
              units.map((unit) => leavingOut(unit, [])),
            )
          ).map((row) => row.reduce((sum, [value]) => sum + value!, 0))
    if (this.options.search === 'one-shot') this.count(units.length * batches, units.length * batches)
    const rank = (i: number): number => (Number.isNaN(sums[i]!) ? Number.POSITIVE_INFINITY : sums[i]!)
    const order = [...units.keys()].sort((a, b) => rank(a) - rank(b) || a - b).slice(0, this.options.remove)
    for (const i of order) this.remove(units[i]!)
    const all = this.options.search === 'cosine' ? this.positions : this.tokensUpTo.at(-1)!
    const candidates = units.map((unit, i) => ({ unit, score: sums[i]! / all, share: 1 }))
    this.step({ removed: order.map((i) => units[i]!), returned: [], sum: await this.sumNow(this.probe), candidates })
  }

  /** Exchanges one removed unit for a kept one, while that lowers the loss. */
  private async swap(units: readonly Unit[]): Promise<void> {
    this.batches.total += this.probe.batches.length
    let current = await this.sumNow(this.probe)
    for (let isBetter = true; isBetter; ) {
      isBetter = false
      for (const out of [...this.gone]) {
        const left = units.filter((unit) => !this.gone.includes(unit))
        if (left.length === 0) return
        this.batches.total += left.length * this.probe.batches.length
        const place = this.putBack(out)
        const { winner, entries } = await this.race(left, current)
        const next = winner < 0 ? out : left[winner]!
        this.remove(next, place)
        if (winner < 0) continue
        isBetter = true
        current = entries[winner]!.sum
        this.step({ removed: [next], returned: [out], sum: current, candidates: this.scored(left, entries) })
      }
    }
  }

  private async race(left: readonly Unit[], bound = Number.POSITIVE_INFINITY): Promise<Race> {
    const found = await race(
      this.probe,
      left.map((unit) => leavingOut(unit, this.gone)),
      { bound, exhaustive: !this.options.racing },
    )
    const run = found.entries.reduce((sum, { batches }) => sum + batches, 0)
    this.count(run, left.length * this.probe.batches.length)
    return found
  }

  /** The metric of the model as it stands, summed over all batches. */
  private async sumNow(probe: Probe): Promise<number> {
    const asItIs = { name: nameOf(this.gone), firstBlock: 0, apply: () => () => {} }
    const [row = []] = await probeTable(probe, [asItIs])
    return row.reduce((sum, [value]) => sum + value!, 0)
  }

  private remove(unit: Unit, place: number = this.gone.length): void {
    this.undo.set(unit, leavingOut(unit, []).apply(this.model))
    this.gone.splice(place, 0, unit)
  }

  private putBack(unit: Unit): number {
    this.undo.get(unit)!()
    this.undo.delete(unit)
    const place = this.gone.indexOf(unit)
    this.gone.splice(place, 1)
    return place
  }

  private step({ sum, ...step }: Omit<SlebStep, 'loss' | 'metric'> & { sum: number }): void {
    const loss = sum / this.tokensUpTo.at(-1)!
    this.steps.push({ ...step, loss, metric: this.options.metric })
    const names = (units: readonly Unit[]): string => units.map(({ name }) => name).join(', ')
    const { removed, returned } = step
    const row = { removed: names(removed), returned: names(returned), metric: this.options.metric, loss }
    this.watch.tell?.({ type: 'row', table: 'steps', row })
  }

  private scored(units: readonly Unit[], entries: readonly Entry[]): Candidate[] {
    return units.map((unit, i) => {
      const { sum, batches } = entries[i]!
      return { unit, score: sum / this.tokensUpTo[batches]!, share: batches / this.probe.batches.length }
    })
  }

  private count(measured: number, full: number): void {
    this.measured += measured
    this.full += full
  }
}

function memoryCells(): CellStore {
  const cells = new Map<string, number[]>()
  return { get: (key) => cells.get(key), append: (key, numbers) => void cells.set(key, numbers) }
}
