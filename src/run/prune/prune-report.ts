// What pruning left, as lines for a terminal and as a page.
import type { ResolvedOptions } from '../../methods/prune/options.ts'
import type { LayerSizes, PruneReport } from '../../methods/prune/prune.ts'
import { amount, percent } from '../../report/amounts.ts'
import { renderReport } from '../../report/report.ts'
import { type Summary, summaryLines, summaryTable } from '../edit/summary.ts'
import { pageFooter } from '../page-footer.ts'

/** What programs read of it. */
export interface PruneFigures extends PruneReport {
  /** On the calibration text; null without text. */
  perplexity_before: number | null
  perplexity_after: number | null
  /** Of the weights as they are stored. */
  bytes_before: number
  bytes_after: number
}

const OF = {
  blocks: 'the parameters in its blocks',
  model: 'its parameters',
  groups: 'the heads and neurons to choose from',
}
/** More or less than asked for by this much is told. */
const MISS = 0.03
const SIZES = ['num_attention_heads', 'num_key_value_heads', 'intermediate_size'] as const
const COLUMNS = ['layers', 'query heads', 'key/value heads', 'MLP neurons']

/** Small MLPs have few multiples of the neurons that they are to keep, and the next one may be far from what was asked for. */
export function missOf(report: PruneReport, options: ResolvedOptions): string[] {
  const { ratio, align } = options
  const removed = removedShare(report, options)
  if (removed === undefined || Math.abs(removed - ratio) < MISS) return []
  const why =
    align === 1 ? 'heads go whole' : `MLPs keep a multiple of ${align} neurons. A smaller one (align) comes closer`
  return [`${percent(removed)} removed where ${percent(ratio)} was asked for, as ${why}`]
}

/** What was removed of that which `ratio` is a share of; undefined for the groups to choose from, which nobody counted. */
function removedShare(
  { removed_of_blocks, removed_of_model }: PruneReport,
  { ratioOf }: ResolvedOptions,
): number | undefined {
  return { blocks: removed_of_blocks, model: removed_of_model, groups: undefined }[ratioOf]
}

export function pruneLines(figures: PruneFigures): string[] {
  return [...sizeTable(figures.layers), ...summaryLines(pruneSummary(figures))]
}

/** The page that lies beside the weights. */
export function prunePage(model: string, figures: PruneFigures, options: ResolvedOptions): string {
  const { ratio, ratioOf, importance } = options
  const removed = removedShare(figures, options)
  const asked = `${percent(ratio)} of ${OF[ratioOf]} asked for`
  const share = removed === undefined ? asked : `${asked}, ${percent(removed)} removed`
  const points = (key: keyof LayerSizes, when: 'before' | 'after'): [number, number][] =>
    figures.layers.flatMap((layer, i) =>
      layer[when][key] === null ? [] : [[i, layer[when][key]!] as [number, number]],
    )
  return renderReport({
    title: 'Pruning',
    subtitle: `${model}: ${share}, judged by ${importance}`,
    about: [new Date().toISOString().slice(0, 10)],
    sections: [
      {
        title: 'Result',
        blocks: [summaryTable(pruneSummary(figures))],
      },
      {
        title: 'Layers',
        blocks: [
          {
            kind: 'line-chart',
            title: 'Neurons in each MLP',
            x: 'layer',
            y: 'neurons',
            fromZero: true,
            series: (['before', 'after'] as const).map((when) => ({
              name: when,
              style: 'dots' as const,
              points: points('intermediate_size', when),
            })),
          },
          { kind: 'table', columns: COLUMNS, rows: sizeRows(figures.layers) },
        ],
      },
    ],
    footer: pageFooter(),
  })
}

/** For people, on the terminal and on the page. */
function pruneSummary(figures: PruneFigures): Summary {
  const { parameters_before, parameters_after, removed_of_model, removed_of_blocks, bytes_before, bytes_after } =
    figures
  const { perplexity_before: before, perplexity_after: after, compensated } = figures
  return [
    [
      'parameters',
      `${amount(parameters_before, '', false)} → ${amount(parameters_after, '', false)}, ${percent(removed_of_model)} of the model and ${percent(removed_of_blocks)} of its blocks removed`,
    ],
    ['weights', `${amount(bytes_before, 'bytes')} → ${amount(bytes_after, 'bytes')}`],
    ...(before === null || after === null
      ? []
      : [['perplexity', `${before.toPrecision(5)} → ${after.toPrecision(5)} on the calibration text`] as const]),
    ...(compensated.length === 0
      ? []
      : [['biases', `make up for what was removed of: ${compensated.join(', ')}`] as const]),
  ]
}

/** One line for each run of layers that changed alike. */
function sizeTable(layers: PruneReport['layers']): string[] {
  const table = [COLUMNS, ...sizeRows(layers)]
  const widths = COLUMNS.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  return table.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join('  '))
}

function sizeRows(layers: PruneReport['layers']): string[][] {
  const change = (key: keyof LayerSizes, { before, after }: PruneReport['layers'][number]): string =>
    before[key] === after[key] ? `${after[key] ?? '–'}` : `${before[key]} → ${after[key]}`
  const rows: { first: number; last: number; cells: string[] }[] = []
  for (const [i, layer] of layers.entries()) {
    const cells = SIZES.map((key) => change(key, layer))
    const previous = rows.at(-1)
    if (previous !== undefined && previous.cells.join() === cells.join()) previous.last = i
    else rows.push({ first: i, last: i, cells })
  }
  return rows.map(({ first, last, cells }) => [first === last ? `${first}` : `${first}–${last}`, ...cells])
}
