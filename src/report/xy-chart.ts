// Line charts and scatter plots as inline SVG. Hovering needs no script: every column of a line chart (every point
// of a scatter plot) is a group whose guide, dots and label the style sheet shows while the pointer is on it.

import { coordinate as c, escapeHtml } from './html.ts'
import { createScale, formatNumber, type Scale } from './scale.ts'
import { type Point, type Series, thinned } from './series.ts'

export interface XyChart {
  title: string
  /** Names of the axes, with units. */
  x: string
  y: string
  series: readonly Series[]
  logX?: boolean
  logY?: boolean
  /** Places on the x axis where something happened, each with a few words. */
  marks?: readonly Mark[]
  /** One sentence below the plot. */
  note?: string
}

/** A vertical line at `x`. */
export interface Mark {
  x: number
  label: string
}

/** Where the plot lies inside the view box. */
interface Frame {
  left: number
  right: number
  top: number
  bottom: number
  x: Scale
  y: Scale
}

const WIDTH = 760
const HEIGHT = 300
const LETTER = 6.7
const COLUMNS = 90

/** A `<figure>` with legend, plot and note. */
export function renderXyChart(chart: XyChart): string {
  const { series } = chart
  const colours = colourClasses(series)
  const frame = layOut(chart)
  const lines = series.map((line, index) => drawSeries(line, frame, colours[index]!))
  return figure(chart, [
    `<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(spoken(chart))}">`,
    // Inside its own group the title names the picture and does not pop up over every point.
    `<g><title>${escapeHtml(chart.title)}</title></g>`,
    drawAxes(frame, chart),
    ...lines,
    ...drawMarks(frame, chart.marks),
    ...drawHits(chart, frame, colours),
    '</svg>',
  ])
}

// Six colours, then again. A faint line belongs to the line after it and shares its colour.
function colourClasses(series: readonly Series[]): string[] {
  let index = 0
  return series.map(({ style }) => `s${((style === 'faint' ? index : index++) % 6) + 1}`)
}

function layOut({ series, logX = false, logY = false }: XyChart): Frame {
  const all = series.flatMap(({ points }) => points)
  // Lines run from edge to edge; dots would be cut in half there.
  const margin = series.some(({ style }) => style === 'dots') ? 0.04 : 0
  const x = createScale(
    positive(
      all.map(([value]) => value),
      logX,
    ),
    { log: logX, ticks: 7, margin },
  )
  const y = createScale(
    positive(
      all.map(([, value]) => value),
      logY,
    ),
    { log: logY, nice: true, margin },
  )
  const widest = Math.max(...y.ticks.map(({ label }) => label.length))
  return { left: 14 + widest * LETTER, right: WIDTH - 14, top: 30, bottom: HEIGHT - 46, x, y }
}

function positive(values: readonly number[], isLog: boolean): readonly number[] {
  return isLog ? values.filter((value) => value > 0) : values
}

function place({ left, right, top, bottom, x, y }: Frame, [valueX, valueY]: Point): Point {
  return [left + x.fraction(valueX) * (right - left), bottom - y.fraction(valueY) * (bottom - top)]
}

function isDrawn(point: Point): boolean {
  return Number.isFinite(point[0]) && Number.isFinite(point[1])
}

function drawAxes(frame: Frame, chart: XyChart): string {
  const { left, right, top, bottom, x, y } = frame
  const parts: string[] = []
  for (const { value, label } of y.ticks) {
    const [, height] = place(frame, [x.domain[0], value])
    parts.push(`<path class="grid" d="M${c(left)} ${c(height)}H${c(right)}"/>`)
    parts.push(`<text class="tick end" x="${c(left - 8)}" y="${c(height + 4)}">${escapeHtml(label)}</text>`)
  }
  for (const { value, label } of x.ticks) {
    const [at] = place(frame, [value, y.domain[0]])
    parts.push(`<path class="axis" d="M${c(at)} ${c(bottom)}v5"/>`)
    const middle = Math.min(at, WIDTH - (label.length * LETTER) / 2) // what stands over is cut off
    parts.push(`<text class="tick middle" x="${c(middle)}" y="${c(bottom + 19)}">${escapeHtml(label)}</text>`)
  }
  parts.push(`<path class="axis" d="M${c(left)} ${c(bottom)}H${c(right)}"/>`)
  parts.push(`<text class="label" x="${c(left)}" y="${c(top - 14)}">${escapeHtml(chart.y)}</text>`)
  parts.push(`<text class="label end" x="${c(right)}" y="${c(bottom + 38)}">${escapeHtml(chart.x)}</text>`)
  return parts.join('')
}

