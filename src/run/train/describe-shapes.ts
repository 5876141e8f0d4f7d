// Which data a stage has read, for the line that says so: the shape and how it was told, or each shape with its rows where there are more.

import type { TuningReport } from '../../data/tuning/supervised-files.ts'
import { counted } from '../../report/amounts.ts'

/** `alpaca data (50 of 50 rows have …)`, or `data of 2 shapes (50 rows alpaca, 40 rows sharegpt)`. */
export function describeShapes({ guess, shapes }: Pick<TuningReport, 'guess' | 'shapes'>): string {
  const found = Object.entries(shapes).sort(([, a], [, b]) => b - a)
  if (found.length < 2) return `${guess.shape} data (${guess.reason})`
  return `data of ${found.length} shapes (${found.map(([shape, count]) => `${counted(count, 'row')} ${shape}`).join(', ')})`
}
