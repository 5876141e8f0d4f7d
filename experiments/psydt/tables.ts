// What came of all seeds, as tables: every arm, and the paper's claims one by one.
import { markdownTable, statistics } from '../setting/statistics.ts'
import type { Figures } from './measure.ts'
import type { ArmResult, SeedResult } from './run.ts'

const COLUMNS: readonly (readonly [keyof Figures, string])[] = [
  ['manner', 'manner'],
  ['mannerFirst', 'manner, first turn'],
  ['opening', 'opening'],
  ['questions', 'questions'],
  ['words', 'words'],
  ['wordsDeviation', '± words'],
  ['stage', 'stage'],
  ['picture', 'picture'],
  ['otherPicture', 'other picture'],
  ['rougeL', 'ROUGE-L'],
]

const shown = (values: readonly number[], digits = 3): string => {
  const { mean, halfWidth } = statistics(values)
  return `${mean.toFixed(digits)}${Number.isNaN(halfWidth) ? '' : ` ± ${halfWidth.toFixed(digits)}`}`
}

export function tables(results: readonly SeedResult[]): string {
  const names = results[0]!.arms.map(({ arm }) => arm)
  const of = (name: string): ArmResult[] => results.map(({ arms }) => arms.find(({ arm }) => arm === name)!)
  const rows = names.map((name) => [
    name,
    ...COLUMNS.map(([key]) =>
      shown(
        of(name).map(({ figures }) => figures[key]),
        key.startsWith('words') ? 1 : 3,
      ),
    ),
    shown(of(name).map(({ loss }) => loss)),
    Math.round(statistics(of(name).map(({ tokens }) => tokens)).mean),
  ])
  const paired = (a: string, b: string, figure: (one: ArmResult) => number): string =>
    shown(of(a).map((one, i) => figure(one) - figure(of(b)[i]!)))
  /** Steps until the first arm's loss is no higher than where the second one ends; NaN where it never is. */
  const stepsTo = (name: string, other: string): number[] =>
    of(name).map(({ losses }, i) => {
      const goal = of(other)[i]!.losses.at(-1)![1]
      return losses.find(([, loss]) => loss <= goal)?.[0] ?? Number.NaN
    })
  const last = of('one style, last turn only').map(({ losses }) => losses.at(-1)![0])
  const claims: [string, string][] = [
    ['manner: one style − mixed styles', paired('one style', 'mixed styles', ({ figures }) => figures.manner)],
    [
      'manner of first turns: one style − mixed styles',
      paired('one style', 'mixed styles', ({ figures }) => figures.mannerFirst),
    ],
    [
      'deviation of words: one style − mixed styles',
      paired('one style', 'mixed styles', ({ figures }) => figures.wordsDeviation),
    ],
    [
      'right picture: matched − random case',
      paired('one style', 'one style, random case', ({ figures }) => figures.picture),
    ],
    ['manner: matched − random case', paired('one style', 'one style, random case', ({ figures }) => figures.manner)],
    [
      'manner: one style − the real cases alone',
      paired('one style', 'the real cases alone', ({ figures }) => figures.manner),
    ],
    [
      'right picture: one style − the real cases alone',
      paired('one style', 'the real cases alone', ({ figures }) => figures.picture),
    ],
    ['loss: one style − the real cases alone', paired('one style', 'the real cases alone', ({ loss }) => loss)],
    ['ROUGE-L: one style − untuned', paired('one style', 'untuned', ({ figures }) => figures.rougeL)],
    [
      'manner: one style − one-shot prompt',
      paired('one style', 'untuned, one-shot prompt with the real case', ({ figures }) => figures.manner),
    ],
    ['loss: all turns − last turn, equal steps', paired('one style', 'one style, last turn only', ({ loss }) => loss)],
    [
      'steps of all turns until the loss where last turn ends, of its steps',
      shown(stepsTo('one style', 'one style, last turn only').map((steps, i) => steps / last[i]!)),
    ],
  ]
  const seeds = results.length
  return [
    markdownTable(
      `Arms, means of ${seeds} seeds`,
      ['arm', ...COLUMNS.map(([, title]) => title), 'loss', 'tokens read'],
      rows,
    ),
    markdownTable('Claims, paired by seed', ['what', `mean of ${seeds}`], claims),
  ].join('\n\n')
}
