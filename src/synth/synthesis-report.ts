// What was made, looked at: what was refused and why, what is nearly the same within the rows, in the seeds and in tests, and how much the
// texts differ.

import { type Diversity, measureDiversity } from '../eval/diversity/measure-diversity.ts'
import { percent } from '../report/amounts.ts'
import { type ReportBlock, renderReport } from '../report/report.ts'
import { VERSION } from '../version.ts'
import type { Spent } from './ledger.ts'
import { copiesOf, NEAR, nearCopies } from './near-copies.ts'
import type { Recipe } from './recipe.ts'
import type { Reject } from './row-files.ts'

/** Texts that rows must not be copies of. */
export interface ComparedTexts {
  readonly name: string
  readonly texts: readonly string[]
}

/** Rows that are nearly something else, by their places in rows.jsonl from 0. */
export interface NearRows {
  readonly count: number
  /** Of the rows. */
  readonly share: number
  /** The first ones. */
  readonly examples: readonly { readonly row: number; readonly like: number; readonly share: number }[]
}

/** Figures of a set of rows. */
export interface SynthesisReport {
  readonly recipe: string
  readonly teacher: string
  readonly rows: number
  readonly seeds: number
  readonly rejected: number
  readonly refused: number
  /** Why tries were refused, the most frequent reasons first; numbers in them are written as #. */
  readonly reasons: readonly { readonly reason: string; readonly count: number }[]
  /** Shares of runs of five words from which on texts are nearly the same. */
  readonly near: number
  /** Rows that are nearly an earlier row. */
  readonly within: NearRows
  /** Rows of which a seed, or a text of a test, has nearly all, or which have nearly all of it. */
  readonly against: Readonly<Record<string, NearRows>>
  /** Of all texts that the recipe calls new. */
  readonly diversity: Diversity | null
  /** New texts of a row, on average. */
  readonly textsPerRow: number
  readonly calls: number
  readonly promptTokens: number
  readonly completionTokens: number
  readonly cost: number | null
}

const MOST_EXAMPLES = 20
const MOST_REASONS = 20

/** Measures rows. */
export function synthesisReport<Row>(
  recipe: Pick<Recipe<never, Row, never>, 'name' | 'textsOf' | 'topicOf'>,
  rows: readonly Row[],
  {
    rejects,
    spent,
    isPriced,
    against,
    ...counts
  }: { rejects: readonly Reject[]; spent: Spent; isPriced: boolean; against: readonly ComparedTexts[] } & Pick<
    SynthesisReport,
    'teacher' | 'seeds' | 'rejected'
  >,
): SynthesisReport {
  const texts = rows.map((row) => recipe.textsOf(row))
  const whole = texts.map((some) => some.join('\n'))
  const flat = texts.flat()
  const topics = rows.flatMap((row, i) => {
    const topic = recipe.topicOf?.(row)
    return topic === undefined ? [] : texts[i]!.map(() => topic)
  })
  const nearOf = (copies: ReturnType<typeof nearCopies>): NearRows => ({
    count: copies.length,
    share: rows.length === 0 ? 0 : copies.length / rows.length,
    examples: copies.slice(0, MOST_EXAMPLES).map(({ text, like, share }) => ({ row: text, like, share })),
  })
  const reasons = new Map<string, number>()
  for (const { reason } of rejects) {
    const kind = reason.replaceAll(/\d+/g, '#').slice(0, 160)
    reasons.set(kind, (reasons.get(kind) ?? 0) + 1)
  }
  return {
    recipe: recipe.name,
    ...counts,
    rows: rows.length,
    refused: rejects.length,
    reasons: [...reasons]
      .sort(([, a], [, b]) => b - a)
      .slice(0, MOST_REASONS)
      .map(([reason, count]) => ({ reason, count })),
    near: NEAR,
    within: nearOf(nearCopies(whole)),
    against: Object.fromEntries(against.map(({ name, texts: others }) => [name, nearOf(copiesOf(whole, others))])),
    diversity: flat.length === 0 ? null : measureDiversity(flat, topics.length === flat.length ? { topics } : {}),
    textsPerRow: rows.length === 0 ? 0 : flat.length / rows.length,
    calls: spent.calls,
    promptTokens: spent.promptTokens,
    completionTokens: spent.completionTokens,
    cost: isPriced ? spent.cost : null,
  }
}

