// The lines of a plot before they are drawn: fewer points where there are more than pixels, and smoothing.

/** [x, y] in the units of the axes. */
export type Point = readonly [x: number, y: number]

/** Points that belong together, with the name that their line has in the legend. */
export interface Series {
  name: string
  /** Sorted by x. A y that is not finite is a gap in the line. */
  points: readonly Point[]
  /** `faint` for noise behind the line that follows in the list, whose colour it takes, `marked` for few points, `dots` without a line. Default `line`. */
  style?: 'line' | 'faint' | 'marked' | 'dots'
  /** A name for each point, shown when the pointer is on it. */
  labels?: readonly string[]
  /** A few letters beside each point, always shown; an empty one is left out. A series of one point bears its own name. */
  names?: readonly string[]
}

/**
 * Thins a line to about `columns` × 4 points without changing how it looks: of every column the first, lowest,
 * highest and last point stay, so spikes stay visible.
 */
export function thinned(points: readonly Point[], columns: number): readonly Point[] {
  if (points.length <= columns * 4) return points
  const [low, high] = [points[0]![0], points.at(-1)![0]]
  const width = Math.abs(high - low) / columns || 1
  const kept: Point[] = []
  for (let start = 0; start < points.length; ) {
    const column = Math.floor((points[start]![0] - low) / width)
    let end = start + 1
    while (end < points.length && Math.floor((points[end]![0] - low) / width) === column) end++
    const [least, most] = extremes(points, start, end)
    const indices = new Set([start, least, most, end - 1])
    kept.push(...[...indices].sort((a, b) => a - b).map((index) => points[index]!))
    start = end
  }
  return kept
}

/**
 * Exponential moving mean with the start corrected as in Adam, so that the first point is not pulled to zero.
 * `weight` is the share of the past, 0.9 = about the last ten points.
 */
export function smoothed(points: readonly Point[], weight = 0.9): Point[] {
  let mean = 0
  let total = 0
  return points.map(([x, y]) => {
    if (!Number.isFinite(y)) return [x, y]
    mean = weight * mean + (1 - weight) * y
    total = weight * total + (1 - weight)
    return [x, mean / total]
  })
}

function extremes(points: readonly Point[], start: number, end: number): [least: number, most: number] {
  let [least, most] = [start, start]
  for (let index = start; index < end; index++) {
    if (points[index]![1] < points[least]![1]) least = index
    if (points[index]![1] > points[most]![1]) most = index
  }
  return [least, most]
}
