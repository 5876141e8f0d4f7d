// Whether a model may have seen the documents: runs of words that they share with given training text (Brown et al. 2020, appendix C).

import { readDocuments } from '../data/read/sources.ts'
import { WordRuns } from '../data/word-runs.ts'
import { turn, type Watch } from '../work.ts'
import type { TaskRun } from './evaluate.ts'
import { taskMetrics } from './results.ts'

/** What was found of a task. */
export interface Contamination {
  /** Documents that could be looked for, and those of which a run was found. */
  documents: number
  found: number
  /** Numbers of the documents that were found. */
  ids: readonly number[]
  /** Documents too short to tell. */
  short: number
  /** The metrics without the documents that were found. */
  clean: Readonly<Record<string, number | string>>
}

/** Looks for all documents in the texts under the paths, which are in the field `textKey` of their rows (default `text`). */
export async function contamination(
  runs: readonly TaskRun[],
  paths: readonly string[],
  watch: Watch = {},
  { textKey = 'text' }: { textKey?: string | undefined } = {},
): Promise<Record<string, Contamination>> {
  const runsOfWords = new WordRuns()
  const documents: { run: number; id: number }[] = []
  const short = runs.map(() => 0)
  const looked = runs.map(() => 0)
  for (const [run, { task, samples }] of runs.entries())
    for (const { doc, doc_id: id } of new Map(samples.map((each) => [each.doc_id, each])).values()) {
      const canTell = queriesOf(task, doc, id).map((query) => runsOfWords.add(query, documents.length))
      if (canTell.includes(true)) looked[run]!++
      else short[run]!++
      documents.push({ run, id })
    }
  const found = runs.map(() => new Set<number>())
  for await (const { text } of readDocuments(paths, { textKey })) {
    for (const document of runsOfWords.find(text)) found[documents[document]!.run]!.add(documents[document]!.id)
    await turn(watch)
  }
  return Object.fromEntries(
    runs.map(({ task, metrics, samples }, run) => [
      task.name,
      {
        documents: looked[run]!,
        found: found[run]!.size,
        ids: [...found[run]!].sort((a, b) => a - b),
        short: short[run]!,
        clean: taskMetrics(
          task.name,
          metrics,
          samples.filter((sample) => !found[run]!.has(sample.doc_id)),
          0,
        ),
      },
    ]),
  )
}

/**
 * What of a document must not have been learnt: what the task says, else question and answer. Where there are choices, the question with each:
 * text that was learnt has one of them, and a sentence to be judged stands by itself.
 */
function queriesOf(task: TaskRun['task'], doc: TaskRun['samples'][number]['doc'], id: number): string[] {
  const { doc_to_decontamination_query: query } = task.config
  if (typeof query === 'function') return [query(doc)]
  if (typeof query === 'string') return [task.extra(query, doc, id, 'doc_to_decontamination_query')]
  const question = task.text(doc, id)
  if (task.config.doc_to_choice === undefined) return [`${question} ${String(task.target(doc, id))}`]
  const choices = task.choices(doc, id)
  if (typeof question === 'string') return choices.map((choice) => `${question} ${choice}`)
  // Where the choices are questions, all have one answer.
  const answer = task.target(doc, id)
  return choices.map((choice) => (typeof answer === 'string' ? `${choice} ${answer}` : choice))
}
