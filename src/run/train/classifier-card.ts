// README.md of a trained classifier, as Hugging Face shows it: its labels, how it was trained, what was measured, and how it is used.

import { basename, join, resolve } from 'node:path'
import type { TrainConfig } from '../../config/schema.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { nameOfSnapshot } from '../../hub/snapshot.ts'
import { formatNumber } from '../../report/scale.ts'

/** What is said of a classifier. */
export interface ClassifierFacts {
  readonly labels: readonly string[]
  /** Of the evaluation of the weights that were kept; empty where nothing was evaluated. */
  readonly evaluation: Readonly<Record<string, string | number | null>>
  readonly step: number
}

const MEASURED = ['eval_macro_f1', 'eval_mcc', 'eval_accuracy', 'eval_loss'] as const

/** Writes README.md into `directory`. */
export function writeClassifierCard(
  directory: string,
  config: TrainConfig,
  { labels, evaluation, step }: ClassifierFacts,
): WrittenFile {
  const { model_name_or_path, finetuning } = config
  const base = model_name_or_path && (nameOfSnapshot(model_name_or_path)?.repo ?? basename(resolve(model_name_or_path)))
  const name = basename(resolve(directory))
  const measured = MEASURED.filter((key) => evaluation[key] !== undefined)
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
    `Labels: ${labels.map((label) => `\`${label}\``).join(', ')}.`,
    '',
    ...(measured.length === 0
      ? ['Nothing was held out, so nothing is known of how well it does.']
      : [
          '| on held-out texts | |',
          '|---|--:|',
          ...measured.map((key) => `| ${key.replace('eval_', '')} | ${formatNumber(Number(evaluation[key]))} |`),
        ]),
    '',
    '```sh',
    `anneal classify --model ${name} --text texts.txt`,
    '```',
    '',
    '```python',
    'from transformers import pipeline',
    `print(pipeline("text-classification", ${JSON.stringify(name)})("a text"))`,
    '```',
    '',
  ]
  return writeFileAtomic(join(directory, 'README.md'), lines.join('\n'))
}
