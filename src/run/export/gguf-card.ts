// The card beside an exported GGUF file: what it is, how close it is to the model, how to run it, how it was made.

import { HARD_TEXTS } from '../../gguf/compare.ts'
import type { GgufExport } from '../../gguf/export-model.ts'
import type { GgufFormat } from '../../gguf/tensor-types.ts'
import type { GgufCheck } from './export-gguf.ts'
import type { ExportSource } from './load-source.ts'

export interface CardParts {
  source: ExportSource
  written: GgufExport
  format: GgufFormat
  check: GgufCheck | undefined
}

/** The card as Markdown. */
export function ggufCard({ source, written, format, check }: CardParts): string {
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
    ...closenessLines(check),
    '',
    '## Run it',
    '',
    `    llama-cli -m ${file}`,
    `    ollama create my-model -f ${file}.Modelfile`,
    `    anneal chat --model ${file}`,
  ]
  if (written.notices.length > 0) lines.push('', '## Know this', '', ...written.notices.map((notice) => `- ${notice}`))
  const steps = [...source.history, ...source.lineage].map(({ pass }) => pass)
  if (steps.length > 0) lines.push('', '## How it was made', '', `${[...steps, 'export'].join(' → ')}`)
  return `${lines.join('\n')}\n`
}

function closenessLines(check: GgufCheck | undefined): string[] {
  if (check === undefined) return ['Not measured (`--skip-check`).']
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
    `| same most probable token | ${(100 * sameTop).toFixed(1)} % |`,
    `| largest difference of a logit | ${maxLogitDifference.toPrecision(3)} |`,
    `| mean Kullback-Leibler divergence | ${meanDivergence.toPrecision(3)} nats |`,
    ...ids,
  ]
}
