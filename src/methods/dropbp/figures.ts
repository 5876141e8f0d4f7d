// What DropBP decided, as blocks of a report: how sensitive each branch was, and how often it is dropped.

import type { BranchFlops } from '../../probe/flops.ts'
import { percent } from '../../report/amounts.ts'
import type { ReportBlock } from '../../report/report.ts'
import type { RuleFigures } from '../../train/rule.ts'

/** The metric of how much was left out. */
export const FLOP_FRACTION = 'dropbp/flop_fraction'

/** The state of a rule that is drawn. */
interface Decided {
  branches: readonly Pick<BranchFlops, 'block' | 'kind'>[]
  rates: Float64Array
  sensitivities: Float64Array | null
}

/** How much of the backward pass was left out, as asked and as done (`mean`, over all steps), and what was decided. */
export function dropBpSection(decided: Decided, rate: number, mean: number | undefined): RuleFigures {
  const blocks = dropBpFigures(decided)
  if (mean === undefined) return { blocks }
  return {
    lead: `Of the FLOPs of attention and MLP branches, ${percent(mean)} were left out of the backward pass; ${percent(rate)} was asked for.`,
    key: [{ label: 'FLOPs dropped', value: percent(mean), detail: `asked for ${percent(rate)}` }],
    charts: [{ metric: FLOP_FRACTION, title: 'FLOPs dropped', y: "of the branches' FLOPs", isShare: true }],
    blocks,
  }
}

/** Two bar charts, branch by branch from the bottom; the first only after sensitivities were measured. */
export function dropBpFigures({ branches, rates, sensitivities }: Decided): ReportBlock[] {
  const bars = (values: Float64Array): { label: string; value: number }[] =>
    branches.map(({ block, kind }, i) => ({ label: `${kind === 'mlp' ? 'MLP' : kind} ${block}`, value: values[i]! }))
  const largest = sensitivities?.reduce((a, b) => Math.max(a, b), 0) || 1
  const rateChart: ReportBlock = {
    kind: 'bar-chart',
    title: 'Drop rate of each branch',
    unit: 'of the micro-batches have no backward pass',
    isShare: true,
    bars: bars(rates),
  }
  if (sensitivities === null) return [rateChart]
  return [
    {
      kind: 'bar-chart',
      title: 'Sensitivity of each branch',
      unit: 'squared change of the gradient when it is dropped, largest = 1',
      bars: bars(sensitivities.map((value) => value / largest)),
    },
    rateChart,
  ]
}
