// Configuration and inputs → a plan: what is done to which stretch of which file. Everybody who has the same inputs and settings makes
// the same one, so that parts made elsewhere or earlier can be used.

import { closeSync, existsSync, readFileSync, readSync, rmSync } from 'node:fs'
import { basename, join, relative, resolve, sep } from 'node:path'
import { ContaminationIndex } from '../../data/curate/contamination.ts'
import { listJobs } from '../../data/curate/jobs.ts'
import { labelOf, languageCode } from '../../data/curate/language.ts'
import { FINEWEB2_CODES, preset } from '../../data/curate/presets.ts'
import { differences, type Rules, withOverrides } from '../../data/curate/rules.ts'
import type { Job, LanguageSettings, MapSettings, SourceSettings } from '../../data/curate/settings.ts'
import { openLanguageIdentifier } from '../../data/language/identify-language.ts'
import { listFiles } from '../../data/read/files.ts'
import { InputError, UsageError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { hashOf } from '../../files/hash.ts'
import { openPlainFile } from '../../files/open-plain-file.ts'
import { parseHubName } from '../../hub/hub-name.ts'
import { counted } from '../../report/amounts.ts'
import { isNameOfData } from '../resolve-data.ts'
import type { CurateConfig, CurateSource } from './config.ts'

/** Raised where parts of an older release are not what this one makes. */
const FORMAT = 3

/** The preset of a source, and the rules in which it differs from that. */
export interface UsedPreset {
  preset: string
  overrides: Record<string, { preset: unknown; used: unknown }>
}

/** What a curation is to do. */
export interface CuratePlan {
  settings: MapSettings
  jobs: Job[]
  output: CurateConfig['output']
  max_bad: number
  /** By source. */
  presets: Record<string, UsedPreset>
  /** Machines or tasks that share the work, where they do. */
  shards?: number
}

/** Makes the plan. `notice` hears of what is surprising about the inputs. */
export async function makePlan(config: CurateConfig, notice: (message: string) => void): Promise<CuratePlan> {
  const presets: CuratePlan['presets'] = {}
  const sources: SourceSettings[] = []
  const byName = new Map<string, number>()
  const standard = standardPreset(config, notice)
  const sourceOf = (file: string, input: string): number => {
    const own = config.sources.find(({ path }) => isUnder(file, path))
    const name = own?.name ?? (isNameOfData(input) ? parseHubName(input).repo : basename(resolve(own?.path ?? input)))
    const known = byName.get(name)
    if (known !== undefined) return known
    const { rules, record } = rulesOf(config, own, standard)
    presets[name] = record
    sources.push(sourceSettings(name, config, own, rules))
    byName.set(name, sources.length - 1)
    return sources.length - 1
  }
  let ownFiles = 0
  const jobs = listJobs(
    config.inputs,
    (file, input) => {
      if (!isUnder(file, config.output_dir)) return sourceOf(file, input)
      ownFiles++
      return undefined
    },
    notice,
  )
  if (jobs.length === 0) {
    throw new UsageError(
      `output_dir: expected a folder that does not hold the inputs, got ${config.output_dir}. Choose another one`,
    )
  }
  if (ownFiles > 0)
    notice(`${counted(ownFiles, 'file')} in ${config.output_dir} left out: that is where the result goes`)
  for (const { path } of config.sources)
    if (!jobs.some(({ file }) => isUnder(file, path)))
      throw new UsageError(`sources: expected a path of an input, got ${path}, under which nothing is read`)
  // Numbers of sources depend on the order in which inputs were given; their names do not.
  const order = sources.map(({ name }) => name).sort()
  const place = new Map(order.map((name, i) => [name, i]))
  const sorted = order.map((name) => sources[byName.get(name)!]!)
  for (const job of jobs) job.source = place.get(sources[job.source]!.name)!
  const empty = jobs.filter(({ size }) => size === 0).map(({ file }) => file)
  if (empty.length === jobs.length)
    throw new InputError(
      `inputs ${config.inputs.join(', ')}: expected some text, got ${jobs.length === 1 ? 'an empty file' : 'empty files'}`,
    )
  if (empty.length > 0)
    notice(`empty: ${empty.slice(0, 3).join(', ')}${empty.length > 3 ? `, … (${empty.length} files)` : ''}`)
  const language = await languageSettings(config)
  await checkItems(config.contamination, notice)
  const { near, exact, threshold, bands, rows, ngram } = config.dedup
  const { files } = config.contamination
  const settings: Omit<MapSettings, 'plan'> = {
    sources: sorted,
    normalise: config.normalise,
    ...(language !== undefined && { language }),
    pii: config.pii,
    dedup: { exact, near, threshold, shape: { bands, rows, ngram } },
    ...(files.length > 0 && { contamination: { files: [...files].sort(), ngram: config.contamination.ngram } }),
  }
  const named = [
    ...listFiles(files),
    ...(language !== undefined && existsSync(language.identifier) ? [language.identifier] : []),
  ]
  const marks = [...jobs.map(({ file }) => file), ...named]
  const plan = hashOf(
    JSON.stringify({ FORMAT, settings, jobs }),
    ...[...new Set(marks)].map((file) => `${file} ${edgeMark(file)}`),
  ).slice(0, 32)
  return {
    settings: { plan, ...settings },
    jobs,
    output: config.output,
    max_bad: config.max_bad,
    presets: Object.fromEntries(order.map((name) => [name, presets[name]!])),
  }
}

/** The folder's plan is this one afterwards. UsageError where it is another's, unless `overwrite` says that that one may go. */
export function placePlan(out: string, plan: CuratePlan, overwrite: boolean): void {
  const file = join(out, PLAN_FILE)
  if (existsSync(file)) {
    const old = readPlan(out)
    if (old.settings.plan !== plan.settings.plan) {
      if (!overwrite) {
        throw new UsageError(
          `output_dir: expected a folder without another curation, got ${out}, which was made from other inputs or settings. Choose another one, or give \`overwrite\``,
        )
      }
      for (const name of ['work', 'quarantine', 'data', 'shards', 'summary.json', 'report.html'])
        rmSync(join(out, name), { recursive: true, force: true })
    }
  }
  const text = `${JSON.stringify(plan, null, 1)}\n`
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileAtomic(file, text)
}

/** Name of the plan in the folder. */
export const PLAN_FILE = 'plan.json'

/** The plan in a folder; UsageError where there is none. */
export function readPlan(out: string): CuratePlan {
  const file = join(out, PLAN_FILE)
  if (!existsSync(file))
    throw new UsageError(`folder ${out}: expected one of anneal curate, got none with a ${PLAN_FILE}`)
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as CuratePlan
  } catch (cause) {
    throw new InputError(`plan in ${file}: expected JSON, got ${(cause as Error).message}`, { cause })
  }
}

