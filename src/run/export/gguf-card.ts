// The card beside an exported GGUF file: what it is, how close it is to the model, how to run it, how it was made.

import { HARD_TEXTS } from '../../gguf/compare.ts'
import type { CheckedGguf, GgufCheck } from '../../gguf/export-gguf.ts'
import type { GgufFormat } from '../../gguf/tensor-types.ts'
import { percent } from '../../report/amounts.ts'
import { shellPath } from '../../shell-word.ts'
import type { LoadedModel } from '../load-model.ts'

export interface CardParts {
  loaded: LoadedModel
  written: CheckedGguf
  format: GgufFormat
}

/** The card as Markdown. */
export function ggufCard({ loaded: { source, lineage, steps }, written, format }: CardParts): string {
  const file = written.path.replace(/^.*[\\/]/, '')
  const types = Object.entries(written.types).map(([type, count]) => `${type} (${count})`)
  const lines = [
    `# ${source.name}: ${file}`,
    '',
    `GGUF v3, architecture \`${written.architecture}\`, format \`${format}\`, ${written.size} bytes, sha256 \`${written.sha256}\`.`,
    `Tensors by type: ${types.join(', ')}.`,
    '',
    '## How close to the model it was made from',
    '',
    ...closenessLines(written.check),
    '',
    '## Run it',
    '',
    `    llama-cli -m ${shellPath(file)}`,
    `    ollama create my-model -f ${shellPath(`${file}.Modelfile`)}`,
    `    anneal chat --model ${shellPath(file)}`,
  ]
  if (written.notices.length > 0) lines.push('', '## Know this', '', ...written.notices.map((notice) => `- ${notice}`))
  const made = [...lineage, ...steps].map(({ pass }) => pass)
  if (made.length > 0) lines.push('', '## How it was made', '', `${[...made, 'export'].join(' → ')}`)
  return `${lines.join('\n')}\n`
}

function closenessLines(check: GgufCheck | null): string[] {
  if (check === null) return ['Not measured: the file was not read back.']
  const { positions, sameTop, maxLogitDifference, meanDivergence } = check.closeness
  const ids =
    check.differing === undefined
      ? []
      : [`| hard texts with the same ids | ${HARD_TEXTS.length - check.differing.length} of ${HARD_TEXTS.length} |`]
  return [
    `Read back by Anneal and compared on ${positions} positions:`,
    '',
    '| | |',
    '|---|--:|',
    `| same most probable token | ${percent(sameTop)} |`,
    `| largest difference of a logit | ${maxLogitDifference.toPrecision(3)} |`,
    `| mean Kullback-Leibler divergence | ${meanDivergence.toPrecision(3)} nats |`,
    ...ids,
  ]
}