function drawSeries({ points, style = 'line' }: Series, frame: Frame, colourClass: string): string {
  const all = points.map((point) => place(frame, point))
  const placed = style === 'dots' ? all : thinned(all, WIDTH / 2)
  const dots = placed
    .filter(isDrawn)
    .map(([x, y]) => `<circle cx="${c(x)}" cy="${c(y)}" r="${style === 'dots' ? 4.5 : 3}"/>`)
    .join('')
  const line = style === 'dots' ? '' : `<path d="${linePath(placed)}"/>`
  // A single point has no line, so it gets its dot in every style.
  const isMarked = style === 'dots' || style === 'marked' || dots.indexOf('<circle', 1) < 0
  return `<g class="series ${colourClass} ${style}">${line}${isMarked ? dots : ''}</g>`
}

/** One line of words below the other, behind its mark where there is room: most curves fall, and leave it free there. */
function drawMarks(frame: Frame, marks: readonly Mark[] = []): string[] {
  const { right, top, bottom, x, y } = frame
  const shown = marks.filter((mark) => mark.x >= x.domain[0] && mark.x <= x.domain[1])
  return shown.map((mark, index) => {
    const [at] = place(frame, [mark.x, y.domain[0]])
    const isLate = at + 7 + mark.label.length * LETTER > right
    const words = `<text class="${isLate ? 'end' : 'start'}" x="${c(at + (isLate ? -7 : 7))}" y="${c(top + 14 + 17 * index)}">${escapeHtml(mark.label)}</text>`
    return `<g class="mark"><path d="M${c(at)} ${c(top)}V${c(bottom)}"/>${words}</g>`
  })
}

/** Pixel points → path data; points that are not finite break the line. */
export function linePath(points: readonly Point[]): string {
  let isDown = false
  let path = ''
  for (const point of points) {
    if (isDrawn(point)) path += `${isDown ? 'L' : 'M'}${c(point[0])} ${c(point[1])}`
    isDown = isDrawn(point)
  }
  return path
}

interface Hit {
  at: Point
  area: string
  head: string
  rows: { name: string; value: string; at: Point; colour: string }[]
}

function drawHits({ series, x }: XyChart, frame: Frame, colours: readonly string[]): string[] {
  const isScatter = series.every(({ style, labels }) => style === 'dots' || labels)
  const hits = isScatter ? pointHits(series, frame, colours) : columnHits(series, frame, colours, x)
  return hits.map((hit) => drawHit(hit, frame))
}

function pointHits(series: readonly Series[], frame: Frame, colours: readonly string[]): Hit[] {
  return series.flatMap(({ name, points, labels }, index) =>
    points.flatMap((point, position) => {
      const at = place(frame, point)
      if (!isDrawn(at)) return []
      const value = `${formatNumber(point[0])}, ${formatNumber(point[1])}`
      const rows = [{ name, value, at, colour: colours[index]! }]
      return { at, rows, head: labels?.[position] ?? '', area: `<circle cx="${c(at[0])}" cy="${c(at[1])}" r="11"/>` }
    }),
  )
}

/** One hit per column that holds points: of every series its last point in the column or before it. */
function columnHits(series: readonly Series[], frame: Frame, colours: readonly string[], nameX: string): Hit[] {
  const { left, right, top, bottom } = frame
  const columns = new Map<number, { at: Point; x: number; rows: Map<number, Hit['rows'][number]> }>()
  for (const [index, { name, points, style }] of series.entries()) {
    if (style === 'faint') continue
    for (const point of points) {
      const at = place(frame, point)
      if (!isDrawn(at)) continue
      const column = Math.min(COLUMNS - 1, Math.floor(((at[0] - left) / (right - left)) * COLUMNS))
      const hit = columns.get(column) ?? { at, x: point[0], rows: new Map() }
      columns.set(column, hit)
      if (at[0] >= hit.at[0]) Object.assign(hit, { at, x: point[0] })
      hit.rows.set(index, { name, value: formatNumber(point[1]), at, colour: colours[index]! })
    }
  }
  const ordered = [...columns.entries()].sort(([a], [b]) => a - b).map(([, hit]) => hit)
  let known: (typeof ordered)[number]['rows'] = new Map()
  return ordered.map(({ at, x, rows }, index) => {
    known = new Map([...known, ...rows])
    // Columns without points belong to the nearest one that has some.
    const from = index === 0 ? left : (ordered[index - 1]!.at[0] + at[0]) / 2
    const to = index === ordered.length - 1 ? right : (at[0] + ordered[index + 1]!.at[0]) / 2
    const area = `<rect x="${c(from)}" y="${c(top)}" width="${c(to - from)}" height="${c(bottom - top)}"/>`
    const inOrder = [...known.entries()].sort(([a], [b]) => a - b).map(([, row]) => row)
    return { at, area, rows: inOrder, head: `${nameX} ${formatNumber(x)}` }
  })
}

