// Line charts and scatter plots as inline SVG. Hovering needs no script: every column of a line chart (every point
// of a scatter plot) is a group whose guide, dots and label the style sheet shows while the pointer is on it (plot-hits.ts).

import { coordinate as c, escapeHtml } from './html.ts'
import { across, isDrawn, LETTER, NARROW, type PlotArea, place, plotArea } from './plot-area.ts'
import { plotHits } from './plot-hits.ts'
import { formatNumber } from './scale.ts'
import { type Point, type Series, thinned } from './series.ts'

/** Series over two axes, as lines or as points. */
export interface XyChart {
  title: string
  /** Names of the axes, with units. */
  x: string
  y: string
  series: readonly Series[]
  logX?: boolean
  logY?: boolean
  /** Shows zero, for amounts that are compared by how many times one is the other. */
  fromZero?: boolean
  /** The values are shares of one, and are shown in per cent. */
  isShare?: boolean
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

/** Lines are drawn in a picture of this width that is stretched over the plot. */
const STRETCHED = 1000
const THINNED_COLUMNS = 380
/** A plot on a screen, in pixels, where names are laid out. */
const WIDE = 640
/** Free pixels on the right of a plot. */
const BESIDE = 10

/** A `<figure>` with legend, plot and note. */
export function renderXyChart(given: XyChart): string {
  const chart = given.isShare ? { ...given, series: given.series.map(inPerCent) } : given
  const { series, title, logX = false, logY = false, fromZero, isShare = false } = chart
  const colours = colourClasses(series)
  const area = plotArea(series, logX, logY, fromZero)
  const unit = isShare ? ' %' : ''
  const yLabels = area.y.ticks.map(({ label }) => label + unit)
  const left = Math.min(12, Math.max(1, ...yLabels.map((label) => label.length)))
  const svg = [
    `<svg class="plot" height="${area.height}" role="img" aria-label="${escapeHtml(spoken(chart, unit))}">`,
    // Inside its own group the title names the picture and does not pop up over every point.
    `<g><title>${escapeHtml(title)}</title></g>`,
    drawAxes(area, yLabels),
    drawLines(series, area, colours),
    ...series.map((line, index) => drawDots(line, area, colours[index]!)),
    ...drawMarks(area, chart.marks),
    ...drawNames(series, area),
    ...plotHits(series, area, { colours, nameX: chart.x, unit }),
    '</svg>',
  ]
  return figure(chart, colours, `<div class="area y${left}">${svg.join('')}</div>`)
}

function inPerCent(series: Series): Series {
  return { ...series, points: series.points.map(([x, y]): Point => [x, 100 * y]) }
}

// Six colours, then again. A faint line belongs to the line after it and shares its colour.
function colourClasses(series: readonly Series[]): string[] {
  let index = 0
  return series.map(({ style }) => `s${((style === 'faint' ? index : index++) % 6) + 1}`)
}

function drawAxes(area: PlotArea, yLabels: readonly string[]): string {
  const { bottom, x, y } = area
  const parts = y.ticks.map(({ value }, index) => {
    const at = c(place(area, [x.domain[0], value])[1])
    const isZero = value === 0 && y.domain[0] < 0 && y.domain[1] > 0
    const line = `<line class="${isZero ? 'zero' : 'grid'}" x1="0" x2="100%" y1="${at}" y2="${at}"/>`
    return `${line}<text class="tick end" x="-8" y="${c(Number(at) + 4)}">${escapeHtml(yLabels[index]!)}</text>`
  })
  for (const [index, { value, label }] of x.ticks.entries()) {
    const at = 100 * x.fraction(value)
    // Every second one goes where there is little room; a long one at the end stands inside.
    const fine = x.ticks.length > 4 && (x.ticks.length - index) % 2 === 0 ? ' fine' : ''
    const isOut = (label.length * LETTER) / 2 > ((100 - at) / 100) * NARROW + BESIDE
    const side = isOut ? 'end' : 'middle'
    parts.push(`<line class="axis" x1="${across(at)}" x2="${across(at)}" y1="${bottom}" y2="${bottom + 5}"/>`)
    parts.push(`<text class="tick ${side}${fine}" x="${across(at)}" y="${bottom + 19}">${escapeHtml(label)}</text>`)
  }
  return `${parts.join('')}<line class="axis" x1="0" x2="100%" y1="${bottom}" y2="${bottom}"/>`
}

/** All lines in one picture that is as wide as the plot; their strokes keep their width. */
function drawLines(series: readonly Series[], area: PlotArea, colours: readonly string[]): string {
  const paths = series.map(({ points, style = 'line' }, index) => {
    if (style === 'dots') return ''
    const placed = points.map((point): Point => {
      const [x, y] = place(area, point)
      return [(x * STRETCHED) / 100, y]
    })
    return `<g class="series ${colours[index]} ${style}"><path d="${linePath(thinned(placed, THINNED_COLUMNS))}"/></g>`
  })
  return `<svg class="lines" width="100%" height="${area.height}" viewBox="0 0 ${STRETCHED} ${area.height}" preserveAspectRatio="none">${paths.join('')}</svg>`
}

function drawDots({ points, style = 'line' }: Series, area: PlotArea, colourClass: string): string {
  const placed = points.map((point) => place(area, point)).filter(isDrawn)
  // A single point has no line, so it gets its dot in every style.
  if (style !== 'dots' && style !== 'marked' && placed.length !== 1) return ''
  const shown = style === 'dots' ? placed : thinned(placed, THINNED_COLUMNS)
  const dots = shown.map(([x, y]) => `<circle cx="${across(x)}" cy="${c(y)}" r="${style === 'dots' ? 4.5 : 3}"/>`)
  return dots.length === 0 ? '' : `<g class="series ${colourClass} ${style}">${dots.join('')}</g>`
}

/** One line of words below the other, on the side with more room; long ones stand at the edge where the plot is narrow. */
function drawMarks(area: PlotArea, marks: readonly Mark[] = []): string[] {
  const { top, bottom, x } = area
  const shown = marks.filter((mark) => mark.x >= x.domain[0] && mark.x <= x.domain[1])
  return shown.map((mark, index) => {
    const at = 100 * x.fraction(mark.x)
    const isLate = at > 50
    const words = (side: string, where: string, dx: number): string =>
      `<text class="${side}" x="${where}" dx="${dx}" y="${c(top + 14 + 17 * index)}">${escapeHtml(mark.label)}</text>`
    const line = `<line x1="${across(at)}" x2="${across(at)}" y1="${top}" y2="${bottom}"/>`
    const beside = words(isLate ? 'end' : 'start', `${across(at)}`, isLate ? -7 : 7)
    const isLong = mark.label.length * LETTER > (Math.max(at, 100 - at) / 100) * NARROW - 7
    return `<g class="mark">${line}${isLong ? `<g class="fine">${beside}</g><g class="coarse">${words('end', '100%', 0)}</g>` : beside}</g>`
  })
}

/**
 * Names above their points, or below where that hides fewer points. One that would stand on another goes: on a telephone or, where it
 * must, everywhere.
 */
function drawNames(series: readonly Series[], area: PlotArea): string[] {
  const taken: { at: Point; text: string }[] = []
  const dots = series.flatMap(({ points }) => points.map((point) => place(area, point)).filter(isDrawn))
  return series.flatMap(({ points, name, names, style }) => {
    const isOne = points.filter(isDrawn).length === 1 && (style === 'dots' || style === 'marked')
    return points.flatMap((point, index) => {
      const text = names?.[index] ?? (isOne ? name : '')
      const [x, y] = place(area, point)
      if (text === '' || !isDrawn([x, y])) return []
      const hidden = (baseline: number): number =>
        dots.filter((dot) => dot[1] > baseline - 14 && dot[1] < baseline + 6 && isBeside(dot[0], '', x, text, WIDE))
          .length
      const [above, below] = [y - 9, y + 18]
      const isBelow = y < area.top + 16 || (hidden(below) < hidden(above) && below < area.bottom - 3)
      const at = isBelow ? below : above
      const isTaken = (width: number): boolean =>
        taken.some((other) => Math.abs(other.at[1] - at) < 13 && isBeside(other.at[0], other.text, x, text, width))
      if (isTaken(WIDE)) return []
      const fine = isTaken(NARROW) ? ' fine' : ''
      taken.push({ at: [x, at], text })
      return `<text class="name ${sideOf(x)}${fine}" x="${across(x)}" y="${c(at)}">${escapeHtml(text)}</text>`
    })
  })
}

function sideOf(x: number): 'start' | 'middle' | 'end' {
  return x > 80 ? 'end' : x < 12 ? 'start' : 'middle'
}

/** Whether two names at these parts of the width share some of it; a dot has no letters. */
function isBeside(x: number, text: string, otherX: number, other: string, width: number): boolean {
  const half = (name: string): number => (name.length / 2) * LETTER
  const middle = (at: number, name: string): number =>
    (at / 100) * width + { start: half(name), middle: 0, end: -half(name) }[sideOf(at)]
  return Math.abs(middle(x, text) - middle(otherX, other)) < half(text) + half(other)
}

/** Points → path data; points that are not finite break the line. */
export function linePath(points: readonly Point[]): string {
  let isDown = false
  let path = ''
  for (const point of points) {
    if (isDrawn(point)) path += `${isDown ? 'L' : 'M'}${c(point[0])} ${c(point[1])}`
    isDown = isDrawn(point)
  }
  return path
}

function figure(chart: XyChart, colours: readonly string[], plot: string): string {
  const keys = chart.series.flatMap(({ name, names, points, style = 'line' }, index) => {
    const isDot = style === 'dots'
    if (chart.series.length === 1 || ((isDot || style === 'marked') && points.length === 1 && names === undefined))
      return []
    const mark = isDot ? '' : '<path d="M0 6H22"/>'
    const dot = style === 'marked' || isDot ? '<circle cx="11" cy="6" r="3.5"/>' : ''
    const key = `<svg viewBox="0 0 22 12" aria-hidden="true"><g class="series ${colours[index]} ${style}">${mark}${dot}</g></svg>`
    return [`<li>${key}${escapeHtml(name)}</li>`]
  })
  const legend = keys.length > 0 ? `<ul class="legend">${keys.join('')}</ul>` : ''
  const note = chart.note ? `<p class="note">${escapeHtml(chart.note)}</p>` : ''
  const head = `<figcaption><h3>${escapeHtml(chart.title)}</h3>${legend}</figcaption>`
  return `<figure>${head}<p class="unit">${escapeHtml(chart.y)}</p>${plot}<p class="unit end">${escapeHtml(chart.x)}</p>${note}</figure>`
}

/** The plot in words, for people who hear it. */
function spoken({ title, x, y, series, marks = [] }: XyChart, unit: string): string {
  const lines = series
    .filter(({ style }) => style !== 'faint')
    .map(({ name, points, style }) => {
      const drawn = points.filter(isDrawn)
      const [first, last] = [drawn[0], drawn.at(-1)]
      if (first === undefined || last === undefined) return `${name}: no values`
      if (style === 'dots' && drawn.length > 1) return `${name}: ${drawn.length} points`
      const told = ([at, value]: Point): string => `${formatNumber(value)}${unit} at ${formatNumber(at)}`
      return drawn.length === 1 ? `${name}: ${told(first)}` : `${name} from ${told(first)} to ${told(last)}`
    })
  const happened = marks.map(({ x: at, label }) => ` At ${formatNumber(at)}: ${label}.`)
  return `${title}: ${y} by ${x}. ${lines.join('; ')}.${happened.join('')}`
}
