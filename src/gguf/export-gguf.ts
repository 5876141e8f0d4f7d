// A Decoder → a GGUF file that says what the decoder says: written tensor by tensor, read back, and compared.
import { rmSync } from 'node:fs'
import { AnnealError } from '../errors.ts'
import { contextLength } from '../infer/context.ts'
import type { Decoder } from '../model/decoder.ts'
import { quantLinears } from '../model/quantize-model.ts'
import { Embedding } from '../nn/embedding.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import type { DType } from '../torch/index.ts'
import { turn, type Watch } from '../work.ts'
import { type Closeness, compareModels, differingTexts, HARD_TEXTS } from './compare.ts'
import { type GgufExport, type GgufExportOptions, planGguf } from './export-model.ts'
import { loadGgufParts } from './load-parts.ts'
import { writeGgufInTurns } from './write.ts'

/** What reading the file back showed. */
export interface GgufCheck {
  closeness: Closeness
  /** Texts of the hard ones whose ids or whose decoding differ; undefined without a tokenizer. */
  differing: string[] | undefined
}

/** What was written, and how it reads. */
export interface CheckedGguf extends GgufExport {
  /** Null where it was not asked for. */
  readonly check: GgufCheck | null
}

/** Positions that both models are asked about. */
const CHECKED_TOKENS = 256

/**
 * Writes `model` to `path` as GGUF, reads the file back and compares. An UnsupportedError says what llama.cpp cannot compute, a
 * NonFiniteError which tensor is damaged; an AnnealError, that a format without loss gave other logits. No file is left then.
 *
 * @example
 * const { check } = await exportGguf(engine.model, 'tiny.gguf', { format: 'q8_0', tokenizer: engine.tokenizer })
 * console.log(check?.closeness.sameTop)
 */
export async function exportGguf(
  model: Decoder,
  path: string,
  options: GgufExportOptions & { check?: boolean } = {},
  watch?: Watch,
): Promise<CheckedGguf> {
  const { format = 'f16', tokenizer, check: isChecked = true } = options
  const { metadata, tensors, total, about } = planGguf(model, options)
  const file = await writeGgufInTurns(path, metadata, tensors, async (bytes) => {
    watch?.tell?.({ type: 'progress', label: 'writing', done: Math.min(bytes, total), total, unit: 'bytes' })
    await turn(watch)
  })
  const check = isChecked ? await readBack(model, tokenizer, path) : null
  const isExact = quantLinears(model).size === 0 && (format === 'f32' || format === embeddingDtype(model))
  if (check !== null && isExact) refuseDifferent(check, path)
  return { ...file, ...about, check }
}

/** How far the file is from the model. */
export async function readBack(model: Decoder, tokenizer: Tokenizer | undefined, file: string): Promise<GgufCheck> {
  // In the type of the first: twice its memory, not more.
  const again = await loadGgufParts(file, { dtype: embeddingDtype(model) })
  try {
    const length = Math.min(CHECKED_TOKENS, contextLength(again.model.config))
    const closeness = compareModels(model, again.model, probeIds(tokenizer, model.config.vocabSize, length))
    const both = tokenizer !== undefined && again.tokenizer !== undefined
    return { closeness, differing: both ? differingTexts(tokenizer, again.tokenizer!) : undefined }
  } finally {
    again.model.free()
  }
}

function embeddingDtype({ model: { embed_tokens } }: Decoder): DType {
  return embed_tokens instanceof Embedding ? embed_tokens.weight.dtype : 'f32'
}

/** Ids of the hard texts where there is a tokenizer, else ids spread over the vocabulary. */
function probeIds(tokenizer: Tokenizer | undefined, vocabSize: number, length: number): number[] {
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
