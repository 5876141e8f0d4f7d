// What real questions say. There is one model: gates are means over splits of the same questions, and have no interval over models.
import { GATE_LABELS } from '../../src/eval/gates/gate-record.ts'
import { markdownTable, statistics } from '../setting/statistics.ts'
import type { GateRow, Went } from './measure.ts'
import type { RealResults } from './real.ts'

const percent = (value: number | null): string => (value === null ? '' : (100 * value).toFixed(1))

export function writeRealTables({ machine, found, model }: RealResults): string {
  const parts = [
    `${machine}; one thread.`,
    '',
    markdownTable(
      'BM25 (%): what is among its first 1 and 5 passages',
      [
        'questions',
        'n',
        'passages',
        'own passage, 1',
        'own, 5',
        'an answer, 1',
        'an answer, 5',
        'own passages have an answer',
      ],
      found.map((one) => [
        one.what,
        one.questions,
        one.passages,
        ...[one.own1, one.own5, one.answer1, one.answer5, one.told].map(percent),
      ]),
    ),
    '',
  ]
  if (model === undefined) return `${parts.join('\n')}\n`
  const { parameters, tokens, epochs, shape, lessons, byRelation, splits } = model
  const row = (name: string, { questions, closed, retrieved, withRightDocument, ...went }: Went) => [
    name,
    questions,
    ...[closed, retrieved, withRightDocument, went.rescued, went.both, went.harmedOfKnown].map(percent),
    // An oracle is right where either answer is.
    percent(closed + went.rescued),
  ]
  parts.push(
    `One model of ${parameters} parameters, taught ${tokens} tokens (${epochs.toFixed(2)} passes). Model: ${JSON.stringify(shape)}. Lessons: ${JSON.stringify(lessons)}.`,
    '',
    markdownTable(
      'Questions of PopQA about entities of which no question was taught (%)',
      [
        'passage',
        'n',
        'closed-book',
        'with it',
        'where it has an answer',
        'rescued',
        'both',
        'harmed of known',
        'oracle',
      ],
      [
        row("the subject's own", model.own),
        row("BM25's first", model.first),
        ...byRelation.flatMap(({ relation, own, first }) => [
          row(`${relation}: own`, own),
          row(`${relation}: BM25's first`, first),
        ]),
      ],
    ),
    '',
    ...byRelation.map(
      ({ relation, most }) =>
        `${relation}: the most frequent answer of the taught half is right in ${percent(most)} % of the asked questions.`,
    ),
    '',
  )
  if (model.refused !== undefined) parts.push(`No gates: ${model.refused}.`, '')
  if (splits.length === 0) return `${parts.join('\n')}\n`
  for (const label of GATE_LABELS) {
    const mean = (gate: string, figure: keyof GateRow): number | null => {
      const values = splits.flatMap(({ gates }) => {
        const value = gates[label].find((one) => one.gate === gate)?.[figure]
        return typeof value === 'number' ? [value] : []
      })
      return values.length === 0 ? null : statistics(values).mean
    }
    const three = (value: number | null): string => value?.toFixed(3) ?? ''
    parts.push(
      markdownTable(
        `Gates before BM25's first passage, label ${label}: means over ${splits.length} splits of the same questions, ${splits[0]!.sizes.test} held out each`,
        ['gate', 'accuracy', 'retrieved', 'AUC "knows"', 'AUC within relations', 'gain of area'],
        splits[0]!.gates[label].map(({ gate }) => [
          gate,
          percent(mean(gate, 'accuracy')),
          percent(mean(gate, 'retrieverCalls')),
          three(mean(gate, 'auc')),
          three(mean(gate, 'aucWithinRelations')),
          percent(mean(gate, 'gain')),
        ]),
      ),
      '',
    )
  }
  return `${parts.join('\n')}\n`
}
