// Horizontal bars as inline SVG: one row per item, its value at the end of the bar. Rows may be grouped by colour
// only through `isOurs`, which sets one arm of a comparison apart from the others.

import { coordinate as c, escapeHtml } from './html.ts'
import { createScale, formatNumber } from './scale.ts'

export interface BarChart {
  title: string
  /** What is measured, with unit. */
  unit: string
  bars: readonly { label: string; value: number; isOurs?: boolean; detail?: string }[]
  note?: string
}

const WIDTH = 760
const ROW = 34
const LETTER = 7
const LONGEST_LABEL = 34

/** A `<figure>` with one bar per item; a value that is not finite has no bar. Bars start at zero. */
export function renderBarChart({ title, unit, bars, note }: BarChart): string {
  const labels = bars.map(({ label }) =>
    label.length > LONGEST_LABEL ? `${label.slice(0, LONGEST_LABEL - 1)}…` : label,
  )
  const values = bars.map(({ value, detail }) => formatNumber(value) + (detail ? ` · ${detail}` : ''))
  const left = 14 + Math.max(0, ...labels.map((label) => label.length)) * LETTER
  const right = WIDTH - 16 - Math.max(0, ...values.map((text) => text.length)) * LETTER
  const scale = createScale([0, ...bars.map(({ value }) => value)])
  const at = (value: number): number => left + scale.fraction(value) * (right - left)
  const hasOurs = bars.some(({ isOurs }) => isOurs)
  const height = bars.length * ROW + 4

  const rows = bars.map(({ value, isOurs }, index) => {
    const middle = 2 + index * ROW + ROW / 2
    const [from, to] = [Math.min(at(0), at(value)), Math.max(at(0), at(value))]
    const strength = hasOurs && !isOurs ? 'other' : 's1'
    const hasBar = Number.isFinite(value)
    const bar = `<rect class="bar ${strength}" x="${c(from)}" y="${c(middle - 9)}" width="${c(Math.max(1, to - from))}" height="18" rx="2"/>`
    const name = `<text class="name end" x="${c(left - 10)}" y="${c(middle + 4)}">${escapeHtml(labels[index]!)}</text>`
    const end = hasBar ? to : at(0)
    const figure = `<text class="value" x="${c(end + 8)}" y="${c(middle + 4)}">${escapeHtml(values[index]!)}</text>`
    return name + (hasBar ? bar : '') + figure
  })
  const zero = `<path class="axis" d="M${c(at(0))} 0V${c(height)}"/>`
  const spoken = `${title}, ${unit}. ${bars.map(({ label }, index) => `${label}: ${values[index]}`).join('; ')}.`
  const svg = [
    `<svg class="plot" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(spoken)}">`,
    `<g><title>${escapeHtml(title)}</title></g>${rows.join('')}${zero}</svg>`,
  ].join('')
  const head = `<figcaption><h3>${escapeHtml(title)}</h3><p class="unit">${escapeHtml(unit)}</p></figcaption>`
  const foot = note ? `<p class="note">${escapeHtml(note)}</p>` : ''
  return `<figure>${head}<div class="scroll">${svg}</div>${foot}</figure>`
}
