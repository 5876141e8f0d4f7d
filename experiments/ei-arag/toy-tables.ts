// What the toy worlds say, over seeds: each seed is a world and a model of its own, so the interval of their means is that of both.

import { GATE_LABELS, type GateLabel } from '../../src/eval/gates/gate-record.ts'
import { PythonRandom } from '../../src/eval/python-random.ts'
import { markdownTable, statistics } from '../setting/statistics.ts'
import { type GateRow, TUNED_WORDS } from './measure.ts'
import type { ToyResults, ToySeed } from './run.ts'

/** What is compared with what, the same questions of the same seed of models of so many blocks. */
const contrasts = (blocks: number): readonly (readonly [string, string])[] => [
  ['MLP probe, layer 1', 'words of the question'],
  ['linear probe, layer 1', 'words of the question'],
  ['MLP probe, layer 1', TUNED_WORDS],
  ['MLP probe, layer 0', TUNED_WORDS],
  ['MLP probe, layer 1', 'MLP probe, layer 0'],
  ['MLP probe, layer 1', 'MLP probe, layer 1 of an untrained model'],
  ['MLP probe, layer 1', `MLP probe, layer ${blocks}`],
  ['MLP probe, layer 1', 'MLP probe, last state of the prompt'],
  ['MLP probe, layer 1', 'max-probability'],
  ['MLP probe, layer 1', 'popularity'],
  ['MLP probe, layer 1', 'relation'],
  ['MLP probe, layer 1', 'full'],
  ['MLP probe, layer 1', 'none'],
]

/** A mean over seeds with two 95 % intervals. */
export interface OverSeeds {
  mean: number
  /** Half of Student's interval. */
  half: number
  /** Seeds drawn with replacement, 10,000 times. */
  low: number
  high: number
  seeds: number
}

export function overSeeds(values: readonly number[]): OverSeeds {
  const { mean, halfWidth } = statistics(values)
  const random = new PythonRandom(1)
  const means = Array.from({ length: 10_000 }, () => {
    let sum = 0
    for (let i = 0; i < values.length; i++) sum += values[random.below(values.length)]!
    return sum / values.length
  }).sort((a, b) => a - b)
  return { mean, half: halfWidth, low: means[250]!, high: means[9749]!, seeds: values.length }
}

export type Figure = 'accuracy' | 'retrieverCalls' | 'auc' | 'aucWithinRelations' | 'gain'

/** The differences, one for each seed that has both. */
export function differences(
  results: ToyResults,
  label: GateLabel,
  [one, other]: readonly [string, string],
  figure: Figure,
): number[] {
  return results.seeds.flatMap(({ gates }) => {
    const [a, b] = [one, other].map((name) => gates[label].find(({ gate }) => gate === name)?.[figure] ?? null)
    return a === null || b === null || a === undefined || b === undefined ? [] : [a - b]
  })
}

export function writeTables(results: ToyResults): string {
  const { seeds, machine, size, shape, lessons, every = 1 } = results
  const went = (of: (one: ToySeed) => number): string => shown(seeds.map(of), 1)
  const parts = [
    `${machine}${shape.device === undefined ? '; one thread' : ''}. ${seeds.length} seeds (${seeds.map(({ seed }) => seed).join(', ')}), each a world, a tokenizer and a model of its own.`,
    `World: ${JSON.stringify(size)}. Model: ${JSON.stringify(shape)}, ${seeds[0]!.parameters} parameters. Rows of ${lessons.length} tokens, ${lessons.rows} a step.`,
    `Questions of a seed: ${JSON.stringify(seeds[0]!.sizes)}${every === 1 ? '' : `, one for every ${every} entities`}. Intervals are 95 % over seeds: ± is Student's, [ ] is of seeds drawn 10,000 times.`,
    '',
    markdownTable(
      'How questions went, all of them (% ± half the interval)',
      [
        'tokens',
        'closed-book',
        'with the passage',
        'where the passage is right',
        'harmed of known',
        'rescued',
        'both',
        'neither',
      ],
      [
        [
          Math.round(statistics(seeds.map(({ tokens }) => tokens)).mean),
          went(({ went }) => went.closed),
          went(({ went }) => went.retrieved),
          went(({ went }) => went.withRightDocument),
          went(({ went }) => went.harmedOfKnown),
          went(({ went }) => went.rescued),
          went(({ went }) => went.both),
          went(({ went }) => went.neither),
        ],
      ],
    ),
    '',
  ]
  for (const label of GATE_LABELS) {
    const names = seeds[0]!.gates[label].map(({ gate }) => gate)
    const cell = (gate: string, figure: keyof GateRow, digits: number): string => {
      const found = seeds.flatMap(({ gates }) => {
        const value = gates[label].find((row) => row.gate === gate)?.[figure]
        return typeof value === 'number' ? [value] : []
      })
      return found.length === 0
        ? ''
        : shown(found, digits, figure === 'auc' || figure === 'aucWithinRelations' ? 1 : 100)
    }
    parts.push(
      markdownTable(
        `Gates, label ${label}: held-out questions, threshold tuned on others (accuracy, retrieved and gain of area in %)`,
        ['gate', 'accuracy', 'retrieved', 'AUC "knows"', 'AUC within relations', 'gain of area', 'rescued', 'harmed'],
        names.map((gate) => [
          gate,
          cell(gate, 'accuracy', 1),
          cell(gate, 'retrieverCalls', 1),
          cell(gate, 'auc', 3),
          cell(gate, 'aucWithinRelations', 3),
          cell(gate, 'gain', 2),
          cell(gate, 'rescued', 1),
          cell(gate, 'harmed', 1),
        ]),
      ),
      '',
      markdownTable(
        `Differences in pairs, label ${label}: accuracy in points, AUC`,
        ['gate − other', 'accuracy', 'AUC "knows"', 'AUC within relations', 'gain of area'],
        contrasts(shape.layers).map((pair) => [
          `${pair[0]} − ${pair[1]}`,
          difference(differences(results, label, pair, 'accuracy'), 100, 2),
          difference(differences(results, label, pair, 'auc'), 1, 3),
          difference(differences(results, label, pair, 'aucWithinRelations'), 1, 3),
          difference(differences(results, label, pair, 'gain'), 100, 2),
        ]),
      ),
      '',
    )
  }
  return `${parts.join('\n')}\n`
}

function shown(values: readonly number[], digits: number, times = 100): string {
  const { mean, halfWidth } = statistics(values.map((value) => value * times))
  return Number.isNaN(halfWidth) ? mean.toFixed(digits) : `${mean.toFixed(digits)} ± ${halfWidth.toFixed(digits)}`
}

function difference(values: readonly number[], times: number, digits: number): string {
  if (values.length === 0) return ''
  const { mean, half, low, high } = overSeeds(values.map((value) => value * times))
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`
  return Number.isNaN(half)
    ? signed(mean)
    : `${signed(mean)} ± ${half.toFixed(digits)} [${signed(low)}, ${signed(high)}]`
}
