// What an evaluation shows of the task `style`: figures of each way to answer, what the differences are worth, lengths and openings.

import type { TaskRun } from '../../eval/evaluate.ts'
import type { StoredResults } from '../../eval/result-files.ts'
import {
  REAL,
  type StyleArmReport,
  type StyleArmSamples,
  type StyleFigure,
  type StyleReport,
  styleReport,
} from '../../eval/style/style-report.ts'
import { readStyleData } from '../../eval/tasks/style/read-dialogues.ts'
import type { ReportBlock, ReportSection } from '../../report/report.ts'

const WAYS: Readonly<Record<string, string>> = { style_plain: 'history alone', style_one_shot: 'with a case shown' }
const COLUMNS: Readonly<Record<string, string>> = {
  similarity: 'Style similarity',
  relative: 'Between floor and ceiling',
  rouge1: 'ROUGE-1',
  rouge2: 'ROUGE-2',
  rougeL: 'ROUGE-L',
  bleu: 'BLEU-4',
  bert_f1: 'BERTScore F1',
  judge: 'Judge',
  words: 'Words of a turn',
  questions: 'Turns with a question',
}

/** What differences are told of on the page; `results_*.json` has all. */
const COMPARED = ['similarity', 'rougeL', 'bert_f1', 'judge'] as const

/** The report of the runs that are of this task, with the same of a baseline's where its documents are the same; undefined where none is. */
export async function styleOf(
  runs: readonly TaskRun[],
  data: string | undefined,
  baseline: StoredResults | undefined,
): Promise<StyleReport | undefined> {
  const own = runs.filter(({ task }) => task.name in WAYS)
  if (own.length === 0) return undefined
  const arms: StyleArmSamples[] = own.map(({ task, samples }) => ({ name: WAYS[task.name]!, samples }))
  for (const [task, way] of Object.entries(WAYS)) {
    const samples = baseline?.samples.get(task)
    if (samples !== undefined) arms.push({ name: `baseline, ${way}`, samples })
  }
  return styleReport(arms, await readStyleData(data))
}

/** For a terminal. */
export function styleLines(report: StyleReport | undefined): string[] {
  if (report === undefined) return []
  const { ceiling, floor, arms, differences } = report
  const bounds = `halves of the reference ${number(ceiling)}, others ${number(floor)}`
  return [
    '',
    `style of ${report.turns} turns in ${report.dialogues} dialogues (${bounds}):`,
    ...arms.map(
      ({ name, figures }) => `  ${name}: similarity ${shown(figures.similarity)}, ROUGE-L ${shown(figures.rougeL)}`,
    ),
    ...differences.map(({ from, to, figures }) => `  ${to} − ${from}: similarity ${shown(figures.similarity, true)}`),
  ]
}

/** For the page. */
export function styleSection(report: StyleReport): ReportSection {
  const { arms, differences } = report
  const used = Object.keys(COLUMNS).filter((key) => arms.some(({ figures }) => figures[key] !== undefined))
  const blocks: ReportBlock[] = [
    {
      kind: 'key-figures',
      figures: [
        { label: 'Ceiling', value: number(report.ceiling), detail: 'halves of the reference' },
        { label: 'Floor', value: number(report.floor), detail: 'other speakers' },
        { label: 'Dialogues', value: String(report.dialogues), detail: `${report.turns} turns` },
        { label: 'Reference', value: String(report.reference), detail: 'turns' },
      ],
    },
    {
      kind: 'table',
      caption: 'Each way to answer, with the interval of 95 % over dialogues',
      columns: ['', ...arms.map(({ name }) => name)],
      rows: used.map((key) => [COLUMNS[key]!, ...arms.map(({ figures }) => shown(figures[key]))]),
    },
  ]
  const told = COMPARED.filter((key) => differences.some(({ figures }) => figures[key] !== undefined))
  if (differences.length > 0)
    blocks.push({
      kind: 'table',
      caption: 'Differences, dialogue by dialogue',
      columns: ['', ...told.map((key) => COLUMNS[key]!)],
      rows: differences.map(({ from, to, figures }) => [
        `${to} − ${from}`,
        ...told.map((key) => shown(figures[key], true)),
      ]),
    })
  blocks.push(lengthChart(arms), ...openingBlocks(arms))
  return {
    title: 'Style',
    lead: 'Style similarity is counted from length, questions, phrases, openings, function words and signs, and not from what is said. Halves of the reference are as alike as the ceiling, other speakers as the floor; without these two the number says nothing. A model that is shown one case is the baseline that a trained twin has to be better than. An answer can be in style and still be wrong or harmful.',
    blocks,
  }
}

const BINS = 14

/** Shares of turns by length, in the same bins for all. */
function lengthChart(arms: readonly StyleArmReport[]): ReportBlock {
  // The longest hundredths would squeeze the rest.
  const most = Math.max(...arms.map(({ lengths }) => lengths.quantiles[5]))
  const width = Math.max(1, Math.ceil((most * 1.1) / BINS))
  return {
    kind: 'line-chart',
    title: 'Length of turns',
    x: 'words (Chinese: characters)',
    y: 'turns',
    isShare: true,
    fromZero: true,
    series: arms.map(({ name, lengths }) => {
      const counts = new Array<number>(BINS + 1).fill(0)
      for (const length of lengths.values) counts[Math.min(BINS, Math.floor(length / width))]!++
      return { name, points: counts.map((count, i) => [(i + 0.5) * width, count / lengths.count] as const) }
    }),
    note: `Bins of ${width}; the last holds all that is longer.`,
  }
}

function openingBlocks(arms: readonly StyleArmReport[]): ReportBlock[] {
  const phrases = [...new Set(arms.flatMap(({ openings }) => openings.phrases.slice(0, 4).map(({ phrase }) => phrase)))]
  const share = ({ openings }: StyleArmReport, phrase: string): string => {
    const found = openings.phrases.find((one) => one.phrase === phrase)
    return found === undefined ? '–' : `${(100 * found.share).toFixed(1)} %`
  }
  return [
    {
      kind: 'bar-chart',
      title: 'Turns that begin with the most frequent three words',
      unit: 'share of turns',
      isShare: true,
      bars: arms.map((arm) => ({
        label: arm.name,
        value: arm.openings.phrases[0]?.share ?? 0,
        isOurs: arm.name === REAL,
        detail: arm.openings.phrases[0]?.phrase ?? '',
      })),
    },
    {
      kind: 'table',
      caption: 'How turns begin: shares of the most frequent beginnings (–: not among the ten)',
      columns: ['', ...arms.map(({ name }) => name)],
      rows: phrases.map((phrase) => [phrase, ...arms.map((arm) => share(arm, phrase))]),
    },
  ]
}

const number = (value: number): string =>
  Number.isNaN(value) ? '–' : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(3)
const signed = (value: number): string => (value < 0 ? `−${number(-value)}` : `+${number(value)}`)

function shown(figure: StyleFigure | undefined, hasSign = false): string {
  if (figure === undefined) return '–'
  const write = hasSign ? signed : (value: number): string => number(value).replace('-', '−')
  const { value, low, high } = figure
  return Number.isNaN(low) ? write(value) : `${write(value)} (${write(low)}\u00a0to\u00a0${write(high)})`
}
