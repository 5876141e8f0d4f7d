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

/** How evaluations are followed; a notice that the models of a sweep have in common is told of the first. */
export interface EvaluateWatch {
  signal: AbortSignal
  tell: Tell
  said: Set<string>
}

export async function evaluateAll(
  model: string,
  name: string,
  evaluations: readonly Evaluation[],
  folder: string,
  known: readonly Evaluated[],
  { signal, tell, said }: EvaluateWatch,
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
        found.push({ label, metrics: metricsOf(next.value.results, label), asked })
        break
      }
      const event = next.value
      const place = label === '' ? name : `${name}, ${label}`
      if (event.type === 'progress') tell({ ...event, label: `${place}: ${event.label}` })
      if (event.type === 'notice' && !said.has(`${label}: ${event.message}`)) {
        said.add(`${label}: ${event.message}`)
        tell({ ...event, message: `${place}: ${event.message}` })
      }
    }
    signal.throwIfAborted()
  }
  return found
}

/**
 * `{ crows_pairs: { 'pct_stereotype,none': 0.6 } }` → `{ 'crows_pairs pct_stereotype': 0.6 }`, without errors and what is no number. A task that is
 * called after the language (`toxicity_da`) has the name that it has in the others, so that languages stand side by side.
 */
function metricsOf(
  results: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  label: string,
): Record<string, number> {
  const entries = Object.entries(results).flatMap(([name, metrics]) => {
    const task = label !== '' && name.endsWith(`_${label}`) ? name.slice(0, -label.length - 1) : name
    return Object.entries(metrics).flatMap(([key, value]) => {
      const [metric = '', filter] = key.split(',')
      if (filter === undefined || metric.endsWith('_stderr') || typeof value !== 'number') return []
      return [[`${task} ${metric}${filter === 'none' ? '' : ` (${filter})`}`, value] as const]
    })
  })
  return Object.fromEntries(entries)
}
