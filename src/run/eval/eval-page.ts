// The page of an evaluation: the numbers, what a difference to a baseline is worth, the worst items, and the answers that changed.

import { type Comparison, verdict } from '../../eval/compare.ts'
import type { Contamination } from '../../eval/contamination.ts'
import type { TaskRun } from '../../eval/evaluate.ts'
import { argMax } from '../../eval/process-results.ts'
import { type EvalReport, isHigherBetter } from '../../eval/results.ts'
import { answerNotices, resultRows } from '../../eval/results-table.ts'
import type { Sample } from '../../eval/samples.ts'
import { counted, percent } from '../../report/amounts.ts'
import { type ReportBlock, type ReportSection, renderReport } from '../../report/report.ts'
import { pageFooter } from '../page-footer.ts'
import { suiteTables } from './suite-tables.ts'

/** Items of a task that are shown. */
const WORST = 8
const LONGEST = 600

/** One HTML file. */
export function evalPage(
  report: EvalReport,
  runs: readonly TaskRun[],
  comparison: readonly Comparison[] = [],
  more: readonly ReportSection[] = [],
): string {
  return renderReport({
    title: 'Evaluation',
    subtitle: String(report.model_name),
    about: [new Date(Number(report.date) * 1000).toISOString().slice(0, 10)],
    sections: [
      {
        title: 'Results',
        blocks: [
          ...suiteBlocks(report),
          resultsBlock(report),
          ...noticeBlocks(report),
          ...overlapBlocks(report.contamination),
        ],
      },
      ...more,
      ...(comparison.length > 0 ? [comparisonSection(comparison), changedSection(comparison, runs)] : []),
      {
        title: 'Worst items',
        lead: 'Of each task, what the model got wrong most clearly. The text that it was given is shown from its end.',
        blocks: runs.flatMap(worstBlocks),
      },
    ],
    footer: pageFooter(),
  })
}

function resultsBlock(report: EvalReport): ReportBlock {
  return {
    kind: 'table',
    columns: ['Task', 'Shots', 'Metric', 'Value', 'Std. error'],
    rows: resultRows(report)
      .filter(({ value }) => !Number.isNaN(value))
      .map(({ name, depth, shots, filter, metric, better, value, error }) => [
        `${'– '.repeat(depth)}${name}`,
        shots,
        `${metric}${filter === 'none' ? '' : ` (${filter})`} ${better}`.trim(),
        value,
        error ?? null,
      ]),
  }
}

/** Of the suites of bias and toxicity a table each, a row for a language. */
function suiteBlocks({ results }: EvalReport): ReportBlock[] {
  return suiteTables(results).flatMap(({ name, reading, columns, rows }): ReportBlock[] => [
    { kind: 'prose', text: `${name}. ${reading}` },
    { kind: 'table', columns: ['', ...columns], rows },
  ])
}

function noticeBlocks({ answers }: EvalReport): ReportBlock[] {
  const notices = answerNotices(answers)
  return notices.length === 0 ? [] : [{ kind: 'prose', text: notices.map((notice) => `${notice}.`).join('\n\n') }]
}

/** A table of the documents that are in the training text, by task. */
export function overlapBlocks(found: unknown): ReportBlock[] {
  if (found === undefined) return []
  const rows = Object.entries(found as Record<string, Contamination>).map(
    ([task, { documents, found: seen, short, clean }]) => {
      const numbers = Object.entries(clean).filter(([key]) => key.includes(',') && !key.includes('_stderr'))
      return [
        task,
        documents === 0 ? '–' : percent(seen / documents),
        String(short),
        numbers.map(([key, value]) => `${key.split(',')[0]} ${Number(value).toFixed(4)}`).join(', '),
      ]
    },
  )
  return [
    {
      kind: 'table',
      caption: 'Found in the training text',
      columns: ['Task', 'Found', 'Too short to tell', 'Without them'],
      rows,
    },
  ]
}

