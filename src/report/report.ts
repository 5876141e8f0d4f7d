// One HTML file that says what a run did: no scripts, no requests, opens anywhere, prints well. Deterministic: the
// same input gives the same bytes, so dates and versions are the caller's to pass.

import { type BarChart, renderBarChart } from './bar-chart.ts'
import {
  type KeyFigure,
  renderCommands,
  renderFolded,
  renderKeyFigures,
  renderProse,
  renderSamples,
  renderTable,
  type Table,
  type TextSample,
  withCode,
} from './blocks.ts'
import { escapeWords } from './html.ts'
import { renderPage } from './page.ts'
import { renderXyChart, type XyChart } from './xy-chart.ts'

/** One thing on a page; `kind` says which. */
export type ReportBlock =
  | { kind: 'prose'; text: string }
  | { kind: 'key-figures'; figures: readonly KeyFigure[] }
  | ({ kind: 'line-chart' } & XyChart)
  | ({ kind: 'scatter' } & XyChart)
  | ({ kind: 'bar-chart' } & BarChart)
  | ({ kind: 'table' } & Table)
  | { kind: 'samples'; samples: readonly TextSample[] }
  | { kind: 'commands'; lines: readonly string[] }
  | { kind: 'folded'; title: string; text: string }

/** Blocks under one heading. */
export interface ReportSection {
  title: string
  /** One or two sentences below the title. */
  lead?: string
  blocks: readonly ReportBlock[]
}

/** A page: title, what stands above its sections, and the sections. */
export interface Report {
  title: string
  subtitle?: string
  /** What tells this page from others of its kind, such as a folder and a day: in small print, and in the title of the window. */
  about?: readonly string[]
  sections: readonly ReportSection[]
  /** Last line: version, date, machine. */
  footer?: string
}

/**
 * The report as one HTML document. Every text in it is escaped.
 *
 * @example
 * renderReport({ title: 'Run', sections: [{ title: 'Loss', blocks: [
 *   { kind: 'line-chart', title: 'Loss', x: 'step', y: 'loss', series: [{ name: 'train', points: [[1, 8.9], [2, 7.1]] }] },
 * ] }] })
 */
export function renderReport({ title, subtitle, about = [], sections, footer }: Report): string {
  return renderPage({ title, subtitle, about, body: sections.map(renderSection), footer })
}

function renderSection({ title, lead, blocks }: ReportSection): string {
  const opening = lead ? `<p class="lead">${withCode(lead)}</p>` : ''
  return `<section>\n<h2>${escapeWords(title)}</h2>${opening}\n${blocks.map(renderBlock).join('\n')}\n</section>`
}

function renderBlock(block: ReportBlock): string {
  switch (block.kind) {
    case 'prose':
      return renderProse(block.text)
    case 'key-figures':
      return renderKeyFigures(block.figures)
    case 'line-chart':
      return renderXyChart(block)
    case 'scatter':
      return renderXyChart({ ...block, series: block.series.map((series) => ({ style: 'dots', ...series })) })
    case 'bar-chart':
      return renderBarChart(block)
    case 'table':
      return renderTable(block)
    case 'samples':
      return renderSamples(block.samples)
    case 'commands':
      return renderCommands(block.lines)
    case 'folded':
      return renderFolded(block)
  }
}
