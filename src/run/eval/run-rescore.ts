// Stored samples scored again as a run: no model is loaded, and shards become one.

import { type FoundTasks, findTasks } from '../../eval/find-tasks.ts'
import type { Group } from '../../eval/groups.ts'
import { rescore } from '../../eval/rescore.ts'
import { readResults, type StoredResults, writeResults } from '../../eval/result-files.ts'
import { type EvalReport, resultsOf, taskHash } from '../../eval/results.ts'
import { answerNotices, resultsTable } from '../../eval/results-table.ts'
import { eventsOf, type Watch, type WorkEvent } from '../../work.ts'
import { resolveDataFile } from '../resolve-data.ts'
import { type JudgeOptions, openJudges } from './open-judges.ts'

/** What is scored again, and by which tasks. */
export interface RunRescoreOptions extends JudgeOptions {
  /** Files of results, or directories with them. */
  from: readonly string[]
  /** Tasks in place of those that were stored. */
  tasks?: readonly string[] | undefined
  /** Files of data sets, where those tasks read any to be made. What judges said of the answers is stored and not asked again. */
  data?: string | undefined
  bootstrap?: number | undefined
  /** Where the new results go; without it nothing is written. */
  outputPath?: string | undefined
}

/** Scores again; the numbers are those that an evaluation by the same tasks would have had. */
export function runRescore(
  options: RunRescoreOptions,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<WorkEvent, EvalReport> {
  return eventsOf(
    async (watch) => {
      const { tell } = watch
      const notice = (message: string): void => tell({ type: 'notice', message })
      const stored = options.from.map(readResults)
      const { tasks, groups } = await namedTasks(options, notice, watch)
      const runs = rescore(stored, tasks)
      const results = resultsOf(runs, groups, options.bootstrap ?? 100_000)
      const { results: _, groups: __, answers: ___, ...first } = stored[0]!.results
      const lost = lostGroups(stored, groups)
      if (lost.length > 0)
        notice(
          `${lost.join(', ')}: results do not keep how a group is put together, and its tasks stand alone. Name the group, or its file, among the tasks to have its mean`,
        )
      const date = new Date()
      const report: EvalReport = {
        ...first,
        ...results,
        date: date.getTime() / 1000,
        task_hashes: Object.fromEntries(runs.map(({ task, samples }) => [task.name, taskHash(samples)])),
      }
      for (const message of answerNotices(results.answers)) notice(message)
      if (options.outputPath !== undefined) {
        const samples = new Map(runs.map((run) => [run.task.name, run.samples]))
        tell({ type: 'saved', what: 'results', path: writeResults(options.outputPath, date, report, samples) })
      }
      tell({ type: 'result', result: report, lines: resultsTable(results) })
      return report
    },
    { signal },
  )
}

async function namedTasks(
  { data, tasks = [], ...options }: RunRescoreOptions,
  notice: (message: string) => void,
  watch: Watch,
): Promise<FoundTasks> {
  const { judges, free } = await openJudges({ ...options, tasks }, {}, watch)
  try {
    return await findTasks(tasks, { ...judges, data: data && (await resolveDataFile(data, watch)), notice })
  } finally {
    free()
  }
}

/** Groups that the stored results have a mean of, and the new ones do not. */
function lostGroups(stored: readonly StoredResults[], groups: readonly Group[]): string[] {
  const known = new Set(groups.map(({ config }) => config.group))
  const before = stored.flatMap(({ results }) => Object.keys((results.groups ?? {}) as Record<string, unknown>))
  return [...new Set(before)].filter((name) => !known.has(name))
}
