// What formats were chosen and what was measured for it, as numbers that JSON holds and as blocks of a report.
import { paretoFront, type SearchEnd, type Trial } from '../../probe/assignment-search.ts'
import { amount } from '../../report/amounts.ts'
import type { ReportBlock } from '../../report/report.ts'
import { type Allocation, searchedText } from './allocate.ts'
import type { QuantObjective } from './choices.ts'
import { formatsByUnit } from './quantize.ts'
import type { WeightBank } from './weight-bank.ts'

/** A unit with its format and what that costs. */
export interface UnitSummary {
  unit: string
  format: string
  bytes: number
  /** Bytes of the matrices in 16 bits. */
  bytes_16_bit: number
  /** By format: what the choice was made by; null where nothing was measured. */
  losses: Record<string, number> | null
}

/** One assignment of formats that was measured. */
export interface TrialSummary {
  formats: string[]
  bits: number
  /** Above the dense model, in nats per token. */
  loss: number
  on_front: boolean
}

/** What a choice of formats is made of. */
export interface FormatsSummary {
  allocate: string
  bits: number
  bytes: number
  bytes_16_bit: number
  units: UnitSummary[]
  trials: TrialSummary[]
  /** Why the search ended; null where there was none. */
  ended: SearchEnd | null
}

export function summariseFormats(bank: WeightBank, allocation: Allocation): FormatsSummary {
  const weights = bank.units.reduce((sum, _, unit) => sum + bank.weights(unit), 0)
  // Without text nothing was measured.
  const trials = allocation.trials.filter(({ loss }) => Number.isFinite(loss))
  const front = new Set(paretoFront(trials))
  return {
    allocate: allocation.method,
    bits: allocation.bits,
    bytes: allocation.bytes,
    bytes_16_bit: 2 * weights,
    units: formatsByUnit(bank, allocation).map(([name, format], unit) => ({
      unit: name,
      format,
      bytes: bank.bytes(unit, allocation.assignment[unit]!),
      bytes_16_bit: 2 * bank.weights(unit),
      losses: lossesOf(bank, allocation, unit),
    })),
    trials: trials.map((trial) => trialSummary(trial, bank, (8 * trial.bytes) / weights, front.has(trial))),
    ended: allocation.ended ?? null,
  }
}

function lossesOf({ formats }: WeightBank, { losses }: Allocation, unit: number): UnitSummary['losses'] {
  return losses && Object.fromEntries(formats.map((format, option) => [format, losses[unit]![option]!]))
}

function trialSummary({ assignment, loss }: Trial, bank: WeightBank, bits: number, isOnFront: boolean): TrialSummary {
  return { formats: assignment.map((option) => bank.formats[option]!), bits, loss, on_front: isOnFront }
}

/** The chosen formats, and everything that was measured against its bytes. */
export function formatFigures(summary: FormatsSummary, objective: QuantObjective): ReportBlock[] {
  const { units, trials, ended } = summary
  const y = objective === 'kl' ? 'KL from the dense model, nats per token' : 'rise of the loss, nats per token'
  const formats = Object.keys(units[0]?.losses ?? {})
  const blocks: ReportBlock[] = []
  if (ended !== null) blocks.push({ kind: 'prose', text: `The search measured ${searchedText(trials.length, ended)}.` })
  if (trials.length > 1) {
    const sorted = trials.toSorted((a, b) => a.bits - b.bits)
    const labelOf = ({ formats: each, bits }: TrialSummary): string => `${bits.toFixed(2)} bits: ${shortened(each)}`
    const series = (name: string, style: 'dots' | 'marked', list: TrialSummary[]) => ({
      name,
      style,
      points: list.map(({ bits, loss }) => [bits, loss] as const),
      labels: list.map(labelOf),
    })
    blocks.push({
      kind: 'line-chart',
      title: 'Bits and loss of everything measured',
      x: 'bits per weight',
      y,
      logY: sorted.every(({ loss }) => loss > 0),
      series: [
        series('measured', 'dots', sorted),
        series(
          'Pareto front',
          'marked',
          sorted.filter((trial) => trial.on_front),
        ),
        series(
          'chosen',
          'dots',
          sorted.filter(({ formats: each }) => each.every((format, i) => format === units[i]!.format)),
        ),
      ],
    })
  }
  blocks.push({
    kind: 'table',
    ...(formats.length > 0 && { caption: `What each format costs alone: ${y}` }),
    columns: ['', 'format', 'size', ...formats],
    rows: units.map(({ unit, format, bytes, losses }) => [
      unit,
      format,
      amount(bytes, 'bytes'),
      ...formats.map((each) => losses?.[each] ?? null),
    ]),
  })
  return blocks
}

const CHOSEN: Record<string, string> = {
  uniform: 'one format for all',
  sensitivity: 'chosen by measured losses',
  fisher: 'chosen by Fisher information',
  bo: 'chosen by Bayesian optimisation',
  mi: 'chosen by mutual information',
}

/** What a page of chosen formats is about, in a line. */
export function formatsSubtitle(model: string, { bits, allocate }: Pick<FormatsSummary, 'bits' | 'allocate'>): string {
  return `${model}, ${bits.toFixed(2)} bits per weight, ${CHOSEN[allocate] ?? `formats by ${allocate}`}`
}

/** `nf2 ×3, nf4, nf2 ×8` */
function shortened(formats: readonly string[]): string {
  const runs: { format: string; count: number }[] = []
  for (const format of formats) {
    const last = runs.at(-1)
    if (last?.format === format) last.count++
    else runs.push({ format, count: 1 })
  }
  const words = runs.map(({ format, count }) => (count === 1 ? format : `${format} ×${count}`))
  return words.length > 12 ? `${words.slice(0, 12).join(', ')} …` : words.join(', ')
}
