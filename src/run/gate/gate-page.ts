// What gates are worth, as lines for a terminal and as a page.
import { percent } from '../../report/amounts.ts'
import { renderReport } from '../../report/report.ts'
import { pageFooter } from '../page-footer.ts'
import type { GateResult, GateSweep } from './sweep-gates.ts'

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${(100 * Math.abs(value)).toFixed(1)}`

/** One line a gate. */
export function gateLines({ gates }: GateSweep): string[] {
  const width = Math.max(...gates.map(({ gate }) => gate.length))
  return gates.map(
    ({ gate, accuracy, retrieverCalls, aucWithinRelations, againstFull: { difference, low, high, p } }) =>
      `${gate.padEnd(width)}  accuracy ${percent(accuracy)}, retrieved ${percent(retrieverCalls)}, ${signed(difference)} points against full [${signed(low)}, ${signed(high)}], p = ${p.toPrecision(2)}${
        aucWithinRelations === null ? '' : `, AUC within relations ${aucWithinRelations.toFixed(3)}`
      }`,
  )
}

/** The page of a sweep. */
export function gatePage(sweep: GateSweep, model: string): string {
  const { gates, questions, label, seed } = sweep
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
          {
            kind: 'line-chart',
            title: 'Accuracy at every share of retrieval',
            x: 'share retrieved',
            y: 'accuracy',
            series: gates
              .filter(({ gate, curve }) => curve.length > 1 && !/probe, layer (?!1$)/.test(gate))
              .map(({ gate, curve }) => ({ name: gate, points: curve.map(([x, y]) => [x, y] as const) })),
          },
        ],
      },
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
    ],
    footer: pageFooter(),
  })
}
