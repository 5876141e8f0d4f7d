/** 95 % interval of a share (Wilson, 1927). */
export function wilson(hits: number, all: number): [number, number] {
  if (all === 0) return [0, 1]
  const z = 1.959964
  const p = hits / all
  const middle = (p + (z * z) / (2 * all)) / (1 + (z * z) / all)
  const half = (z / (1 + (z * z) / all)) * Math.sqrt((p * (1 - p)) / all + (z * z) / (4 * all * all))
  return [Math.max(0, middle - half), Math.min(1, middle + half)]
}
