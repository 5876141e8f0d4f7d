// What DropBP decided, as blocks of a report: how sensitive each branch was, and how often it is dropped.

import type { BranchFlops } from '../../probe/flops.ts'
import type { ReportBlock } from '../../report/report.ts'

/** Two bar charts, branch by branch from the bottom; the first only after sensitivities were measured. */
export function dropBpFigures({
  branches,
  rates,
  sensitivities,
}: {
  branches: readonly Pick<BranchFlops, 'block' | 'kind'>[]
  rates: Float64Array
  sensitivities: Float64Array | null
}): ReportBlock[] {
  const bars = (values: Float64Array): { label: string; value: number }[] =>
    branches.map(({ block, kind }, i) => ({ label: `${block} ${kind}`, value: values[i]! }))
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
