// The results as Markdown, and every claim with the interval that it stands or falls by: what goes into the page of the docs.
import { spearman } from '../../src/eval/transfer/spearman.ts'
import { markdownTable, statistics } from '../setting/statistics.ts'
import type { Asked, Moved } from './measure.ts'

export interface Row extends Asked {
  seed: number
  arm: string
  step: number
  moved?: Moved
}

export interface Results {
  machine: string
  settings: Record<string, unknown>
  texts: Record<string, unknown>
  tokens: Record<string, number>
  rows: Row[]
}

type Read = (row: Row) => number

const READ: Readonly<Record<string, Read>> = {
  'loss, Danish news': ({ loss }) => loss.danish!,
  'loss, Danish books': ({ loss }) => loss.books!,
  'loss, English': ({ loss }) => loss.english!,
  pairs: ({ pairs }) => pairs.all,
  'pairs, swapped': ({ pairs }) => pairs.swapped,
  'ScaLA AUC': ({ scala }) => scala,
  'format, Danish': ({ format }) => format.danish!,
  'format, English': ({ format }) => format.english!,
}

export function writeTables(results: Results): string {
  const parts = [
    `Machine: ${results.machine}. Settings: ${JSON.stringify(results.settings)}. Texts: ${JSON.stringify(results.texts)}. Tokens: ${JSON.stringify(results.tokens)}.`,
    table(results),
    dynamicsTable(results),
    claimsTable(results),
  ]
  return `${parts.join('\n\n')}\n`
}

const ascending = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b)
const seedsOf = ({ rows }: Results): number[] => ascending(rows.map(({ seed }) => seed))
const stepsOf = ({ rows }: Results, of: string): number[] =>
  ascending(rows.filter(({ arm }) => arm === of).map(({ step }) => step))

const rowAt = ({ rows }: Results, seed: number, arm: string, step: number): Row | undefined =>
  rows.find((row) => row.seed === seed && row.arm === arm && row.step === step)

function valuesOf(results: Results, arm: string, step: number, read: Read): number[] {
  return seedsOf(results).flatMap((seed) => {
    const row = rowAt(results, seed, arm, step)
    return row === undefined ? [] : [read(row)]
  })
}

function shown(values: readonly number[], digits = 3): string {
  if (values.length === 0) return ''
  const { mean, halfWidth } = statistics(values)
  return `${mean.toFixed(digits)}${Number.isNaN(halfWidth) ? '' : ` ± ${halfWidth.toFixed(digits)}`}`
}

/** Every arm at every checkpoint, in the order in which they were run. */
function table(results: Results): string {
  const keys = new Map(results.rows.map(({ arm, step }) => [`${arm}\t${step}`, [arm, step] as const]))
  return markdownTable(
    `Held-out loss in nats a token, pairs and format as shares; means of ${seedsOf(results).length} pre-trainings ± half the 95 % interval`,
    ['arm', 'step', ...Object.keys(READ)],
    [...keys.values()].map(([arm, step]) => [
      arm,
      step,
      ...Object.values(READ).map((read) => shown(valuesOf(results, arm, step, read))),
    ]),
  )
}

function dynamicsTable(results: Results): string {
  const of = (step: number, read: (moved: Moved) => number, digits?: number): string =>
    shown(
      valuesOf(results, 'adapt', step, ({ moved }) => (moved === undefined ? Number.NaN : read(moved))),
      digits,
    )
  return markdownTable(
    'Dynamics of adapt against the base',
    [
      'step',
      'mean \\|ΔW\\|',
      'ρ(Σ\\|ΔE\\|, frequency), embedding',
      'ρ, head',
      'tokens that did not occur',
      'embedding rows that did not move',
      'head rows that did not move',
    ],
    stepsOf(results, 'adapt').map((step) => [
      step,
      of(step, ({ meanAbs }) => meanAbs, 5),
      of(step, ({ rows }) => rows.embed_tokens.spearman),
      of(step, ({ rows }) => rows.lm_head.spearman),
      of(step, ({ rows }) => rows.embed_tokens.unseen),
      of(step, ({ rows }) => rows.embed_tokens.still),
      of(step, ({ rows }) => rows.lm_head.still),
    ]),
  )
}

/** The row of an arm at a step, of one seed. */
type At = (arm: string, step: number) => Row

interface Claim {
  claim: string
  /** What is measured for each seed, and holds where it is above 0. */
  measured: string
  of: (at: At) => number
}

