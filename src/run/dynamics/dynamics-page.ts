// The page of a run's dynamics: how far weights of each kind moved over the steps and over the blocks, which tokens moved, what tasks say.
import type { KeyFigure } from '../../report/blocks.ts'
import { type ReportBlock, type ReportSection, renderReport } from '../../report/report.ts'
import { formatNumber } from '../../report/scale.ts'
import type { Point, Series } from '../../report/series.ts'
import { overlapBlocks } from '../eval/eval-page.ts'
import { pageFooter } from '../page-footer.ts'
import type { CheckpointDynamics, Dynamics, MovedRows, MovedWeight } from './dynamics.ts'

type Measure = 'meanAbs' | 'relative' | 'angle' | 'topAngle'

/** One HTML file. */
export function dynamicsPage(dynamics: Dynamics): string {
  const { run, base, checkpoints } = dynamics
  return renderReport({
    title: 'Dynamics',
    subtitle: run,
    about: [`against ${base}`],
    sections: [
      { title: 'At a glance', blocks: [{ kind: 'key-figures', figures: figuresOf(dynamics) }] },
      movedSection(dynamics),
      ...Object.keys(checkpoints.at(-1)!.rows).map((name) => rowsSection(name, checkpoints)),
      ...scoresSection(dynamics),
    ],
    footer: pageFooter(),
  })
}

function figuresOf({ checkpoints, base }: Dynamics): KeyFigure[] {
  const last = checkpoints.at(-1)!
  const by = typesOf(last)
  const most = [...by]
    .map(([type, list]) => [type, mean(list, 'meanAbs') ?? 0] as const)
    .sort((a, b) => b[1] - a[1])[0]!
  return [
    { label: 'Checkpoints', value: String(checkpoints.length), detail: `against ${base}` },
    {
      label: 'Mean change of a number',
      value: formatNumber(mean(last.weights, 'meanAbs') ?? 0),
      detail: `step ${last.step}`,
    },
    { label: 'Moved most', value: most[0], detail: `${formatNumber(most[1])} on average` },
  ]
}

function movedSection({ checkpoints, topK }: Dynamics): ReportSection {
  const overSteps = (title: string, y: string, measure: Measure, note?: string): ReportBlock[] => {
    const series = seriesOf(checkpoints, measure)
    if (series.length === 0) return []
    return [{ kind: 'line-chart', title, x: 'step', y, series, fromZero: true, ...(note !== undefined && { note }) }]
  }
  const last = checkpoints.at(-1)!
  const overBlocks: Series[] = [...typesOf(last)].flatMap(([name, list]) => {
    const points = list.flatMap(({ layer, meanAbs }): Point[] => (layer === null ? [] : [[layer, meanAbs]]))
    return points.length < 2 ? [] : [{ name, points: averaged(points) }]
  })
  return {
    title: 'How far weights moved',
    lead: 'Every weight of a checkpoint against the same one of the base; lines are means over the blocks.',
    blocks: [
      ...overSteps('Mean change of a number', 'mean |ΔW|', 'meanAbs'),
      ...overSteps('Change as a share of the norm', '‖ΔW‖ / ‖W‖', 'relative'),
      ...overSteps(
        `Angle between the ${topK} strongest directions`,
        'degrees',
        'topAngle',
        `Mean principal angle between the spaces of the ${topK} strongest left singular vectors (at most half of what there are).`,
      ),
      ...overSteps(
        'Angle between column spaces',
        'degrees',
        'angle',
        'Only of matrices with more rows than columns: others span everything, before and after.',
      ),
      ...(overBlocks.length === 0
        ? []
        : [
            {
              kind: 'line-chart' as const,
              title: `Over the blocks, at step ${last.step}`,
              x: 'block',
              y: 'mean |ΔW|',
              series: overBlocks,
              fromZero: true,
            },
          ]),
    ],
  }
}