function drawHit({ at, area, head, rows }: Hit, { left, right, top, bottom }: Frame): string {
  const texts = [head, ...rows.map(({ name, value }) => `${name}  ${value}`)].filter((text) => text !== '')
  const width = 22 + Math.max(...texts.map((text) => text.length)) * LETTER
  const height = 10 + texts.length * 17
  const isRight = at[0] + 12 + width < right
  const x = Math.max(left, isRight ? at[0] + 12 : at[0] - 12 - width)
  const y = Math.min(Math.max(top, at[1] - height - 8), bottom - height)
  const lines = texts.map((text, index) => {
    const row = rows[index - (texts.length - rows.length)]
    const mark = row ? `<circle class="${row.colour}" cx="${c(x + 11)}" cy="${c(y + 15 + index * 17)}" r="3.5"/>` : ''
    const indent = row ? 20 : 9
    return `${mark}<text x="${c(x + indent)}" y="${c(y + 19 + index * 17)}">${escapeHtml(text)}</text>`
  })
  return [
    `<g class="hit"><g class="area">${area}</g><g class="tip">`,
    `<path class="guide" d="M${c(at[0])} ${c(top)}V${c(bottom)}"/>`,
    ...rows.map((row) => `<circle class="${row.colour}" cx="${c(row.at[0])}" cy="${c(row.at[1])}" r="4.5"/>`),
    `<rect x="${c(x)}" y="${c(y)}" width="${c(width)}" height="${c(height)}" rx="5"/>`,
    ...lines,
    '</g></g>',
  ].join('')
}

function figure(chart: XyChart, svg: string[]): string {
  const colours = colourClasses(chart.series)
  const keys = chart.series.map(({ name, style = 'line' }, index) => {
    const isDot = style === 'dots'
    const mark = isDot ? '' : '<path d="M0 6H22"/>'
    const dot = style === 'marked' || isDot ? '<circle cx="11" cy="6" r="3.5"/>' : ''
    const key = `<svg viewBox="0 0 22 12" aria-hidden="true"><g class="series ${colours[index]} ${style}">${mark}${dot}</g></svg>`
    return `<li>${key}${escapeHtml(name)}</li>`
  })
  const legend = keys.length > 1 ? `<ul class="legend">${keys.join('')}</ul>` : ''
  const note = chart.note ? `<p class="note">${escapeHtml(chart.note)}</p>` : ''
  const head = `<figcaption><h3>${escapeHtml(chart.title)}</h3>${legend}</figcaption>`
  return `<figure>${head}<div class="scroll">${svg.join('')}</div>${note}</figure>`
}

/** The plot in words, for people who hear it. */
function spoken({ title, x, y, series, marks = [] }: XyChart): string {
  const lines = series
    .filter(({ style }) => style !== 'faint')
    .map(({ name, points, style }) => {
      const drawn = points.filter(isDrawn)
      const [first, last] = [drawn[0], drawn.at(-1)]
      if (first === undefined || last === undefined) return `${name}: no values`
      if (style === 'dots') return `${name}: ${drawn.length} points`
      return `${name} from ${formatNumber(first[1])} at ${formatNumber(first[0])} to ${formatNumber(last[1])} at ${formatNumber(last[0])}`
    })
  const happened = marks.map(({ x: at, label }) => ` At ${formatNumber(at)}: ${label}.`)
  return `${title}: ${y} by ${x}. ${lines.join('; ')}.${happened.join('')}`
}
