// The page of a curation: what was kept of each source at each step, what went and looked how, clusters, and what the settings were.

import { basename } from 'node:path'
import type { GlobalResult } from '../../data/curate/global-step.ts'
import { type Amount, Ledger, type SourceAccount, STEPS, type Step } from '../../data/curate/ledger.ts'
import { detection, type MINHASH } from '../../data/curate/minhash.ts'
import { amount, percent } from '../../report/amounts.ts'
import type { Table, TextSample } from '../../report/blocks.ts'
import { type ReportSection, renderReport } from '../../report/report.ts'
import { VERSION } from '../../version.ts'
import type { CurateSummary } from './curate-summary.ts'
import type { CuratePlan } from './plan.ts'

/** What each step is for, in a few words. */
const STEP_WORDS: Readonly<Record<Step, string>> = {
  read: 'read',
  normalise: 'normalised',
  source: 'rules of the source',
  language: 'language',
  quality: 'quality',
  pii: 'masks',
  exact: 'exact duplicates',
  near: 'near-duplicates',
  contamination: 'evaluation text',
}
const MOST_SOURCES = 60

/** The page as HTML. */
export function curateReport({ settings }: CuratePlan, summary: CurateSummary, { examples }: GlobalResult): string {
  const { read, kept, quarantined } = summary
  const total = new Ledger()
  for (const account of Object.values(summary.sources)) total.add(new Ledger({ all: structuredClone(account) }))
  const sections: ReportSection[] = [
    {
      title: 'What is left',
      blocks: [
        {
          kind: 'key-figures',
          figures: [
            {
              label: 'documents kept',
              value: amount(kept.documents, '', false),
              detail: `of ${amount(read.documents, '', false)}`,
            },
            { label: 'words kept', value: amount(kept.words, '', false), detail: share(kept.words, read.words) },
            { label: 'text kept', value: amount(kept.bytes, 'bytes'), detail: share(kept.bytes, read.bytes) },
            {
              label: 'records in quarantine',
              value: amount(quarantined, '', false),
              detail: `of ${amount(summary.records, '', false)}`,
            },
          ],
        },
        { kind: 'table', ...stepsTable(total.source('all')) },
      ],
    },
    {
      title: 'Sources',
      lead: 'Words that each step left of each source.',
      blocks: [{ kind: 'table', ...sourcesTable(summary) }],
    },
    ...droppedSection(summary),
    ...exampleSections(summary, examples),
    ...duplicatesSection(summary, settings.dedup.near, settings.dedup.shape),
    ...contaminatedSection(summary),
    {
      title: 'Settings',
      blocks: [
        { kind: 'table', ...settingsTable(summary) },
        { kind: 'folded', title: 'all settings', text: JSON.stringify(settings, null, 1) },
      ],
    },
  ]
  return renderReport({
    title: 'Curation',
    subtitle: `${amount(kept.words, '', false)} of ${amount(read.words, '', false)} words from ${Object.keys(summary.sources).join(', ')}`,
    about: [summary.plan.slice(0, 8)],
    sections,
    footer: `Anneal ${VERSION}`,
  })
}

function stepsTable({ steps }: SourceAccount): Table {
  return {
    columns: ['step', 'documents left', 'went', 'words left', 'bytes left'],
    rows: STEPS.filter((step) => steps[step] !== undefined).map((step) => {
      const { in: before, out } = steps[step]!
      return [
        STEP_WORDS[step],
        out.documents.toLocaleString('en'),
        before.documents === out.documents ? '' : (before.documents - out.documents).toLocaleString('en'),
        out.words.toLocaleString('en'),
        amount(out.bytes, 'bytes'),
      ]
    }),
  }
}

function sourcesTable({ sources }: CurateSummary): Table {
  const names = Object.keys(sources)
  const shown = STEPS.filter((step) => step !== 'pii' && names.some((name) => sources[name]!.steps[step] !== undefined))
  const rows = names
    .map((name) => ({ name, account: sources[name]!, read: new Ledger({ [name]: sources[name]! }).readIn() }))
    .sort((a, b) => b.read.words - a.read.words || (a.name < b.name ? -1 : 1))
    .slice(0, MOST_SOURCES)
    .map(({ name, account, read }) => {
      const bad = Object.values(account.quarantined).reduce((sum, count) => sum + count, 0)
      const kept = new Ledger({ [name]: account }).kept()
      let last: Amount = read
      const cells = shown.map((step) => {
        last = account.steps[step]?.out ?? last
        return last.words.toLocaleString('en')
      })
      return [
        name,
        ...cells,
        share(kept.words, read.words).replace(' of it', ''),
        bad === 0 ? '' : bad.toLocaleString('en'),
      ]
    })
  const more = names.length > MOST_SOURCES ? `the ${MOST_SOURCES} largest of ${names.length}` : undefined
  return {
    columns: ['source', ...shown.map((step) => STEP_WORDS[step]), 'kept', 'bad records'],
    rows,
    ...(more !== undefined && { caption: more }),
  }
}

