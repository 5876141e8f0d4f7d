// What gates are worth, as lines for a terminal and as a page.
import { percent } from '../../report/amounts.ts'
import { type ReportBlock, type ReportSection, renderReport } from '../../report/report.ts'
import { pageFooter } from '../page-footer.ts'
import type { Cost } from './gate-cost.ts'
import type { GateResult, GateSweep } from './sweep-gates.ts'

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${(100 * Math.abs(value)).toFixed(1)}`

/** One line a gate. */
export function gateLines({ gates, left_out = [] }: GateSweep): string[] {
  const width = Math.max(...gates.map(({ gate }) => gate.length))
  const lines = gates.map(
    ({ gate, accuracy, retrieverCalls, aucWithinRelations, againstFull: { difference, low, high, p } }) =>
      `${gate.padEnd(width)}  accuracy ${percent(accuracy)}, retrieved ${percent(retrieverCalls)}, ${signed(difference)} points against full [${signed(low)}, ${signed(high)}], p = ${p.toPrecision(2)}${
        aucWithinRelations === null ? '' : `, AUC within relations ${aucWithinRelations.toFixed(3)}`
      }`,
  )
  return [...lines, ...left_out.map(({ gate, why }) => `${gate}: left out, ${why}`)]
}

/** The page of a sweep. */
export function gatePage(sweep: GateSweep, model: string): string {
  const { gates, questions, label, seed, left_out = [] } = sweep
  const share = (value: number): string => percent(value)
  const figure = (value: number | null): number | null => (value === null ? null : Number(value.toFixed(3)))
  const rows = (of: (gate: GateResult) => (string | number | null)[]) => gates.map((gate) => [gate.gate, ...of(gate)])
  return renderReport({
    title: 'Gates of retrieval',
    subtitle: `${model}: ${questions.test} questions, fitted on ${questions.train}, thresholds tuned on ${questions.validation}`,
    about: [`label ${label}`, `seed ${seed}`],
    sections: [
      {
        title: 'Accuracy and retrieval',
        lead: 'Accuracy counts answers that contain a right one. A gate that draws lots has the accuracy of the column “by lot” at the same share.',
        blocks: [
          {
            kind: 'table',
            columns: ['gate', 'accuracy', 'retrieved', 'by lot', 'rescued', 'harmed', 'both right', 'both wrong'],
            rows: rows((gate) =>
              [
                gate.accuracy,
                gate.retrieverCalls,
                gate.randomAccuracy,
                gate.rescued,
                gate.harmed,
                gate.both,
                gate.neither,
              ].map(share),
            ),
          },
          ...curves(sweep),
        ],
      },
      ...(gates.some(({ cost }) => cost) ? [costs(gates)] : []),
      {
        title: 'Against full retrieval and none',
        lead: 'Differences in points of accuracy over the same questions, 95 % interval, McNemar’s p.',
        blocks: [
          {
            kind: 'table',
            columns: ['gate', 'against full', 'interval', 'p', 'against none', 'interval', 'p'],
            rows: rows(({ againstFull, againstNone }) =>
              [againstFull, againstNone].flatMap(({ difference, low, high, p }) => [
                signed(difference),
                `${signed(low)} to ${signed(high)}`,
                Number(p.toPrecision(2)),
              ]),
            ),
          },
        ],
      },
      {
        title: 'Self-knowledge',
        lead: 'AdaRAGUE’s figures. Over- and underconfidence are shares of all questions; the areas tell questions that the model gets wrong by itself from the others.',
        blocks: [
          {
            kind: 'table',
            columns: [
              'gate',
              'EM',
              'F1',
              'AUC',
              'AUC within relations',
              'correlation',
              'over',
              'under',
              'self-knowledge',
              'model calls',
              'area',
              'gain',
            ],
            rows: rows((gate) =>
              [
                gate.exactMatch,
                gate.f1,
                gate.auc,
                gate.aucWithinRelations,
                gate.correlation,
                gate.overconfidence,
                gate.underconfidence,
                gate.selfKnowledge,
                gate.modelCalls,
                gate.area,
                gate.gain,
              ].map(figure),
            ),
          },
        ],
      },
      ...(left_out.length === 0 ? [] : [leftOut(left_out)]),
    ],
    footer: pageFooter(),
  })
}

const LAYER = /probe, layer (\d+)$/

/** The curves in groups that can be told apart, each with the straight line of lots; and what probes make of each layer. */
function curves({ gates }: GateSweep): ReportBlock[] {
  const [none, full] = ['none', 'full'].map((name) => gates.find(({ gate }) => gate === name)!)
  const lots = {
    name: 'by lot',
    points: [
      [0, none!.accuracy],
      [1, full!.accuracy],
    ] as const,
  }
  const layers = gates.flatMap(({ gate }) => LAYER.exec(gate)?.[1] ?? []).map(Number)
  const shown = [0, 1, Math.max(...layers)]
  const groups = [
    ['Before any model is asked', ({ gate }) => /^(popularity|relation|words)/.test(gate)],
    ['By how sure the model is of its answer', ({ gate }) => /^(max-|mean-|p-true)/.test(gate)],
    ['By what it says when it is asked', ({ gate }) => /^asked/.test(gate)],
    [
      'MLP probes of the first, second and last layer',
      ({ gate }) => gate.startsWith('MLP') && shown.includes(Number(LAYER.exec(gate)?.[1] ?? -1)),
    ],
  ] as const satisfies readonly (readonly [string, (gate: GateResult) => boolean])[]
  const charts: ReportBlock[] = groups.flatMap(([title, isIn]) => {
    const own = gates.filter((gate) => gate.curve.length > 1 && isIn(gate))
    if (own.length === 0) return []
    const series = own.map(({ gate, curve }) => ({ name: gate, points: curve.map(([x, y]) => [x, y] as const) }))
    return [{ kind: 'line-chart', title, x: 'share retrieved', y: 'accuracy', series: [lots, ...series] }]
  })
  if (layers.length === 0) return charts
  const areas = (kind: string) =>
    gates.flatMap(({ gate, area }) =>
      gate.startsWith(kind) && LAYER.test(gate) && area !== null ? [[Number(LAYER.exec(gate)![1]), area] as const] : [],
    )
  const series = ['linear', 'MLP'].map((kind) => ({ name: `${kind} probe`, points: areas(kind) }))
  return [
    ...charts,
    { kind: 'line-chart', title: 'Probes of every layer', x: 'layer', y: 'area under the curve', series },
  ]
}

function costs(gates: readonly GateResult[]): ReportSection {
  const told = (value: number): string =>
    value === 0
      ? '0'
      : value < 0.001
        ? '< 0.001'
        : Number(value.toPrecision(3)).toLocaleString('en', { maximumFractionDigits: 6 })
  const ms = (cost: Cost): string => told(1000 * cost.seconds)
  const mega = (cost: Cost): string | null => (cost.flops === null ? null : told(cost.flops / 1e6))
  return {
    title: 'Cost for each question',
    lead: 'Milliseconds as they were measured, and millions of operations of the model from its shapes, with nothing read before. A gate that reads the model’s own answer has made it.',
    blocks: [
      {
        kind: 'table',
        columns: ['gate', 'decide ms', 'search ms', 'answer ms', 'decide MFLOP', 'answer MFLOP', 'all MFLOP'],
        rows: gates.flatMap(({ gate, cost }) => {
          if (!cost) return []
          const { decision, retrieval, answer } = cost
          const all = [decision, answer].map(({ flops }) => flops ?? Number.NaN).reduce((a, b) => a + b)
          const sum = { seconds: 0, flops: Number.isNaN(all) ? null : all }
          return [[gate, ms(decision), ms(retrieval), ms(answer), mega(decision), mega(answer), mega(sum)]]
        }),
      },
    ],
  }
}

const leftOut = (gates: GateSweep['left_out']): ReportSection => ({
  title: 'Left out',
  blocks: [{ kind: 'table', columns: ['gate', 'why'], rows: gates.map(({ gate, why }) => [gate, why]) }],
})
