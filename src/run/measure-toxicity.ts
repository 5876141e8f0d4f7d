// How well a scorer of toxicity does on labelled texts, as a generator of events; what it finds can be kept beside the scorer, where every
// figure that the scorer makes later finds it.

import { existsSync } from 'node:fs'
import { InputError, UsageError } from '../errors.ts'
import { type JudgedText, measureScorer, type ScorerReport } from '../eval/toxicity/measure-scorer.ts'
import { counted } from '../report/amounts.ts'
import { formatNumber } from '../report/scale.ts'
import { Count, eventsOf, turn, type Watch, type WorkEvent } from '../work.ts'
import { type OpenScorerOptions, openScorer } from './open-scorer.ts'
import { type ReadSample, readSamples, type SampleColumns } from './read-samples.ts'
import { resolveData } from './resolve-data.ts'
import { saveMeasurement } from './scorer-measurement.ts'

/** What is measured, on what. */
export interface MeasureToxicityOptions extends SampleColumns, OpenScorerOptions {
  /** A list of words, the directory of a classifier, or the address of a service. */
  scorer: string
  /** Files or folders with a column of texts and one of labels. */
  paths: readonly string[]
  /** Labels of the data that mean toxic. Default: the one called toxic, in any case, or of two labels 1 or true. */
  positiveLabels?: readonly string[]
  /** Column of each text's language; figures are then told of each. */
  languageColumn?: string
  /** Column of the groups of people that a text is about, a list or names with commas between. */
  groupColumn?: string
  /** Keeps the figures beside the scorer. */
  save?: boolean
  signal?: AbortSignal
}

const BATCH = 256

/**
 * Scores every text, tells the figures in all, of each language and of each group, and returns them.
 *
 * @example
 * for await (const event of measureToxicity({ scorer: 'runs/toxic', paths: ['held.jsonl'] })) console.log(event)
 */
export async function* measureToxicity(
  options: MeasureToxicityOptions,
): AsyncGenerator<WorkEvent, ScorerReport & { scorer: string }> {
  yield { type: 'started', work: 'toxicity' }
  const report = yield* eventsOf((watch) => measured(options, watch), { signal: options.signal })
  const named = { scorer: options.scorer, ...report }
  for (const [language, { auc, texts }] of Object.entries(report.languages))
    yield { type: 'row', table: 'languages', row: { language, texts, auc } }
  for (const [group, { texts, toxic, subgroup, bpsn, bnsp }] of Object.entries(report.subgroups))
    yield {
      type: 'row',
      table: 'groups',
      row: { group, texts, toxic, subgroup_auc: subgroup, bpsn_auc: bpsn, bnsp_auc: bnsp },
    }
  if (options.save) {
    const path = await saveMeasurement(options.scorer, report, options.toxicLabels)
    yield { type: 'saved', what: 'measurement', path }
  }
  yield { type: 'result', result: named, lines: [lineOf(report)] }
  return named
}

async function measured(options: MeasureToxicityOptions, watch: Watch): Promise<ScorerReport> {
  const tell = watch.tell ?? (() => {})
  const { scorer: name, toxicLabels, device, requestsPerSecond, batchSize } = options
  if (options.save && !existsSync(name))
    throw new UsageError(
      `save: expected a list of words or a directory to keep the figures beside, got ${name}. Leave it out`,
    )
  const samples = await readSamples(await resolveData(options.paths, watch), options, tell)
  const isToxic = positives(samples, options)
  const { scorer, close } = await openScorer(
    name,
    {
      ...(toxicLabels && { toxicLabels }),
      ...(device && { device }),
      ...(requestsPerSecond !== undefined && { requestsPerSecond }),
      ...(batchSize !== undefined && { batchSize }),
    },
    watch,
  )
  try {
    const texts = samples.map((sample) => ({ ...sample, ...aboutOf(sample, options) }))
    const judged: JudgedText[] = []
    const done = new Count(watch, { label: 'scoring', unit: 'texts', total: texts.length })
    // Texts of one language are asked together: a service is told which it is.
    for (const language of new Set(texts.map((each) => each.language))) {
      const own = texts.filter((each) => each.language === language)
      for (let start = 0; start < own.length; start += BATCH) {
        const batch = own.slice(start, start + BATCH)
        const scores = await scorer.score(
          batch.map(({ text }) => text),
          { language, signal: watch.signal },
        )
        for (const [i, { label, groups }] of batch.entries())
          judged.push({ isToxic: isToxic.has(label), score: scores[i], language, groups })
        done.add(batch.length)
        await turn(watch)
      }
    }
    const report = measureScorer(judged)
    if (report === undefined)
      throw new InputError(
        `${name}: expected scores of toxic and of other texts, got none of one kind. Check the scorer`,
      )
    if (report.auc < 0.5)
      tell({
        type: 'notice',
        message: `${name} scores toxic texts below others more often than above (AUC ${report.auc.toFixed(3)}): perhaps the labels that mean toxic are swapped, of the data or of the scorer`,
      })
    if (report.failed > 0)
      tell({
        type: 'notice',
        message: `${name} gave no score to ${counted(report.failed, 'text')} of ${texts.length.toLocaleString('en')}, which no figure counts`,
      })
    return report
  } finally {
    close()
  }
}