function rowsSection(name: string, checkpoints: readonly CheckpointDynamics[]): ReportSection {
  const line = (title: string, pick: (rows: MovedRows) => number): Series => ({
    name: title,
    points: checkpoints.map(({ step, rows }): Point => [step, pick(rows[name]!)]),
    style: checkpoints.length < 3 ? 'marked' : 'line',
  })
  const last = checkpoints.at(-1)!.rows[name]!
  const shown = (token: string, id: number): string => (token === '' ? `#${id}` : `${JSON.stringify(token)} #${id}`)
  return {
    title: name === 'lm_head' ? 'Tokens of the output head' : 'Tokens of the embedding',
    lead: `The sum of |ΔE| over the numbers of a token. At the last checkpoint ${formatNumber(100 * last.moved)} % of the tokens have moved, ${formatNumber(100 * last.aboveMean)} % by more than the mean.`,
    blocks: [
      {
        kind: 'line-chart',
        title: 'How far tokens moved',
        x: 'step',
        y: 'Σ |ΔE|',
        series: [
          line('most', ({ most }) => most),
          line('mean', ({ mean }) => mean),
          line('least', ({ least }) => least),
        ],
        fromZero: true,
      },
      {
        kind: 'table',
        caption: 'At the last checkpoint',
        columns: ['Moved most', 'Σ |ΔE|', 'Moved least', 'Σ |ΔE| '],
        rows: last.farthest.map(({ token, id, distance }, i) => {
          const other = last.nearest[i]!
          return [shown(token, id), distance, shown(other.token, other.id), other.distance]
        }),
      },
    ],
  }
}

function scoresSection({ checkpoints, baseScores, evalLoss, evalLosses = {}, leakage }: Dynamics): ReportSection[] {
  const names = Object.keys(checkpoints.at(-1)!.scores ?? {})
  const charts = names.map((name): ReportBlock => {
    const first: Point[] = baseScores?.[name] === undefined ? [] : [[0, baseScores[name]!]]
    const points = [...first, ...checkpoints.map(({ step, scores }): Point => [step, scores?.[name] ?? Number.NaN])]
    const metric = name.split(': ').at(-1)!
    return {
      kind: 'line-chart',
      title: name,
      x: 'step',
      y: metric,
      series: [{ name: metric, points, style: 'marked' }],
    }
  })
  const loss: ReportBlock[] =
    evalLoss.length < 2
      ? []
      : [
          {
            kind: 'line-chart',
            title: 'Loss on held-out text',
            x: 'step',
            y: 'eval_loss',
            series: [
              { name: 'eval_loss', points: evalLoss },
              ...Object.entries(evalLosses).map(([name, points]): Series => ({ name, points })),
            ],
          },
        ]
  const blocks = [...charts, ...loss]
  const found = overlapBlocks(leakage)
  return blocks.length === 0
    ? []
    : [{ title: 'What it did for the model', lead: 'Step 0 is the base.', blocks: [...blocks, ...found] }]
}

const typesOf = ({ weights }: CheckpointDynamics): Map<string, MovedWeight[]> => {
  const by = new Map<string, MovedWeight[]>()
  for (const weight of weights) by.set(weight.type, [...(by.get(weight.type) ?? []), weight])
  return by
}

function mean(list: readonly MovedWeight[], measure: Measure): number | null {
  const values = list.map((weight) => weight[measure]).filter((value) => value !== null)
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
}

/** A line for each kind of weight; kinds without the measure have none. */
function seriesOf(checkpoints: readonly CheckpointDynamics[], measure: Measure): Series[] {
  return [...typesOf(checkpoints.at(-1)!).keys()].flatMap((name) => {
    const points = checkpoints.flatMap((checkpoint): Point[] => {
      const value = mean(typesOf(checkpoint).get(name) ?? [], measure)
      return value === null ? [] : [[checkpoint.step, value]]
    })
    return points.length === 0 ? [] : [{ name, points, style: points.length < 3 ? 'marked' : 'line' }]
  })
}

/** Points of one x become their mean: a block has several norms. */
function averaged(points: readonly Point[]): Point[] {
  const by = new Map<number, number[]>()
  for (const [x, y] of points) by.set(x, [...(by.get(x) ?? []), y])
  return [...by].sort(([a], [b]) => a - b).map(([x, ys]): Point => [x, ys.reduce((sum, y) => sum + y, 0) / ys.length])
}