function droppedSection({ dropped, sources }: CurateSummary): ReportSection[] {
  if (dropped.length === 0) return []
  const changed = new Map<string, number>()
  for (const account of Object.values(sources))
    for (const [what, count] of Object.entries(account.changed)) changed.set(what, (changed.get(what) ?? 0) + count)
  const bars = [...dropped]
    .sort((a, b) => b.documents - a.documents)
    .slice(0, 30)
    .map(({ step, reason, documents, words }) => ({
      label: reason === step ? STEP_WORDS[step as Step] : `${reason} (${STEP_WORDS[step as Step]})`,
      value: documents,
      detail: `${amount(words, 'words')}`,
    }))
  const changes = [...changed].sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    {
      title: 'What went',
      lead: 'Documents by the first reason that was found.',
      blocks: [
        { kind: 'bar-chart', title: 'Documents that went', unit: 'documents', bars },
        ...(changes.length === 0
          ? []
          : [
              {
                kind: 'table' as const,
                caption: 'Changed in documents that stayed',
                columns: ['what', 'how often'],
                rows: changes.map(([what, count]) => [what, count.toLocaleString('en')]),
              },
            ]),
      ],
    },
  ]
}

function exampleSections({ dropped }: CurateSummary, examples: GlobalResult['examples']): ReportSection[] {
  if (examples.length === 0) return []
  const count = new Map(dropped.map(({ step, reason, documents }) => [`${step} ${reason}`, documents]))
  const groups = new Map<string, TextSample[]>()
  for (const { step, reason, source, file, offset, text, of } of examples) {
    const key = `${step} ${reason}`
    const samples = groups.get(key) ?? []
    groups.set(key, samples)
    samples.push({
      label: basename(file) === source ? `${source}:${offset}` : `${source} · ${basename(file)}:${offset}`,
      text,
    })
    if (of !== undefined) samples.push({ label: 'stays in its place', text: of })
  }
  const order = [...groups.keys()].sort((a, b) => (count.get(b) ?? 0) - (count.get(a) ?? 0) || (a < b ? -1 : 1))
  return order.map((key, i) => {
    const [step, reason] = key.split(' ') as [Step, string]
    const documents = count.get(key) ?? 0
    return {
      title: `Examples: ${reason === step ? STEP_WORDS[step] : reason}`,
      lead: `${i === 0 ? 'The first of each reason by their hashes. ' : ''}${amount(documents, documents === 1 ? 'document' : 'documents')} went at the step ${STEP_WORDS[step]}.`,
      blocks: [{ kind: 'samples', samples: groups.get(key)! }],
    }
  })
}

function duplicatesSection(summary: CurateSummary, near: string, shape: typeof MINHASH): ReportSection[] {
  if (near === 'none') return []
  const { sizes, largest } = summary.clusters
  const line = (of: typeof MINHASH): [number, number][] =>
    Array.from({ length: 101 }, (_, i) => [i / 100, detection(i / 100, of)])
  const { bands, rows } = shape
  return [
    {
      title: 'Near-duplicates',
      lead:
        near === 'verified'
          ? 'A candidate goes only if it resembles a document that stays; nothing goes for the neighbour of a neighbour.'
          : 'Whatever shares a band is joined, and everything joined to that: a chain may be long.',
      blocks: [
        {
          kind: 'line-chart',
          title: 'How surely a pair is looked at',
          x: 'similarity of the pair (Jaccard of shingles)',
          y: 'probability',
          isShare: false,
          series: [{ name: `${bands} bands of ${rows}`, points: line(shape) }],
          note: `Half of the pairs with a similarity of ${(bands ** -1) ** (1 / rows) < 1 ? ((1 / bands) ** (1 / rows)).toFixed(2) : '1'} or so are found.`,
        },
        sizes.length === 0
          ? { kind: 'prose', text: 'No two documents are near-duplicates.' }
          : {
              kind: 'table',
              caption: `Clusters: a document that stays and those that went for it (largest: ${largest})`,
              columns: ['size', 'clusters', 'documents that went'],
              rows: binned(sizes).map(([size, clusters, gone]) => [
                size,
                clusters.toLocaleString('en'),
                gone.toLocaleString('en'),
              ]),
            },
      ],
    },
  ]
}

/** Sizes from 2 on in bins that double. */
function binned(sizes: readonly [number, number][]): [string, number, number][] {
  const bins = new Map<number, [number, number]>()
  for (const [size, clusters] of sizes) {
    const bin = Math.floor(Math.log2(size))
    const [count, gone] = bins.get(bin) ?? [0, 0]
    bins.set(bin, [count + clusters, gone + clusters * (size - 1)])
  }
  return [...bins]
    .sort(([a], [b]) => a - b)
    .map(([bin, [clusters, gone]]) => [bin === 1 ? '2–3' : `${2 ** bin}–${2 ** (bin + 1) - 1}`, clusters, gone])
}

function contaminatedSection({ contaminated }: CurateSummary): ReportSection[] {
  if (contaminated.length === 0) return []
  return [
    {
      title: 'Text of evaluations',
      lead: 'Items that were found in the text; the documents went.',
      blocks: [
        {
          kind: 'table',
          columns: ['item', 'documents'],
          rows: contaminated.slice(0, 100).map(({ file, row, documents }) => [`${file}:${row}`, String(documents)]),
        },
      ],
    },
  ]
}

function settingsTable({ presets }: CurateSummary): Table {
  const rows = Object.entries(presets).flatMap(([source, { preset, overrides }]) => [
    [source, 'preset', preset, ''],
    ...Object.entries(overrides).map(([rule, { preset: before, used }]) => [
      source,
      rule,
      JSON.stringify(used),
      JSON.stringify(before),
    ]),
  ])
  return { columns: ['source', 'rule', 'used', 'in the preset'], rows }
}

function share(part: number, whole: number): string {
  return whole === 0 ? '' : `${percent(part / whole)} of it`
}
