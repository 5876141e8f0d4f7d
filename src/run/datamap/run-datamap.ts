// The data map of a run: its coordinates as a table of files, and as a page.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Coordinates, coordinatesOf, type Track } from '../../data/datamap/coordinates.ts'
import { type Dynamics, readDynamics } from '../../data/datamap/dynamics-files.ts'
import { type Flag, flagsOf, type Region, regionsOf } from '../../data/datamap/regions.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { counted, percent } from '../../report/amounts.ts'
import { VERSION } from '../../version.ts'
import { eventsOf, type Tell, type WorkEvent } from '../../work.ts'
import { mapPage } from './map-page.ts'

/** Which runs, and how they are looked at. */
export interface DatamapOptions {
  /** A run's folder, one of its `fold-0`, `fold-1`, …, the folders of all folds, or one of Dataset Cartography's `training_dynamics`. */
  runs: readonly string[]
  /** Folder for datamap.html and datamap.jsonl. Default: `datamap` in the first run. */
  out?: string | undefined
  /** Whose probability is followed. Default `pred-epoch` on the page first, and in the file. */
  track?: Track | undefined
  /** Reads only the first so many epochs. */
  epochs?: number | undefined
  /** Share of the examples that are flagged for each reason. Default 0.1. */
  flagFraction?: number | undefined
  includeCi?: boolean | undefined
  signal?: AbortSignal
}

/** The result's keys are those that programs read. */
export interface DatamapResult {
  out: string
  examples: number
  epochs: number
  when: string | null
  regions: Record<Region, number>
  flags: Record<Flag, number>
  /** By confident learning; of rows from which nothing was learnt it is an estimate of the label errors. */
  confident_errors: number
}

/** All that is known of the examples, in their order. */
export interface ReadMap {
  dynamics: Dynamics
  tracks: readonly { track: Track; places: readonly Coordinates[]; regions: readonly Region[] }[]
  places: readonly Coordinates[]
  regions: readonly Region[]
  flags: readonly (Flag | undefined)[]
}

const TRACKS: readonly Track[] = ['pred-epoch', 'gold', 'pred-final']

/** Reads runs and makes their coordinates. */
export async function readMap(options: Omit<DatamapOptions, 'out' | 'signal'>): Promise<ReadMap> {
  const { runs, track = 'pred-epoch', epochs, flagFraction = 0.1, includeCi = false } = options
  const dynamics = await readDynamics(runs, epochs)
  const tracks = [track, ...TRACKS.filter((other) => other !== track)].map((own) => {
    const places = coordinatesOf(dynamics, { track: own, includeCi })
    return { track: own, places, regions: regionsOf(places) }
  })
  const { places, regions } = tracks[0]!
  return { dynamics, tracks, places, regions, flags: flagsOf(places, flagFraction) }
}

/**
 * Writes the map, and tells how many examples are where.
 *
 * @example
 * for await (const event of runDatamap({ runs: ['runs/varieties'] })) if (event.type === 'saved') console.log(event.path)
 */
export async function* runDatamap(options: DatamapOptions): AsyncGenerator<WorkEvent, DatamapResult> {
  yield { type: 'started', work: 'datamap' }
  const result = yield* eventsOf(({ tell }) => work(options, tell), { signal: options.signal })
  const { examples, epochs, flags } = result
  const lines = [
    `${counted(examples, 'example')} over ${counted(epochs, 'epoch')}: ${counted(flags.error, 'likely error')}, ${flags.common.toLocaleString('en')} likely common → ${join(result.out, 'datamap.html')}`,
  ]
  yield { type: 'result', result, lines }
  return result
}

async function work(options: DatamapOptions, tell: Tell): Promise<DatamapResult> {
  const map = await readMap(options)
  const { dynamics, places, regions, flags } = map
  const { labels, epochs, examples, when = null } = dynamics
  for (const message of dynamics.notices) tell({ type: 'notice', message })
  if (when !== 'crossfit')
    tell({
      type: 'notice',
      message: `the logits are of examples that were learnt${when === null ? ', as far as the files say' : ''}: what is memorised looks right. Runs with training_dynamics: crossfit find more label errors`,
    })
  const out = options.out ?? join(options.runs[0]!, 'datamap')
  mkdirSync(out, { recursive: true })
  writeFileAtomic(join(out, 'datamap.jsonl'), (sink) => {
    for (const [i, place] of places.entries()) sink.write(`${JSON.stringify(lineOf(place, map, i))}\n`)
  })
  const regionCounts = { easy: 0, ambiguous: 0, hard: 0 }
  for (const region of regions) regionCounts[region]++
  const flagCounts = { error: 0, common: 0 }
  for (const flag of flags) if (flag !== undefined) flagCounts[flag]++
  const confident = places.filter(({ isConfidentError }) => isConfidentError).length
  for (const [id, label] of labels.entries()) {
    const own = places.flatMap((place, i) => (place.gold === id ? [i] : []))
    const countOf = (flag: Flag): number => own.filter((i) => flags[i] === flag).length
    const row = { label, examples: own.length, errors: countOf('error'), common: countOf('common') }
    tell({ type: 'row', table: 'flags', row })
  }
  const share = (count: number): string => percent(count / examples.length)
  const page = mapPage({
    title: 'Data map',
    about: [options.runs.join(', '), counted(epochs, 'epoch'), ...(when === null ? [] : [WHEN[when]])],
    dynamics,
    tracks: map.tracks,
    flags,
    figures: [
      { label: 'Examples', value: examples.length.toLocaleString('en'), detail: counted(labels.length, 'label') },
      {
        label: 'Likely errors',
        value: flagCounts.error.toLocaleString('en'),
        detail: 'own label improbable, another one surely predicted',
      },
      { label: 'Likely common', value: flagCounts.common.toLocaleString('en'), detail: 'no label surely predicted' },
      {
        label: 'Confident errors',
        value: confident.toLocaleString('en'),
        detail: `${share(confident)} by confident learning`,
      },
    ],
    lead: `Each point is an example: how probable ${when === 'crossfit' ? 'models that did not learn from it' : 'the model'} found a label over the epochs, and how much that changed. Of the third that changes most nobody is sure; high up it is easy, low down hard or wrong.`,
    footer: `Anneal ${VERSION}`,
  })
  const path = join(out, 'datamap.html')
  writeFileAtomic(path, page)
  tell({ type: 'saved', what: 'report', path })
  return {
    out,
    examples: examples.length,
    epochs,
    when,
    regions: regionCounts,
    flags: flagCounts,
    confident_errors: confident,
  }
}

const WHEN = {
  during: 'logits of the steps that learnt',
  after: 'logits after each epoch',
  crossfit: 'cross-fitted logits',
} as const

/** Under the names of Dataset Cartography's td_metrics, and ours. */
function lineOf(place: Coordinates, { dynamics, regions, flags }: ReadMap, i: number): object {
  const { labels } = dynamics
  const { guid, confidence, variability, correctness, forgetting, goldConfidence, predictedConfidence } = place
  return {
    guid,
    index: i,
    label: labels[place.gold],
    predicted: labels[place.predicted],
    confidence,
    variability,
    correctness,
    forgetfulness: forgetting,
    threshold_closeness: goldConfidence * (1 - goldConfidence),
    gold_confidence: goldConfidence,
    predicted_confidence: predictedConfidence,
    aum: place.aum,
    loss: place.loss,
    confident_error: place.isConfidentError,
    borda: place.borda,
    region: regions[i],
    flag: flags[i] ?? null,
  }
}