/** The preset where none is named: that of the one language that stays. */
function standardPreset({ preset: named, lang }: CurateConfig, notice: (message: string) => void): string {
  if (named !== undefined) return named
  const [only, second] = lang ?? []
  if (only === undefined || second !== undefined) {
    notice(
      `no rules of quality: ${only === undefined ? 'no language is named' : 'several languages are named'}. Give \`lang\`, or a \`preset\` (fineweb2:dan, gopher, …; none says that it is meant)`,
    )
    return 'none'
  }
  const code = languageCode(only)
  if (code === 'eng') return 'fineweb'
  if (code !== undefined && FINEWEB2_CODES.includes(code)) return `fineweb2:${code}`
  notice(
    `no rules of quality: there is no preset for '${only}'. Name the \`preset\` of the nearest language, and its stop_words in \`rules\``,
  )
  return 'none'
}

function rulesOf(
  config: CurateConfig,
  own: CurateSource | undefined,
  standard: string,
): { rules: Rules; record: UsedPreset } {
  const name = own?.preset ?? standard
  const base = preset(name)
  const rules = withOverrides(base, { ...config.rules, ...own?.rules })
  return { rules, record: { preset: name, overrides: differences(base, rules) } }
}

function sourceSettings(
  name: string,
  config: CurateConfig,
  own: CurateSource | undefined,
  rules: Rules,
): SourceSettings {
  const encoding = own?.encoding ?? config.encoding
  return {
    name,
    textKey: own?.text_column ?? config.text_column,
    keep: own?.keep_columns ?? config.keep_columns,
    ...(encoding !== undefined && !/^utf-?8$/i.test(encoding) && { encoding }),
    split: own?.documents ?? config.documents,
    rules,
    dropLines: own?.drop_lines ?? [],
    dropDocuments: own?.drop_documents ?? [],
    ...(own?.licence !== undefined && { licence: own.licence }),
  }
}

/** Reads the items once before all work, so that what cannot be looked for is said. */
async function checkItems(
  { files, ngram }: CurateConfig['contamination'],
  notice: (message: string) => void,
): Promise<void> {
  if (files.length === 0) return
  const { items, tooShort } = await ContaminationIndex.read({ files, ngram })
  if (tooShort > 0) {
    const have = tooShort === 1 ? 'has' : 'have'
    notice(
      `${tooShort} of ${counted(items.length, 'item')} of evaluations ${have} no text of five words or more and cannot be looked for`,
    )
  }
}

async function languageSettings({ lang, language }: CurateConfig): Promise<LanguageSettings | undefined> {
  if (lang === undefined) return undefined
  const { identifier: name, among, min_score, mode, keep_undetermined } = language
  const identifier = await openLanguageIdentifier(name)
  const keep = [...new Set(lang.map((each) => labelOf(each, identifier)))].sort()
  const labels = [...new Set(among.map((each) => labelOf(each, identifier, 'language.among')))].sort()
  const missing = keep.find((each) => labels.length > 0 && !labels.includes(each))
  if (missing !== undefined)
    throw new UsageError(`language.among: expected ${missing} among them, which is to stay, got ${labels.join(', ')}`)
  return { identifier: name, keep, among: labels, minScore: min_score, mode, keepUndetermined: keep_undetermined }
}

function isUnder(file: string, path: string): boolean {
  const inside = relative(resolve(path), resolve(file))
  return inside === '' || (inside !== '..' && !inside.startsWith(`..${sep}`))
}

const EDGE = 4096

/** Tells whether a file is still the one that it was, by its size and its ends: there may be very many. */
function edgeMark(file: string): string {
  const { descriptor, size } = openPlainFile(file)
  try {
    const ends = [0, Math.max(0, size - EDGE)].map((from) => {
      const bytes = Buffer.alloc(Math.min(EDGE, size - from))
      return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, from))
    })
    return hashOf(String(size), ...ends)
  } finally {
    closeSync(descriptor)
  }
}
