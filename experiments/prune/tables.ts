// The results as Markdown: what goes into the card.
import { markdownTable, statistics } from '../setting/statistics.ts'
import { type Outcome, RATIOS, TARGETS, type TargetName } from './arms.ts'
import type { Cost } from './cost.ts'

export interface Results {
  machine: string
  settings: Record<string, unknown>
  outcomes: Outcome[]
  costs: Cost[]
}

export function writeTables({ machine, settings, outcomes, costs }: Results): string {
  const parts = [`Machine: ${machine}. Settings: ${JSON.stringify(settings)}.`]
  const whole = outcomes.filter(({ targets }) => targets === 'none')
  if (whole.length > 0) {
    const { pruned, recovered, speed } = summary(whole)
    parts.push(
      `The whole model (${whole[0]!.parameters} parameters): perplexity ${pruned}, ${recovered} after the same training, ${speed} tokens/s.`,
    )
  }
  for (const targets of Object.keys(TARGETS) as TargetName[]) {
    for (const ratio of RATIOS) {
      const group = outcomes.filter((one) => one.targets === targets && one.ratio === ratio)
      if (group.length > 0) parts.push(qualityTable(`${targets}, ${100 * ratio} % of the blocks`, group))
    }
  }
  if (costs.length > 0) parts.push(costTable(costs))
  return `${parts.join('\n\n')}\n`
}

function qualityTable(title: string, outcomes: Outcome[]): string {
  const seeds = new Set(outcomes.map(({ seed }) => seed)).size
  const rows = [...new Set(outcomes.map(({ arm }) => arm))].map((arm) => {
    const group = outcomes.filter((one) => one.arm === arm)
    const { pruned, recovered, speed, seconds } = summary(group)
    const removed = mean(group.map((one) => 100 * one.removedOfBlocks))
    const count = Math.round(mean(group.map((one) => one.parameters)))
    return [arm, group.length, count, removed.toFixed(2), pruned, recovered, speed, seconds]
  })
  return markdownTable(
    `${title}: perplexity on held-out text, ${seeds} seeds (± standard deviation)`,
    ['importance', 'runs', 'parameters', 'removed (%)', 'pruned', 'after LoRA', 'tokens/s', 'scoring (s)'],
    rows,
  )
}

/** Perplexities are exponentials of each run's loss, then averaged. */
function summary(group: Outcome[]): { pruned: string; recovered: string; speed: string; seconds: string } {
  const perplexity = (losses: number[]): string => {
    const values = losses.map(Math.exp)
    return `${mean(values).toFixed(3)}${values.length > 1 ? ` ± ${statistics(values).deviation.toFixed(3)}` : ''}`
  }
  return {
    pruned: perplexity(group.map((one) => one.pruned)),
    recovered: perplexity(group.map((one) => one.recovered)),
    speed: mean(group.map((one) => one.tokensPerSecond)).toFixed(0),
    seconds: mean(group.map((one) => one.scoringSeconds)).toFixed(2),
  }
}

function costTable(costs: Cost[]): string {
  return markdownTable(
    'Cost, aligned layout, random weights',
    ['importance', 'ratio', 'parameters (M)', 'scoring (s)', 'scoring (GiB)', 'forward tokens/s', 'decode tokens/s'],
    costs.map((row) => [
      row.importance,
      row.ratio,
      (row.parameters / 1e6).toFixed(1),
      row.scoringSeconds.toFixed(2),
      (row.scoringBytes / 2 ** 30).toFixed(2),
      row.forwardTokensPerSecond.toFixed(0),
      row.decodeTokensPerSecond.toFixed(1),
    ]),
  )
}

const mean = (values: number[]): number => statistics(values).mean
