// What people are told of an export.
import { HARD_TEXTS } from '../../gguf/compare.ts'
import type { CheckedGguf } from '../../gguf/export-gguf.ts'
import { counted, percent } from '../../report/amounts.ts'
import type { ExportedDirectory } from './export-hf.ts'

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

export function ggufLines(name: string, { path, size, architecture, types, check }: CheckedGguf): string[] {
  const kinds = Object.entries(types)
    .map(([type, count]) => `${count} ${type}`)
    .join(', ')
  const lines = [`${path}  ${megabytes(size)}  ${name} as ${architecture}, ${kinds}`]
  if (check !== null) {
    const { sameTop, positions, maxLogitDifference, meanDivergence } = check.closeness
    lines.push(
      `read back: same top token at ${percent(sameTop)} of ${positions} positions, logits within ${maxLogitDifference.toPrecision(2)}, divergence ${meanDivergence.toPrecision(2)} nats` +
        (check.differing === undefined
          ? ''
          : `, ${HARD_TEXTS.length - check.differing.length} of ${HARD_TEXTS.length} hard texts with the same ids`),
    )
  }
  return [...lines, `beside it: ${path}.md, ${path}.Modelfile`]
}

export function directoryLines(name: string, { path, bytes, dtype }: ExportedDirectory): string[] {
  return [`${path}  ${megabytes(bytes)}  ${name} in ${dtype}`]
}

export function adapterLines({ path, bytes, modules }: { path: string; bytes: number; modules: number }): string[] {
  return [`${path}  ${megabytes(bytes)}  adapter on ${counted(modules, 'module')}`]
}
