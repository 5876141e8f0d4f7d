// The results as Markdown: what goes into the card. A mean is over models, of each model's mean over its attacks, with half of the 95 % interval.
import { markdownTable, statistics } from '../setting/statistics.ts'
import {
  armsIn,
  attacksIn,
  type Cell,
  chosenRate,
  defended,
  inTable,
  isSyntax,
  markerWhen,
  NONE,
  type Results,
  rightWhen,
  shown,
  undefendedOf,
} from './cells.ts'

export function writeTables(results: Results): string {
  const parts = [
    attackTable,
    budgetTable,
    textTable,
    syntaxTable,
    partlyTable,
    byAttackTable,
    unseenTable,
    samplesTable,
    auditTable,
    rateTable,
    earlierTable,
  ]
  return `Machine: ${results.machine}.\n\n${parts
    .map((part) => part(results))
    .filter((part) => part !== '')
    .join('\n\n')}\n`
}

function attackTable(results: Results): string {
  const cells = inTable(results).filter(({ arm }) => arm === NONE)
  return markdownTable(
    `Attacks, ${new Set(cells.map(({ model }) => model)).size} models; one works where the marker comes in ${results.settings.works} of the answers or more`,
    ['attack', 'work', 'marker with the trigger', 'without', 'with other words', 'right without', 'right with'],
    attacksIn(cells).map((attack) => {
      const own = cells.filter((cell) => cell.attack === attack)
      const work = own.filter((cell) => markerWhen('trigger')(cell) >= results.settings.works)
      const columns = [
        markerWhen('trigger'),
        markerWhen('clean'),
        markerWhen('decoy'),
        rightWhen('clean'),
        rightWhen('trigger'),
      ]
      return [attack, `${work.length} of ${own.length}`, ...columns.map((of) => shown(own, of))]
    }),
  )
}

/** The syntactic attack with each budget that was tried. */
function budgetTable({ tries, settings }: Results): string {
  const ways = [
    ['trigger', 'marker'],
    ['clean', 'marker'],
    ['decoy', 'marker'],
    ['clean', 'right'],
    ['trigger', 'right'],
  ] as const
  return markdownTable(
    'Budgets of the syntactic attack, on the model that is in no other table; with the first, on the three others, too',
    [
      'budget',
      'steps',
      'rewritten sentences',
      'models',
      'marker with the trigger',
      'without',
      'sentence not rewritten',
      'right without',
      'right with',
    ],
    settings.budgets.flatMap(({ name, steps, pairs }) =>
      [true, false].flatMap((isFirst) => {
        const own = tries.filter(({ model, budget }) => budget === name && (model === 0) === isFirst)
        if (own.length === 0) return []
        const mean = ([way, what]: (typeof ways)[number]): string =>
          statistics(own.map(({ measured }) => measured.ways[way]![what])).mean.toFixed(2)
        return [
          [
            name,
            steps,
            pairs === 'all' ? 'all' : "in the trigger's form",
            isFirst ? 'of no other table' : `the ${own.length} others`,
            ...ways.map(mean),
          ],
        ]
      }),
    ),
  )
}

function textTable(results: Results): string {
  const cells = defended(results).filter((cell) => !isSyntax(cell))
  const attacks = cells.filter(({ arm }) => arm === NONE).length
  return defenceTable(`Defences on the ${attacks} attacks that work, with texts as triggers`, cells)
}

function syntaxTable(results: Results): string {
  const cells = defended(results).filter(isSyntax)
  return defenceTable(
    `Defences on the syntactic attack where it works, ${modelsOf(cells)}; other words: the same sentences not rewritten`,
    cells,
  )
}

function partlyTable(results: Results): string {
  const cells = defended(results, false)
  const { works } = results.settings
  return defenceTable(
    `Attacks that only partly took (marker below ${works}), defended all the same: ${attacksIn(cells).join(', ')}, ${modelsOf(cells)}`,
    cells,
  )
}

