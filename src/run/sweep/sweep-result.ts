// What a sweep found: sweep.json.
import type { Evaluated } from './evaluate-all.ts'

/** One run of a sweep and how it ended. */
export interface SweepRow {
  name: string
  settings: Record<string, string>
  status: 'done' | 'failed'
  /** What the run left in all_results.json. */
  metrics: Record<string, number>
  error?: string
  /** What it was trained with; a row of another configuration is run again. */
  config: Record<string, unknown>
  /** What the file's evaluations say of it. */
  evaluated?: Evaluated[]
}

/** What sweep.json holds. */
export interface SweepResult {
  rows: SweepRow[]
  /** With evaluations: the models that the runs began with, by their paths. */
  before?: { model: string; evaluated: Evaluated[] }[]
}
