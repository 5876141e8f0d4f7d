// The figures of a sweep by language, before and after tuning.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../../errors.ts'
import type { Tuned } from '../../eval/transfer/transfer.ts'
import { readJsonFile } from '../../files/read-json.ts'
import type { Evaluated } from '../sweep/evaluate-all.ts'
import type { SweepResult, SweepRow } from '../sweep/sweep-result.ts'
import { isNamed, settingsText } from '../sweep/sweep-tables.ts'

/** Reads `sweep.json` in a folder. `metric` may leave out its task where one task alone has it. InputError where there are no evaluations, or a model lacks one. */
export function readTuned(folder: string, metric: string): { tuned: Tuned[]; metric: string; models: string[] } {
  const file = join(folder, 'sweep.json')
  if (!existsSync(file))
    throw new InputError(`${file}: expected the result of a sweep, got none. Run anneal sweep first`)
  const { rows, before = [] } = readJsonFile(file) as SweepResult
  if (before.length === 0)
    throw new InputError(
      `${file}: expected evaluations of models before and after tuning, got none. Name them in evaluate`,
    )
  const done = rows.filter((row): row is SweepRow & { evaluated: Evaluated[] } => row.evaluated !== undefined)
  const name = nameOf(
    metric,
    before.flatMap(({ evaluated }) => evaluated),
    file,
  )
  const tuned = done.flatMap(({ settings, config, evaluated }) => {
    const start = before.find(({ model }) => model === config.model_name_or_path)?.evaluated ?? []
    const setting = settingsText(settings)
    return evaluated.flatMap(({ label, metrics }): Tuned[] => {
      const [first, last] = [start.find((one) => one.label === label)?.metrics[name], metrics[name]]
      // A task may be asked of some languages alone.
      if (first === undefined && last === undefined) return []
      if (first === undefined || last === undefined)
        throw new InputError(
          `${file}: expected ${name} of ${label} before and after tuning (${setting}), got it ${first === undefined ? 'after' : 'before'} alone. Run the sweep again`,
        )
      return [{ setting, seed: settings.seed ?? settings.data_seed ?? '', language: label, before: first, after: last }]
    })
  })
  if (tuned.length > 0) return { tuned, metric: name, models: before.map(({ model }) => model) }
  throw new InputError(`${file}: expected runs that were evaluated, got none of ${rows.length}. Run the sweep again`)
}

function nameOf(metric: string, evaluated: readonly Evaluated[], file: string): string {
  const names = [...new Set(evaluated.flatMap(({ metrics }) => Object.keys(metrics)))]
  const found = names.includes(metric) ? [metric] : names.filter((name) => isNamed(name, metric))
  if (found.length === 1) return found[0]!
  throw new InputError(
    `${file}: expected one of the metrics ${(found.length > 1 ? found : names).join(', ')}, got ${metric}`,
  )
}
