// Horizontal bars: one row per item with its name, its bar and its value; on a telephone the name stands above its bar. Rows are
// told apart only through `isOurs`, which sets one arm of a comparison apart from the others.

import { escapeHtml } from './html.ts'
import { across } from './plot-area.ts'
import { createScale, formatNumber } from './scale.ts'

/** Values of named things, drawn as bars from zero. */
export interface BarChart {
  title: string
  /** What is measured, with unit. */
  unit: string
  bars: readonly { label: string; value: number; isOurs?: boolean; detail?: string }[]
  /** The values are shares of one, and are shown in per cent. */
  isShare?: boolean
  note?: string
}

/** So many bars are drawn thin, or the figure is longer than a screen. */
const MANY = 24

/** A `<figure>` with one bar per item; zero and a value that is not finite have none. Bars start at zero. */
export function renderBarChart({ title, unit, bars, isShare = false, note }: BarChart): string {
  const number = (value: number): string => (isShare ? `${formatNumber(100 * value)} %` : formatNumber(value))
  const values = bars.map(({ value, detail }) => number(value) + (detail ? ` · ${detail}` : ''))
  const scale = createScale([0, ...bars.map(({ value }) => value)])
  const at = (value: number): number => 100 * scale.fraction(value)
  const hasOurs = bars.some(({ isOurs }) => isOurs)
  const rows = bars.map(({ label, value, isOurs }, index) => {
    const [from, to] = [Math.min(at(0), at(value)), Math.max(at(0), at(value))]
    const strength = hasOurs && !isOurs ? 'other' : 's1'
    const bar =
      Number.isFinite(value) && value !== 0
        ? `<rect class="bar ${strength}" x="${across(from)}" width="${across(Math.max(0.3, to - from))}" height="100%" rx="2"/>`
        : ''
    const zero = `<line class="axis" x1="${across(at(0))}" x2="${across(at(0))}" y1="-9" y2="100%"/>`
    return `<span class="name">${escapeHtml(label)}</span><svg class="track">${bar}${zero}</svg><span class="value">${escapeHtml(values[index]!)}</span>`
  })
  const spoken = `${title}, ${unit}. ${bars.map(({ label }, index) => `${label}: ${values[index]}`).join('; ')}.`
  const head = `<figcaption><h3>${escapeHtml(title)}</h3><p class="unit">${escapeHtml(unit)}</p></figcaption>`
  const foot = note ? `<p class="note">${escapeHtml(note)}</p>` : ''
  return `<figure>${head}<div class="bars${bars.length > MANY ? ' many' : ''}" role="img" aria-label="${escapeHtml(spoken)}">${rows.join('')}</div>${foot}</figure>`
}