/** The labels of the data that mean toxic; UsageError where nobody knows which, InputError where there are no others. */
function positives(
  samples: readonly ReadSample[],
  { positiveLabels, labelColumn = 'label' }: MeasureToxicityOptions,
): Set<string> {
  const labels = [...new Set(samples.map(({ label }) => label))].sort()
  const wanted = positiveLabels ?? likelyToxic(labels)
  const found = labels.filter((label) => wanted.includes(label))
  const shown = labels.slice(0, 20).join(', ') || 'none'
  const absent = positiveLabels?.find((label) => !labels.includes(label))
  if (absent !== undefined)
    throw new UsageError(
      `positiveLabels: expected labels of column '${labelColumn}' (${shown}), got ${absent}. Name one of them`,
    )
  if (found.length === 0)
    throw new UsageError(
      `positiveLabels: expected the labels in column '${labelColumn}' that mean toxic, got none, and ${labels.length > 2 ? 'of more than two labels none' : 'none'} is called toxic (${shown}). Name them`,
    )
  if (found.length === labels.length)
    throw new InputError(`${labelColumn}: expected texts that are toxic and others, got ${shown} alone. Give both`)
  return new Set(found)
}

/** The one called toxic; 1 or true where it has one other beside it. Of 0, 1 and 2 nobody knows what 1 is: offensive, with hate as 0, in Davidson's tweets. */
function likelyToxic(labels: readonly string[]): string[] {
  const called = (names: readonly string[]): string[] => labels.filter((label) => names.includes(label.toLowerCase()))
  const toxic = called(['toxic'])
  return toxic.length > 0 ? toxic : labels.length <= 2 ? called(['1', 'true']) : []
}

function aboutOf(
  { fields, place }: ReadSample,
  { languageColumn, groupColumn }: MeasureToxicityOptions,
): { language: string | undefined; groups: string[] } {
  const field = (column: string): unknown => {
    if (column in fields) return fields[column]
    throw new InputError(
      `${place}: expected a column '${column}', got columns ${Object.keys(fields).slice(0, 20).join(', ')}. Name another`,
    )
  }
  const language = languageColumn === undefined ? undefined : String(field(languageColumn) ?? '') || undefined
  const groups = groupColumn === undefined ? [] : (field(groupColumn) ?? '')
  const names = Array.isArray(groups) ? groups.map(String) : String(groups).split(',')
  return { language, groups: names.map((name) => name.trim()).filter((name) => name !== '') }
}

function lineOf({ auc, texts, toxic, at_half: half, best, over_subgroups: over }: ScorerReport): string {
  const groups =
    over.subgroup === null && over.bpsn === null
      ? ''
      : `; over groups subgroup ${shown(over.subgroup)}, BPSN ${shown(over.bpsn)}, BNSP ${shown(over.bnsp)}`
  return `AUC ${auc.toFixed(3)} on ${counted(texts, 'text')}, ${toxic.toLocaleString('en')} of them toxic; F1 ${half.f1.toFixed(3)} from one half, ${best.f1.toFixed(3)} from ${formatNumber(best.threshold)} (the best here)${groups}`
}

function shown(value: number | null): string {
  return value === null ? '–' : value.toFixed(3)
}
