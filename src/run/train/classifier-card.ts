// README.md of a trained classifier, as Hugging Face shows it: its labels, how it was trained, what was measured, and how it is used.

import { basename, join, resolve } from 'node:path'
import type { TrainConfig } from '../../config/schema.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { cardParts } from '../../hub/metadata-block.ts'
import { nameOfSnapshot } from '../../hub/snapshot.ts'
import { formatNumber } from '../../report/scale.ts'

/** What is said of a classifier. */
export interface ClassifierFacts {
  readonly labels: readonly string[]
  /** Probabilities from which a text has a label; undefined where it has one label, or nothing was held out. */
  readonly thresholds?: readonly number[] | undefined
  /** Of the evaluation of the weights that were kept; empty where nothing was evaluated. */
  readonly evaluation: Readonly<Record<string, string | number | null>>
  readonly step: number
}

const MEASURED = ['eval_macro_f1', 'eval_micro_f1', 'eval_mcc', 'eval_accuracy', 'eval_loss'] as const

/** Writes README.md into `directory`. */
export function writeClassifierCard(
  directory: string,
  config: TrainConfig,
  { labels, thresholds, evaluation, step }: ClassifierFacts,
): WrittenFile {
  const { model_name_or_path, finetuning } = config
  const base = model_name_or_path && (nameOfSnapshot(model_name_or_path)?.repo ?? basename(resolve(model_name_or_path)))
  const name = basename(resolve(directory))
  const from = base === undefined ? 'from fresh weights' : `from \`${base}\``
  const lines = [
    '---',
    'library_name: transformers',
    'pipeline_tag: text-classification',
    ...(base === undefined ? [] : [`base_model: ${JSON.stringify(base)}`]),
    '---',
    '',
    `# ${name}`,
    '',
    `A classifier of texts, trained with Anneal ${from} for ${step.toLocaleString('en')} steps (${finetuning === 'full' ? 'all weights' : `${finetuning}, merged`}).`,
    '',
    `Labels: ${labels.map((label, id) => `\`${label}\`${thresholds ? ` from a probability of ${formatNumber(thresholds[id]!)} on` : ''}`).join(', ')}${thresholds ? '; a text may have several. What was measured is with one half for all' : ''}.`,
    '',
    ...measuredLines(evaluation),
    ...useLines(name),
    '```python',
    'from transformers import pipeline',
    `print(pipeline("text-classification", ${JSON.stringify(name)})("a text"))`,
    '```',
    '',
  ]
  return writeFileAtomic(join(directory, 'README.md'), lines.join('\n'))
}

function measuredLines(evaluation: ClassifierFacts['evaluation']): string[] {
  const measured = MEASURED.filter((key) => evaluation[key] !== undefined)
  if (measured.length === 0) return ['Nothing was held out, so nothing is known of how well it does.']
  const rows = measured.map((key) => `| ${key.replace('eval_', '')} | ${formatNumber(Number(evaluation[key]))} |`)
  return ['| on held-out texts | |', '|---|--:|', ...rows]
}

function useLines(name: string): string[] {
  return ['', '```sh', `anneal classify --model ${name} --text texts.txt`, '```', '']
}

/** Writes README.md of a classifier of n-grams, which Anneal alone reads. */
export function writeNgramCard(
  directory: string,
  { labels, texts, evaluation }: Pick<ClassifierFacts, 'labels' | 'evaluation'> & { texts: number },
): WrittenFile {
  const name = basename(resolve(directory))
  const lines = [
    '---',
    'pipeline_tag: text-classification',
    '---',
    '',
    `# ${name}`,
    '',
    `A classifier of texts by hashed character n-grams, trained with Anneal on ${texts.toLocaleString('en')} texts. Only Anneal reads it.`,
    '',
    `Labels: ${labels.map((label) => `\`${label}\``).join(', ')}.`,
    '',
    ...measuredLines(evaluation),
    ...useLines(name),
  ]
  return writeFileAtomic(join(directory, 'README.md'), lines.join('\n'))
}

const OURS =
  /^# .+\n\nA classifier of texts, trained with Anneal .+\n\nLabels: .+\n\n(?:Nothing was held out.*|(?:\|.*\n)*\|.*)\n\n```sh\nanneal classify --model .+ --text texts\.txt\n```\n\n```python\nfrom transformers import pipeline\nprint\(pipeline\("text-classification", .+\)\("a text"\)\)\n```\n$/

/** A card that {@link writeClassifierCard} wrote and nobody has changed, with the name of its repository in place of the folder's; else undefined. */
export function classifierCardFor(card: string, repo: string): string | undefined {
  const rest = cardParts(card)?.rest.replace(/^---[^\n]*\n+/, '')
  if (rest === undefined || !OURS.test(rest)) return undefined
  const named = rest
    .replace(/^# .+/, () => `# ${repo.split('/')[1]}`)
    .replace(/^anneal classify --model .+ --text/m, () => `anneal classify --model ${repo} --text`)
    .replace(
      /pipeline\("text-classification", .+\)\("a text"\)/,
      () => `pipeline("text-classification", ${JSON.stringify(repo)})("a text")`,
    )
  // A base without an organization was a folder.
  return card.slice(0, card.length - rest.length).replace(/^base_model: "[^"/]*"\n/m, '') + named
}
