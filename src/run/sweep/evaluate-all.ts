// A model of a sweep under each of the file's evaluations; what was asked in the same way before is not asked again.
import { join } from 'node:path'
import type { Tell } from '../../work.ts'
import { runEval } from '../eval/run-eval.ts'
import type { Evaluation } from './read-evaluations.ts'

/** What one evaluation found. */
export interface Evaluated {
  label: string
  /** `crows_pairs pct_stereotype` and the like. */
  metrics: Record<string, number>
  /** What was asked; an evaluation that asks otherwise is done anew. */
  asked: Record<string, unknown>
}

export async function evaluateAll(
  model: string,
  name: string,
  evaluations: readonly Evaluation[],
  folder: string,
  known: readonly Evaluated[],
  { signal, tell }: { signal: AbortSignal; tell: Tell },
): Promise<Evaluated[]> {
  const found: Evaluated[] = []
  for (const { label, options } of evaluations) {
    const asked = JSON.parse(JSON.stringify(options)) as Record<string, unknown>
    const old = known.find((one) => one.label === label && JSON.stringify(one.asked) === JSON.stringify(asked))
    if (old !== undefined) {
      found.push(old)
      continue
    }
    const work = runEval({ ...options, model, outputPath: join(folder, label) }, { signal })
    for (;;) {
      const next = await work.next()
      if (next.done) {
        found.push({ label, metrics: metricsOf(next.value.results), asked })
        break
      }
      const event = next.value
      const place = label === '' ? name : `${name}, ${label}`
      if (event.type === 'progress') tell({ ...event, label: `${place}: ${event.label}` })
      if (event.type === 'notice') tell({ ...event, message: `${place}: ${event.message}` })
    }
    signal.throwIfAborted()
  }
  return found
}

/** `{ crows_pairs: { 'pct_stereotype,none': 0.6 } }` → `{ 'crows_pairs pct_stereotype': 0.6 }`, without errors and what is no number. */
function metricsOf(results: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Record<string, number> {
  const entries = Object.entries(results).flatMap(([task, metrics]) =>
    Object.entries(metrics).flatMap(([key, value]) => {
      const [metric = '', filter] = key.split(',')
      if (filter === undefined || metric.endsWith('_stderr') || typeof value !== 'number') return []
      return [[`${task} ${metric}${filter === 'none' ? '' : ` (${filter})`}`, value] as const]
    }),
  )
  return Object.fromEntries(entries)
}