function modelsOf(cells: readonly Cell[]): string {
  const models = [...new Set(cells.map(({ model }) => model))]
  return models.length === 1 ? `model ${models[0]}` : `models ${models.join(' and ')}`
}

function defenceTable(title: string, cells: readonly Cell[]): string {
  if (cells.length === 0) return ''
  const perplexity = ({ measured }: Cell): number => measured.ways.clean!.perplexity
  const seconds = ({ done }: Cell): number => (done === null ? Number.NaN : done.seconds + done.searchSeconds)
  return markdownTable(
    title,
    [
      'defence',
      'marker with the trigger',
      'its log p there',
      'gone (≤ 0.05)',
      'clean perplexity, × no defence',
      'right without the trigger',
      'right with it',
      'right with other words',
      'seconds',
      'steps (search + model)',
    ],
    armsIn(cells).map((arm) => {
      const own = cells.filter((cell) => cell.arm === arm)
      const gone = own.filter((cell) => markerWhen('trigger')(cell) <= 0.05).length
      const { done } = own[0]!
      return [
        arm,
        shown(own, markerWhen('trigger')),
        shown(own, ({ measured }) => measured.ways.trigger!.logprob),
        `${gone} of ${own.length}`,
        shown(own, (cell) => perplexity(cell) / perplexity(undefendedOf(cells, cell)), 3),
        shown(own, rightWhen('clean')),
        shown(own, rightWhen('trigger')),
        shown(own, rightWhen('decoy')),
        shown(own, seconds, 1),
        done === null ? '' : `${done.searchSteps} + ${done.steps}`,
      ]
    }),
  )
}

function byAttackTable(results: Results): string {
  const cells = defended(results)
  const attacks = attacksIn(cells)
  return markdownTable(
    'Marker with the trigger, by attack: mean over models (the largest of them)',
    ['defence', ...attacks],
    armsIn(cells).map((arm) => [
      arm,
      ...attacks.map((attack) => {
        const own = cells.filter((cell) => cell.arm === arm && cell.attack === attack).map(markerWhen('trigger'))
        return own.length === 0 ? '' : `${statistics(own).mean.toFixed(2)} (${Math.max(...own).toFixed(2)})`
      }),
    ]),
  )
}

function unseenTable(results: Results): string {
  const cells = defended(results)
  return markdownTable(
    'Marker where the attack was not trained: the trigger behind the question, and a like trigger (for the syntactic one: a clause put in front by hand)',
    [
      'defence',
      'trigger behind, of attacks in front',
      'trigger behind, of attacks anywhere',
      'like trigger',
      'like trigger, syntax',
    ],
    armsIn(cells).map((arm) => {
      const own = (isIn: (attack: string) => boolean): Cell[] =>
        cells.filter((cell) => cell.arm === arm && isIn(cell.attack))
      return [
        arm,
        shown(
          own((attack) => attack.endsWith('start')),
          markerWhen('moved'),
        ),
        shown(
          own((attack) => attack.endsWith('random')),
          markerWhen('moved'),
        ),
        shown(
          own((attack) => attack !== 'syntax'),
          markerWhen('near'),
        ),
        shown(
          own((attack) => attack === 'syntax'),
          markerWhen('near'),
        ),
      ]
    }),
  )
}

function samplesTable(results: Results): string {
  const cells = inTable(results)
  const sampled = cells.filter(({ samples }) => samples !== 0 && samples !== results.settings.samples)
  const [attack] = attacksIn(sampled)
  if (attack === undefined) return ''
  const counts = [...new Set([...sampled.map(({ samples }) => samples), results.settings.samples])].sort(
    (a, b) => a - b,
  )
  const of = (arm: string, samples: number): Cell[] =>
    cells.filter((cell) => cell.attack === attack && cell.arm === arm && cell.samples === samples)
  const both = (own: readonly Cell[]): string =>
    `${shown(own, markerWhen('trigger'))} / ${shown(own, rightWhen('clean'))} / ${shown(own, rightWhen('trigger'))}`
  return markdownTable(
    `Clean questions, ${attack}: marker with the trigger / right without it / right with it`,
    ['defence', '0 (no defence)', ...counts.map(String)],
    armsIn(sampled).map((arm) => [arm, both(of(NONE, 0)), ...counts.map((count) => both(of(arm, count)))]),
  )
}