/** The claims of the specification, each as a number that is above 0 where it holds. */
function claims(results: Results): Claim[] {
  const steps = stepsOf(results, 'adapt')
  const last = steps.at(-1)!
  const tune = Number(results.settings.tuneSteps)
  const scratchSteps = stepsOf(results, 'scratch').filter((step) => step > 0)
  const delta = (row: Row): number => row.moved!.meanAbs
  const lead = (at: At, step: number): number => at('scratch', step).loss.danish! - at('adapt', step).loss.danish!
  const rise = (at: At, arm: string): number => at(arm, last).loss.english! - at('base', 0).loss.english!
  return [
    {
      claim: 'Going on is better than from scratch at every checkpoint of the same step',
      measured: 'least lead in Danish loss',
      of: (at) => Math.min(...scratchSteps.map((step) => lead(at, step))),
    },
    {
      claim: 'The lead shrinks with the steps',
      measured: 'lead at the first checkpoint − at the last',
      of: (at) => lead(at, scratchSteps[0]!) - lead(at, last),
    },
    {
      claim: 'The source language is forgotten',
      measured: 'rise of the English loss',
      of: (at) => rise(at, 'adapt'),
    },
    {
      claim: 'Replay of a quarter cuts that by more than half',
      measured: 'half the rise − the rise with replay',
      of: (at) => rise(at, 'adapt') / 2 - rise(at, 'adapt with replay'),
    },
    {
      claim: 'Replay costs nothing in Danish',
      measured: 'Danish loss without − with replay',
      of: (at) => at('adapt', last).loss.danish! - at('adapt with replay', last).loss.danish!,
    },
    {
      claim: 'Weights go further with every checkpoint',
      measured: 'least growth of mean \\|ΔW\\| (10⁻⁴)',
      of: (at) =>
        1e4 * Math.min(...steps.slice(1).map((step, i) => delta(at('adapt', step)) - delta(at('adapt', steps[i]!)))),
    },
    {
      claim: 'and the way flattens',
      measured: 'growth in the second − in the last quarter (10⁻⁴)',
      of: (at) =>
        1e4 *
        (delta(at('adapt', last / 2)) -
          delta(at('adapt', last / 4)) -
          (delta(at('adapt', last)) - delta(at('adapt', (3 * last) / 4)))),
    },
    {
      claim: 'Embeddings of frequent tokens move further (ρ > 0.5 over tokens that occurred)',
      measured: 'ρ − 0.5',
      of: (at) => at('adapt', last).moved!.rows.embed_tokens.spearman - 0.5,
    },
    {
      claim: 'Without weight decay exactly the unseen embeddings stay',
      measured: '0.001 − distance of share still and share unseen',
      of: (at) => {
        const { still, unseen } = at('adapt', last).moved!.rows.embed_tokens
        return 0.001 - Math.abs(still - unseen)
      },
    },
    {
      claim: 'The head moves for all tokens',
      measured: '0.001 − share of head rows that stayed',
      of: (at) => 0.001 - at('adapt', last).moved!.rows.lm_head.still,
    },
    {
      claim: 'Acceptability rises over checkpoints',
      measured: 'ρ(step, pairs right)',
      of: (at) => {
        const rows = [at('base', 0), ...steps.map((step) => at('adapt', step))]
        return spearman(
          rows.map(({ step }) => step),
          rows.map(({ pairs }) => pairs.all),
        ).rho
      },
    },
    {
      claim: 'to more than chance, of all pairs',
      measured: 'pairs right − 0.5',
      of: (at) => at('adapt', last).pairs.all - 0.5,
    },
    {
      claim: 'and of those with two words swapped',
      measured: 'pairs right − 0.5',
      of: (at) => at('adapt', last).pairs.swapped - 0.5,
    },
    {
      claim: "ScaLA's own sentences are told apart",
      measured: 'AUC − 0.5',
      of: (at) => at('adapt', last).scala - 0.5,
    },
    {
      claim: 'Going on with running text alone, the model no longer answers in the form',
      measured: 'format before − after',
      of: (at) => at('base', 0).format.danish! - at('adapt', last).format.danish!,
    },
    {
      claim: 'which instruction tuning brings back',
      measured: 'format after tuning − before it',
      of: (at) => at('adapt, instruct', tune).format.danish! - at('adapt', last).format.danish!,
    },
    {
      claim: 'and which replay keeps',
      measured: 'format with replay − without',
      of: (at) => at('adapt with replay', last).format.danish! - at('adapt', last).format.danish!,
    },
    {
      claim: 'Adapted and tuned beats tuned alone',
      measured: 'difference in format',
      of: (at) => at('adapt, instruct', tune).format.danish! - at('instruct', tune).format.danish!,
    },
    {
      claim: 'Tuning after adaptation beats tuning before it',
      measured: 'difference in format',
      of: (at) => at('adapt, instruct', tune).format.danish! - at('instruct, adapt', last).format.danish!,
    },
  ]
}

/** `holds` and `fails` where the interval is on one side of 0, else `open`; with fewer than two seeds always open. */
function claimsTable(results: Results): string {
  const seeds = seedsOf(results)
  return markdownTable(
    'Claims: a number above 0 speaks for one; held for sure where the whole 95 % interval is above 0',
    ['claim', 'measured', 'mean', '95 %', 'seeds above 0', 'verdict'],
    claims(results).map(({ claim, measured, of }) => {
      const values = seeds.map((seed) =>
        of((arm, step) => {
          const row = rowAt(results, seed, arm, step)
          if (row === undefined) throw new Error(`results: expected ${arm} at step ${step} for seed ${seed}, got none`)
          return row
        }),
      )
      const { mean, halfWidth } = statistics(values)
      const verdict =
        mean - halfWidth > 0 ? 'holds' : mean + halfWidth < 0 ? 'fails' : mean > 0 ? 'open, for it' : 'open, against it'
      return [
        claim,
        measured,
        mean.toFixed(3),
        `± ${halfWidth.toFixed(3)}`,
        `${values.filter((value) => value > 0).length} of ${seeds.length}`,
        verdict,
      ]
    }),
  )
}