export function comparisonSection(comparison: readonly Comparison[]): ReportSection {
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`
  return {
    title: 'Compared with the baseline',
    lead: 'The interval holds the true difference with 95 % confidence; p is how often chance alone gives one as large.',
    blocks: [
      {
        kind: 'table',
        columns: ['Task', 'Metric', 'Before', 'After', 'Difference', 'Interval', 'p', 'Verdict'],
        rows: comparison.map((each) => [
          each.task,
          each.filter === 'none' ? each.metric : `${each.metric} (${each.filter})`,
          each.before,
          each.after,
          signed(each.difference),
          Number.isNaN(each.low) ? '–' : `${signed(each.low)}\u00a0…\u00a0${signed(each.high)}`,
          Number.isNaN(each.p) ? '–' : each.p.toPrecision(2),
          verdict(each),
        ]),
      },
    ],
  }
}

/** Answers that became right or wrong, some of each task. */
function changedSection(comparison: readonly Comparison[], runs: readonly TaskRun[]): ReportSection {
  const blocks = comparison.flatMap(({ task, metric, filter, changed }): ReportBlock[] => {
    const run = runs.find((each) => each.task.name === task)
    const first = comparison.find((each) => each.task === task)
    if (run === undefined || changed.length === 0 || first?.metric !== metric || first.filter !== filter) return []
    const samples = changed.slice(0, WORST).flatMap(({ id, before, after }) => {
      const sample = run.samples.find((each) => each.doc_id === id && each.filter === filter)
      return sample === undefined
        ? []
        : [itemOf(run, sample, `${task} ${id}: ${metric} ${JSON.stringify(before)} → ${JSON.stringify(after)}`)]
    })
    return [
      { kind: 'prose', text: `${task}: the answers to ${counted(changed.length, 'document')} changed.` },
      { kind: 'samples', samples },
    ]
  })
  return { title: 'Changed answers', blocks: blocks.length > 0 ? blocks : [{ kind: 'prose', text: 'None.' }] }
}

function worstBlocks(run: TaskRun): ReportBlock[] {
  const { task, samples, metrics } = run
  const first = samples.filter(({ filter, failed }) => filter === samples[0]?.filter && failed === undefined)
  const metric =
    metrics.find(({ metric: name }) => first.some(({ scores }) => typeof scores[name] === 'number')) ?? metrics[0]
  if (metric === undefined || first.length === 0) return []
  const sign = isHigherBetter(metric) === false && !metric.metric.includes('perplexity') ? -1 : 1
  const worth = (sample: Sample): number => {
    const score = sample.scores[metric.metric]
    return (
      sign * (typeof score === 'number' ? score : Array.isArray(score) ? Number(score[0]) / Number(score[1] ?? 1) : 0)
    )
  }
  const isSure = (sample: Sample): number => marginOf(sample)
  // Of right and wrong, what is right is not among the worst.
  const isWrong = (sample: Sample): boolean => sign < 0 || sample.scores[metric.metric] !== 1
  const worst = first
    .filter(isWrong)
    .sort((a, b) => worth(a) - worth(b) || isSure(b) - isSure(a))
    .slice(0, WORST)
  if (worst.length === 0) return [{ kind: 'prose', text: `${task.name}: everything is right by ${metric.metric}.` }]
  return [
    { kind: 'prose', text: `${task.name}, by ${metric.metric}` },
    {
      kind: 'samples',
      samples: worst.map((sample) => itemOf(run, sample, `${sample.doc_id}: ${shownScores(sample)}`)),
    },
  ]
}

/** By how much the model preferred its choice to the next one. */
function marginOf({ filtered_resps: answers }: Sample): number {
  const sums = answers
    .map((answer) => (Array.isArray(answer) ? Number(answer[0]) : Number.NaN))
    .filter((sum) => !Number.isNaN(sum))
  if (sums.length < 2) return 0
  const [first = 0, second = 0] = sums.toSorted((a, b) => b - a)
  return first - second
}

function shownScores({ scores }: Sample): string {
  return Object.entries(scores)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toPrecision(4)}`)
    .join(', ')
}

function itemOf({ task }: TaskRun, sample: Sample, label: string): { label: string; prompt: string; text: string } {
  const context = String(sample.arguments[0]?.[0] ?? '')
  const prompt = context.length > LONGEST ? `…${context.slice(-LONGEST)}` : context
  if (task.outputType !== 'multiple_choice')
    return {
      label,
      prompt,
      text: task.outputType === 'generate_until' ? answerText(sample) : '',
    }
  const sums = sample.filtered_resps.map((answer) => (answer as readonly [number])[0])
  const texts = sample.arguments.map(([, continuation]) => String(continuation))
  return { label, prompt, text: `${texts[argMax(sums)] ?? ''}   [right: ${rightChoice(task, sample, texts)}]` }
}

/** Several answers stand one behind the other; a task without right ones names none. */
function answerText({ filtered_resps: [answer], target }: Sample): string {
  const text = Array.isArray(answer) ? answer.map(String).join(' ⏐ ') : String(answer)
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
  return target === '' ? ` ${shown}` : ` ${shown}   [right: ${String(target)}]`
}

function rightChoice(task: TaskRun['task'], { target, doc, doc_id: id }: Sample, texts: readonly string[]): string {
  const gold = task.hasManyInputs ? task.text(doc, id) : Array.isArray(target) ? target[0] : target
  return typeof gold === 'number' ? (texts[gold]?.trim() ?? String(gold)) : String(gold)
}