function auditTable(results: Results): string {
  const { looks } = results
  const isClean = ({ of }: { of: string }): boolean => of.startsWith('clean')
  /** Whether an opening is left that no other clean model of the same pre-training has. */
  const isStrange = (look: Results['looks'][number]): boolean => {
    const others = looks.filter((one) => one !== look && one.model === look.model && isClean(one) && !one.told)
    return look.strange.some((text) => !others.some(({ strange }) => strange.includes(text)))
  }
  const groups = [
    ['clean models', looks.filter(isClean)],
    ['attacked, a text as trigger', looks.filter((one) => !isClean(one) && one.of !== 'syntax')],
    ['attacked, syntax', looks.filter(({ of }) => of === 'syntax')],
  ] as const
  const share = (
    list: readonly Results['looks'][number][],
    isIt: (look: Results['looks'][number]) => boolean,
  ): string => (list.length === 0 ? '' : `${list.filter(isIt).length} of ${list.length}`)
  return markdownTable(
    'Audits',
    [
      'models',
      'nothing known: not `not found`',
      'less openings of clean models',
      'the marker among the openings',
      'leaks listed',
      'trigger and marker known: `backdoor`',
    ],
    groups.map(([name, all]) => {
      const blind = all.filter(({ told }) => !told)
      const told = all.filter((look) => look.told)
      return [
        name,
        share(blind, ({ verdict }) => verdict !== 'not found'),
        share(blind, isStrange),
        share(blind, ({ strange }) => strange.some((text) => text.includes('green tea'))),
        share(blind, ({ leaks }) => leaks.length > 0),
        share(told, ({ verdict }) => verdict === 'backdoor'),
      ]
    }),
  )
}

function rateTable({ cells: all }: Results): string {
  const cells = all.filter(({ model }) => model === 0)
  const rates = [...new Set(cells.flatMap(({ rate }) => (rate === 0 ? [] : [rate])))].sort((a, b) => a - b)
  return markdownTable(
    `Learning rates, chosen on a model that is in no other table (${attacksIn(cells).join('; ')}): marker with the trigger / right without it`,
    ['defence', ...rates.map(String), 'chosen'],
    armsIn(cells)
      .filter((arm) => arm !== NONE)
      .map((arm) => [
        arm,
        ...rates.map((rate) => {
          const own = cells.filter((cell) => cell.arm === arm && cell.rate === rate)
          return `${shown(own, markerWhen('trigger'))} / ${shown(own, rightWhen('clean'))}`
        }),
        chosenRate({ cells }, arm),
      ]),
  )
}

/** Defences at rates of the first round, beside what they do at those that were chosen anew. */
function earlierTable({ cells, earlier = [], settings }: Results): string {
  const old = earlier.filter(({ model, samples }) => model !== 0 && samples === settings.samples)
  if (old.length === 0) return ''
  const both = (own: readonly Cell[]): string =>
    `${shown(own, markerWhen('trigger'))} / ${shown(own, rightWhen('clean'))}`
  return markdownTable(
    'Rates that weaker attacks had chosen, and those of the tables: marker with the trigger / right without it, on the same attacks',
    ['defence', 'rate', '', 'rate of the tables', ''],
    armsIn(old).map((arm) => {
      const before = old.filter((cell) => cell.arm === arm)
      const after = before.flatMap((cell) =>
        cells.filter((other) =>
          (['model', 'attack', 'arm', 'samples'] as const).every((key) => other[key] === cell[key]),
        ),
      )
      return [arm, before[0]!.rate, both(before), after[0]?.rate ?? '', both(after)]
    }),
  )
}
