// What a curation did, in numbers: per source and step, what went for which reason, clusters, files. The same inputs and settings give
// the same summary to the byte, so there is no date in it.

import { ContaminationIndex } from '../../data/curate/contamination.ts'
import type { GlobalResult } from '../../data/curate/global-step.ts'
import { type Amount, Ledger, type SourceAccount, STEPS } from '../../data/curate/ledger.ts'
import { detection } from '../../data/curate/minhash.ts'
import type { OutputFile } from '../../data/curate/write-output.ts'
import { counted, percent } from '../../report/amounts.ts'
import { VERSION } from '../../version.ts'
import type { CuratePlan, UsedPreset } from './plan.ts'

/** Documents that went for one reason. */
export interface Dropped extends Amount {
  step: string
  reason: string
  /** The key of `rules` that can be changed; empty where none is. */
  rule: string
}

/** The content of summary.json. */
export interface CurateSummary {
  plan: string
  version: string
  /** Records met, and those that could not be read. */
  records: number
  quarantined: number
  read: Amount
  kept: Amount
  sources: Record<string, SourceAccount>
  dropped: Dropped[]
  /** Of each source the preset, and rules that are not its own. */
  presets: Record<string, UsedPreset>
  clusters: { sizes: [size: number, clusters: number][]; largest: number; unchecked: number }
  /** Probability that a pair of a similarity is compared. */
  detection: [similarity: number, probability: number][]
  /** Items of evaluations that were found in the text. */
  contaminated: { file: string; row: number; documents: number }[]
  files: OutputFile[]
}

/** Sums up. Reads the evaluation files again to say which items were hit. */
export async function curateSummary(
  { settings, presets }: CuratePlan,
  found: GlobalResult,
  files: OutputFile[],
): Promise<CurateSummary> {
  const { ledger, sizes, largest, unchecked } = found
  const total = ledger.total()
  const { shape } = settings.dedup
  const dropped = STEPS.flatMap((step) =>
    Object.entries(total.steps[step]?.dropped ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([reason, amount]) => ({ step, reason, rule: ruleOf(step, reason), ...amount })),
  )
  const items =
    settings.contamination === undefined || found.contaminated.length === 0
      ? []
      : (await ContaminationIndex.read(settings.contamination)).items
  return {
    plan: settings.plan,
    version: VERSION,
    records: total.records,
    quarantined: Object.values(total.quarantined).reduce((sum, count) => sum + count, 0),
    read: ledger.readIn(),
    kept: ledger.kept(),
    sources: Object.fromEntries(Object.entries(ledger.sources).sort(([a], [b]) => (a < b ? -1 : 1))),
    dropped,
    presets,
    clusters: { sizes, largest, unchecked },
    detection: Array.from({ length: 21 }, (_, i) => i / 20).map((s) => [s, detection(s, shape)]),
    contaminated: found.contaminated.map(([item, documents]) => ({ ...items[item - 1]!, documents })),
    files,
  }
}

function ruleOf(step: string, reason: string): string {
  if (step !== 'quality' || reason === 'empty') return ''
  return reason.replace(/^(top|dup)_\d+_gram$/, '$1_n_grams')
}

/** What people should look at: sources that lost half, and a cluster of one in a hundred documents. */
export function lossNotices({ sources, clusters, read, dropped }: CurateSummary): string[] {
  const notices: string[] = []
  for (const [name, account] of Object.entries(sources)) {
    const ledger = new Ledger({ [name]: account })
    const [before, after] = [ledger.readIn(), ledger.kept()]
    if (before.words === 0 || after.words >= before.words / 2) continue
    const [worst] = STEPS.flatMap((step) =>
      Object.entries(account.steps[step]?.dropped ?? {}).map(([reason, { words }]) => ({ step, reason, words })),
    ).sort((a, b) => b.words - a.words)
    const most =
      worst === undefined
        ? ''
        : `, most of it (${percent(worst.words / before.words)}) by ${worst.reason} (${worst.step})`
    notices.push(
      `source ${name} lost ${percent(1 - after.words / before.words)} of its words${most}. Look at the examples in the report`,
    )
  }
  const { largest, unchecked } = clusters
  if (largest > 2 && largest >= read.documents / 100)
    notices.push(
      `one cluster of near-duplicates holds ${counted(largest, 'document')}, ${percent(largest / read.documents)} of all. Look at it in the report`,
    )
  if (unchecked > 0)
    notices.push(
      `${counted(unchecked, 'document')} that share a band with more than 200 others were not kept to compare with: some near-duplicates of them may be left`,
    )
  const empty = dropped.find(({ step, reason }) => step === 'normalise' && reason === 'empty')
  if (empty !== undefined && empty.documents > read.documents / 10)
    notices.push(`${percent(empty.documents / read.documents)} of the documents are empty`)
  return notices
}

/** Lines for a terminal. */
export function curateLines(summary: CurateSummary, out: string): string[] {
  const { read, kept, dropped, quarantined, files } = summary
  const worst = [...dropped].sort((a, b) => b.documents - a.documents).slice(0, 6)
  const line = (name: string, { documents, words, bytes }: Amount): string =>
    `${name.padEnd(12)} ${documents.toLocaleString('en').padStart(12)} documents ${words.toLocaleString('en').padStart(14)} words ${(bytes / 1e6).toFixed(1).padStart(9)} MB`
  return [
    line('read', read),
    line('kept', kept),
    ...(quarantined > 0 ? [`quarantined  ${quarantined.toLocaleString('en').padStart(12)} records`] : []),
    ...worst.map(
      ({ step, reason, documents }) =>
        `  ${documents.toLocaleString('en').padStart(8)} went by ${reason}${reason === step ? '' : ` (${step})`}`,
    ),
    `${counted(files.length, 'file')} in ${out}/data, ${out}/report.html shows what went`,
  ]
}
