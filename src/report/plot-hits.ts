// What a plot shows under the pointer: one group for each column of a line chart or each point of a scatter plot, with an area that
// catches the pointer, a guide, dots on the lines, and a box with the values in the corner that is further away, where it always fits.

import { coordinate as c, escapeHtml } from './html.ts'
import { across, isDrawn, LETTER, type PlotArea, place } from './plot-area.ts'
import { formatNumber } from './scale.ts'
import type { Point, Series } from './series.ts'

interface Row {
  name: string
  value: string
  at: Point
  colour: string
}

interface Hit {
  at: Point
  area: string
  head: string
  rows: Row[]
}

export interface HitOptions {
  colours: readonly string[]
  /** What the x axis counts. */
  nameX: string
  /** Behind each value, such as ` %`. */
  unit: string
}

const COLUMNS = 90
/** Longer heads go on in a further line, and longer names lose their middle, so that the box fits on a telephone. */
const MOST_LETTERS = 32

/** All groups of a plot, to be drawn above everything else. */
export function plotHits(series: readonly Series[], area: PlotArea, options: HitOptions): string[] {
  const isScatter = series.every(({ style, labels }) => style === 'dots' || labels)
  const hits = isScatter ? pointHits(series, area, options) : columnHits(series, area, options)
  return hits.map((hit) => drawHit(hit, area))
}

function pointHits(series: readonly Series[], area: PlotArea, { colours, unit }: HitOptions): Hit[] {
  return series.flatMap(({ name, points, labels }, index) =>
    points.flatMap((point, position) => {
      const at = place(area, point)
      if (!isDrawn(at)) return []
      const value = `${formatNumber(point[0])}, ${formatNumber(point[1])}${unit}`
      const rows = [{ name, value, at, colour: colours[index]! }]
      return {
        at,
        rows,
        head: labels?.[position] ?? '',
        area: `<circle cx="${across(at[0])}" cy="${c(at[1])}" r="11"/>`,
      }
    }),
  )
}

/** One hit per column that holds points: of every series its last point in the column or before it. */
function columnHits(series: readonly Series[], area: PlotArea, { colours, nameX, unit }: HitOptions): Hit[] {
  const { top, bottom } = area
  const columns = new Map<number, { at: Point; x: number; rows: Map<number, Row> }>()
  for (const [index, { name, points, style }] of series.entries()) {
    if (style === 'faint') continue
    for (const point of points) {
      const at = place(area, point)
      if (!isDrawn(at)) continue
      const column = Math.min(COLUMNS - 1, Math.floor((at[0] / 100) * COLUMNS))
      const hit = columns.get(column) ?? { at, x: point[0], rows: new Map() }
      columns.set(column, hit)
      if (at[0] >= hit.at[0]) Object.assign(hit, { at, x: point[0] })
      hit.rows.set(index, { name, value: `${formatNumber(point[1])}${unit}`, at, colour: colours[index]! })
    }
  }
  const ordered = [...columns.entries()].sort(([a], [b]) => a - b).map(([, hit]) => hit)
  let known: (typeof ordered)[number]['rows'] = new Map()
  return ordered.map(({ at, x, rows }, index) => {
    known = new Map([...known, ...rows])
    // Columns without points belong to the nearest one that has some.
    const from = index === 0 ? 0 : (ordered[index - 1]!.at[0] + at[0]) / 2
    const to = index === ordered.length - 1 ? 100 : (at[0] + ordered[index + 1]!.at[0]) / 2
    const catching = `<rect x="${across(from)}" y="${top}" width="${across(to - from)}" height="${bottom - top}"/>`
    const inOrder = [...known.entries()].sort(([a], [b]) => a - b).map(([, row]) => row)
    return { at, area: catching, rows: inOrder, head: `${nameX} ${formatNumber(x)}` }
  })
}

function drawHit({ at, area, head, rows }: Hit, { top, bottom }: PlotArea): string {
  const texts = [
    ...inLines(head),
    ...rows.map(({ name, value }) => `${fitting(name, MOST_LETTERS - value.length)}  ${value}`),
  ].filter((text) => text !== '')
  const width = 24 + Math.max(...texts.map((text) => text.length)) * LETTER
  const height = 10 + texts.length * 17
  const isLeft = at[0] > 50
  const x = isLeft ? 4 : -4 - width
  const lines = texts.map((text, index) => {
    const row = rows[index - (texts.length - rows.length)]
    const mark = row ? `<circle class="${row.colour}" cx="${c(x + 11)}" cy="${top + 15 + index * 17}" r="3.5"/>` : ''
    return `${mark}<text x="${c(x + (row ? 20 : 9))}" y="${top + 19 + index * 17}">${escapeHtml(text)}</text>`
  })
  return [
    `<g class="hit"><g class="catch">${area}</g><g class="tip">`,
    `<line class="guide" x1="${across(at[0])}" x2="${across(at[0])}" y1="${top}" y2="${bottom}"/>`,
    ...rows.map((row) => `<circle class="${row.colour}" cx="${across(row.at[0])}" cy="${c(row.at[1])}" r="4.5"/>`),
    `<svg class="box" x="${isLeft ? '0' : '100%'}"><rect x="${c(x)}" y="${top}" width="${c(width)}" height="${height}" rx="5"/>`,
    ...lines,
    '</svg></g></g>',
  ].join('')
}

/** Names differ at their ends more than in the middle. */
function fitting(name: string, length: number): string {
  const letters = [...name]
  if (letters.length <= length) return name
  const kept = Math.max(4, length - 1)
  const head = Math.ceil(kept / 2)
  return `${letters.slice(0, head).join('')}…${letters.slice(head - kept).join('')}`
}

function inLines(text: string): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < MOST_LETTERS) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
