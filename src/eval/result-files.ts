// Results and samples on disk, in lm-evaluation-harness's layout: `<out>/<model>/results_<date>.json` and `samples_<task>_<date>.jsonl`.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { InputError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { readJsonFile } from '../files/read-json.ts'
import { parseSampleRow, type Sample, sampleRow } from './samples.ts'

/** As lm-eval names the folder of a model. */
export function sanitizedName(model: string): string {
  return model.replaceAll(/["<>:/|\\?*[\]]+/g, '__')
}

/** As lm-eval writes a moment into the names of files. */
export function dateName(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join('-')
  return `${day}T${time}.${String(date.getMilliseconds()).padStart(3, '0')}000`
}

/** Writes both; returns the path of the results. Samples are written first: results that are there have theirs. */
export function writeResults(
  folder: string,
  date: Date,
  results: object,
  samples: ReadonlyMap<string, readonly Sample[]> | undefined,
): string {
  mkdirSync(folder, { recursive: true })
  const name = dateName(date)
  for (const [task, rows] of samples ?? []) {
    const lines = rows.map((sample) => JSON.stringify(sampleRow(sample)))
    writeFileAtomic(join(folder, `samples_${task.replaceAll(/[/\\]/g, '__')}_${name}.jsonl`), `${lines.join('\n')}\n`)
  }
  const path = join(folder, `results_${name}.json`)
  writeFileAtomic(path, `${JSON.stringify(results, null, 2)}\n`)
  return path
}

/** Results with their samples. */
export interface StoredResults {
  /** The file of results. */
  path: string
  results: Readonly<Record<string, unknown>>
  samples: Map<string, Sample[]>
}

/** Reads a `results_*.json`, or the latest one below a directory, with the samples of its date. InputError where there is none. */
export function readResults(path: string): StoredResults {
  const file = resultsFile(path)
  const results = readJsonFile(file, 1 << 30)
  if (typeof results !== 'object' || results === null || typeof (results as { results?: unknown }).results !== 'object')
    throw new InputError(`${file}: expected results of an evaluation, got JSON without 'results'`)
  const date = /^results_(.*)\.json$/.exec(basename(file))?.[1]
  const samples = new Map<string, Sample[]>()
  for (const name of readdirSync(dirname(file))) {
    const task = /^samples_(.*)_([^_]+)\.jsonl$/.exec(name)
    if (task === null || task[2] !== date) continue
    samples.set(task[1]!, readSamples(join(dirname(file), name)))
  }
  return { path: file, results: results as Record<string, unknown>, samples }
}

/** Which folders have results where one was looked for: an evaluation names its folder after the model. */
function beside(path: string): string | undefined {
  const parent = dirname(path)
  if (!existsSync(parent) || !statSync(parent).isDirectory()) return undefined
  const folders = readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const found = folders.flatMap(({ name }) =>
    readdirSync(join(parent, name)).some((file) => /^results_.*\.json$/.test(file)) ? [join(parent, name)] : [],
  )
  return found.length === 0 ? undefined : `There are some in ${found.sort().slice(0, 5).join(', ')}`
}

function resultsFile(path: string): string {
  const status = existsSync(path) ? statSync(path) : undefined
  if (status === undefined)
    throw new InputError(`${path}: expected results of an evaluation, got nothing. ${beside(path) ?? 'Check the path'}`)
  if (status.isFile()) return path
  const found = readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /(?:^|[/\\])results_[^/\\]*\.json$/.test(name))
    .sort((a, b) => (basename(a) < basename(b) ? -1 : 1))
  if (found.length === 0) throw new InputError(`${path}: expected a results_*.json below it, got none`)
  return join(path, found.at(-1)!)
}

/** The rows of a file of samples. */
export function readSamples(file: string): Sample[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, i) => {
      try {
        return parseSampleRow(JSON.parse(line))
      } catch (cause) {
        throw new InputError(`${file}:${i + 1}: expected a sample of an evaluation, got ${(cause as Error).message}`, {
          cause,
        })
      }
    })
}
