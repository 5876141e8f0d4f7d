// Where things are in a plot that is as wide as the page allows: x in per cent of its width, y in pixels. So letters and dots keep
// their size on a telephone, and nothing is cut off. No script and no inline style: both are forbidden by the page's policy.

import { createScale, type Scale } from './scale.ts'
import type { Point, Series } from './series.ts'

/** Width of a letter of 12 pixels on average. */
export const LETTER = 6.7
/** The plot of the narrowest telephone, in pixels. What is laid out for it fits everywhere. */
export const NARROW = 250

export interface PlotArea {
  /** Of the picture, in pixels. */
  height: number
  top: number
  bottom: number
  x: Scale
  y: Scale
}

const HEIGHT = 262
const TOP = 8
/** Ticks and their labels below the axis. */
const BELOW = 26

/** Axes that hold all points. */
export function plotArea(series: readonly Series[], logX: boolean, logY: boolean, fromZero = false): PlotArea {
  const all = series.flatMap(({ points }) => points)
  const [xs, ys] = [all.map(([x]) => x), [...all.map(([, y]) => y), ...(fromZero && !logY ? [0] : [])]]
  // Lines run from edge to edge; dots would be cut in half there.
  const margin = series.some(({ style }) => style === 'dots') ? 0.04 : 0
  const whole = xs.every((x) => !Number.isFinite(x) || Number.isInteger(x))
  return {
    height: HEIGHT,
    top: TOP,
    bottom: HEIGHT - BELOW,
    x: createScale(positive(xs, logX), { log: logX, ticks: 7, margin, whole }),
    y: createScale(positive(ys, logY), { log: logY, nice: true, margin }),
  }
}

/** Per cent of the width, and pixels from the top. */
export function place({ top, bottom, x, y }: PlotArea, [valueX, valueY]: Point): Point {
  return [100 * x.fraction(valueX), bottom - y.fraction(valueY) * (bottom - top)]
}

/** A part of the width as SVG says it. */
export function across(perCent: number): string {
  return `${Number(perCent.toFixed(2))}%`
}

export function isDrawn(point: Point): boolean {
  return Number.isFinite(point[0]) && Number.isFinite(point[1])
}

function positive(values: readonly number[], isLog: boolean): readonly number[] {
  return isLog ? values.filter((value) => value > 0) : values
}
