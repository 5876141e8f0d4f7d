// `anneal export --to gguf`: the file, what reading it back shows, a card with the numbers, and a Modelfile for Ollama.

import { mkdirSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { Output } from '../../cli/output.ts'
import { startProgress } from '../../cli/progress.ts'
import { AnnealError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { type Closeness, compareModels, differingTexts, HARD_TEXTS } from '../../gguf/compare.ts'
import { exportGguf, type GgufExport } from '../../gguf/export-model.ts'
import { loadGgufParts } from '../../gguf/load-parts.ts'
import { modelfile } from '../../gguf/modelfile.ts'
import type { GgufFormat } from '../../gguf/tensor-types.ts'
import { contextLength } from '../../infer/context.ts'
import { storedDtype } from '../../model/dtype.ts'
import { quantLinears } from '../../model/quantize-model.ts'
import { ggufCard } from './gguf-card.ts'
import type { ExportSource } from './load-source.ts'

export interface GgufTarget {
  out: string
  /** `auto`: the type that the model is stored in. */
  format: GgufFormat | 'auto'
  skipCheck: boolean
}

/** What reading the file back showed. */
export interface GgufCheck {
  closeness: Closeness
  /** Texts of the hard ones whose ids or whose decoding differ; undefined without a tokenizer. */
  differing: string[] | undefined
}

/** Positions that both models are asked about. */
const CHECKED_TOKENS = 256

/** Exports and checks; an AnnealError if an unquantized file does not say what the model does. */
export async function exportToGguf(source: ExportSource, target: GgufTarget, output: Output): Promise<void> {
  const { model, tokenizer, generation, name } = source
  const format = target.format === 'auto' ? storedDtype(model.config.dtype) : target.format
  mkdirSync(dirname(resolve(target.out)), { recursive: true })
  const written = write(source, target.out, format, output)
  let check: GgufCheck | undefined
  if (!target.skipCheck) {
    check = await readBack(source, target.out)
    const isExact = format === storedDtype(model.config.dtype) && quantLinears(model).size === 0
    if (isExact) refuseDifferent(check, target.out)
  }
  const file = basename(target.out)
  const stops = endTokens(source)
  const special = (id: number | undefined): string | undefined =>
    id === undefined ? undefined : tokenizer?.idToToken(id)
  writeFileAtomic(join(dirname(target.out), `${file}.md`), ggufCard({ source, written, format, check }))
  writeFileAtomic(
    join(dirname(target.out), `${file}.Modelfile`),
    modelfile({
      file,
      chatTemplate: tokenizer?.chatTemplate,
      bosToken: special(tokenizer?.bosTokenId),
      eosToken: special(tokenizer?.eosTokenId),
      stops,
      contextLength: written.contextLength,
      temperature: generation.temperature,
      topP: generation.topP,
      topK: generation.topK,
    }),
  )
  report(name, written, format, check, output)
}

function write(
  { model, tokenizer, generation, name }: ExportSource,
  out: string,
  format: GgufFormat,
  output: Output,
): GgufExport {
  let progress: ReturnType<typeof startProgress> | undefined
  try {
    return exportGguf(model, out, {
      format,
      tokenizer,
      name,
      eosTokenIds: generation.eosTokenIds,
      onProgress: (bytes, total) => {
        progress ??= startProgress(output, { label: 'writing', unit: 'bytes', total })
        progress.update(bytes)
      },
    })
  } finally {
    progress?.end()
  }
}

async function readBack({ model, tokenizer }: ExportSource, file: string): Promise<GgufCheck> {
  // In the type of the first: twice its memory, not more.
  const again = await loadGgufParts(file, { dtype: model.model.embed_tokens.weight.dtype })
  try {
    const length = Math.min(CHECKED_TOKENS, contextLength(again.model.config))
    const closeness = compareModels(model, again.model, probeIds(tokenizer, model.config.vocabSize, length))
    const both = tokenizer !== undefined && again.tokenizer !== undefined
    return { closeness, differing: both ? differingTexts(tokenizer, again.tokenizer!) : undefined }
  } finally {
    again.model.free()
  }
}

/** Ids of the hard texts where there is a tokenizer, else ids spread over the vocabulary. */
function probeIds(tokenizer: ExportSource['tokenizer'], vocabSize: number, length: number): number[] {
  const spread = Array.from({ length }, (_, i) => (i * 7919 + 1) % vocabSize)
  if (tokenizer === undefined) return spread
  return [...tokenizer.encode(HARD_TEXTS.join('\n')), ...spread].slice(0, length)
}

/** An exact format has nothing to lose: a difference is an error of this export, and no file is left. */
function refuseDifferent({ closeness }: GgufCheck, file: string): void {
  const { maxLogitDifference, maxLogit } = closeness
  if (maxLogitDifference <= 1e-3 * Math.max(1, maxLogit)) return
  rmSync(file)
  throw new AnnealError(
    `export to ${file}: expected the file to say what the model does, got logits that differ by ${maxLogitDifference}. Nothing was kept; please report the model's config.json`,
  )
}

/** The texts of the tokens that end an answer. */
function endTokens({ model, tokenizer, generation }: ExportSource): string[] {
  const ids = generation.eosTokenIds ?? model.config.eosTokenIds
  const all = tokenizer?.eosTokenId === undefined ? ids : [tokenizer.eosTokenId, ...ids]
  return [...new Set(all)].flatMap((id) => tokenizer?.idToToken(id) ?? [])
}

function report(
  name: string,
  written: GgufExport,
  format: GgufFormat,
  check: GgufCheck | undefined,
  output: Output,
): void {
  const { path, size, sha256, architecture, types, notices } = written
  output.emit({ path, bytes: size, sha256, architecture, format, types, notices, check: check ?? null })
  const kinds = Object.entries(types)
    .map(([type, count]) => `${count} ${type}`)
    .join(', ')
  output.result(`${path}  ${(size / 1e6).toFixed(1)} MB  ${name} as ${architecture}, ${kinds}`)
  if (check !== undefined) {
    const { sameTop, positions, maxLogitDifference, meanDivergence } = check.closeness
    output.result(
      `read back: same top token at ${(100 * sameTop).toFixed(1)} % of ${positions} positions, logits within ${maxLogitDifference.toPrecision(2)}, divergence ${meanDivergence.toPrecision(2)} nats` +
        (check.differing === undefined
          ? ''
          : `, ${HARD_TEXTS.length - check.differing.length} of ${HARD_TEXTS.length} hard texts with the same ids`),
    )
  }
  output.result(`beside it: ${path}.md, ${path}.Modelfile`)
  const [text] = check?.differing ?? []
  if (text !== undefined)
    output.note(`notice: the tokenizer in the file gives other ids for some texts, such as ${JSON.stringify(text)}`)
  for (const notice of notices) output.note(`notice: ${notice}`)
}