/** The page of a report. */
export function synthesisPage(report: SynthesisReport, samples: readonly { label: string; text: string }[]): string {
  const { recipe, teacher, rows, seeds, rejected, refused, reasons, within, against, diversity, near } = report
  const places = [['rows before it', within] as const, ...Object.entries(against)]
  const blocks: ReportBlock[] = [
    {
      kind: 'table',
      caption: `Rows that share ${percent(near)} of their runs of five words with …`,
      columns: ['', 'rows', 'share', 'first ones'],
      rows: places.map(([name, { count, share, examples }]) => [
        name,
        count,
        percent(share),
        examples
          .slice(0, 5)
          .map(({ row, like }) => `${row} ↔ ${like}`)
          .join(', '),
      ]),
    },
  ]
  return renderReport({
    title: 'Synthetic rows',
    subtitle: `${recipe}, by ${teacher}`,
    sections: [
      {
        title: 'What was made',
        blocks: [
          {
            kind: 'key-figures',
            figures: [
              { label: 'rows', value: `${rows}`, detail: `of ${seeds} seeds` },
              { label: 'seeds without a row', value: `${rejected}` },
              { label: 'tries refused', value: `${refused}` },
              { label: 'calls', value: report.calls.toLocaleString('en') },
              {
                label: 'tokens',
                value: (report.promptTokens + report.completionTokens).toLocaleString('en'),
                detail: `${report.completionTokens.toLocaleString('en')} written`,
              },
              ...(report.cost === null ? [] : [{ label: 'cost', value: report.cost.toFixed(4) }]),
            ],
          },
          ...(reasons.length === 0
            ? []
            : [
                {
                  kind: 'table' as const,
                  caption: 'Why tries were refused',
                  columns: ['reason', 'tries'],
                  rows: reasons.map(({ reason, count }) => [reason, count]),
                },
              ]),
        ],
      },
      {
        title: 'Copies',
        lead: 'Of other texts it is enough that the one stands in the other. A row that is nearly a text of a test makes that test worth nothing.',
        blocks,
      },
      ...(diversity === null ? [] : [diversitySection(diversity)]),
      ...(samples.length === 0
        ? []
        : [
            {
              title: 'First rows',
              blocks: [{ kind: 'samples' as const, samples: samples.map((one) => ({ ...one })) }],
            },
          ]),
    ],
    footer: `Anneal ${VERSION} · Node.js\u00a0${process.versions.node}`,
  })
}

function diversitySection(diversity: Diversity): { title: string; lead: string; blocks: ReportBlock[] } {
  const { openings, closings, lengths, topicEntropy, topicEvenness } = diversity
  const figures: [string, number][] = [
    ['texts', diversity.texts],
    ['words', diversity.words],
    ['compression ratio', diversity.compressionRatio],
    ['self-repetition', diversity.selfRepetition],
    ['share of texts with a run of eight words of another', diversity.sharedRuns],
    [`Self-BLEU of ${diversity.selfBleuTexts} texts`, diversity.selfBleu],
    ['distinct-1', diversity.distinct1],
    ['distinct-2', diversity.distinct2],
    ...(topicEntropy === undefined
      ? []
      : ([
          ['topic entropy, bits', topicEntropy],
          ['topic evenness', topicEvenness!],
        ] as [string, number][])),
  ]
  const bars = ({ phrases }: Diversity['openings']) =>
    phrases.map(({ phrase, share }) => ({ label: phrase, value: share }))
  return {
    title: 'How much texts differ',
    lead: 'All but lengths depend on how much text there is: compare sets of about the same size.',
    blocks: [
      { kind: 'table', columns: ['', 'value'], rows: figures.map(([name, value]) => [name, Number(value.toFixed(4))]) },
      { kind: 'bar-chart', title: 'How texts begin', unit: 'share of texts', bars: bars(openings), isShare: true },
      { kind: 'bar-chart', title: 'How texts end', unit: 'share of texts', bars: bars(closings), isShare: true },
      {
        kind: 'bar-chart',
        title: 'Words of a text',
        unit: 'texts',
        bars: lengths.bins.map(({ from, to, count }) => ({ label: `${from} to ${to}`, value: count })),
      },
    ],
  }
}
