// The models under test/fixtures/models, and what tests of the decoder do with them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadDecoder } from '../src/checkpoint/model-directory/load.ts'
import type { Decoder, DecoderInput } from '../src/model/decoder.ts'
import { ops, scope, Tensor } from '../src/torch/index.ts'
import { DEVICE } from './device.ts'

export const fixtures: string = fileURLToPath(new URL('./fixtures/models', import.meta.url))

export const readJson = (name: string, file: string): unknown =>
  JSON.parse(readFileSync(join(fixtures, name, file), 'utf8'))

export const idsOf = (rows: readonly (readonly number[])[]): Tensor =>
  Tensor.from(rows.flat(), [rows.length, rows[0]!.length], 'i64').to(DEVICE)

/** Summed cross-entropy of the next tokens, by the operator that training uses. */
export function summedLoss(
  model: Decoder,
  rows: readonly (readonly number[])[],
  input: Partial<DecoderInput> = {},
): Tensor {
  const hidden = model.hidden({ inputIds: idsOf(rows), ...input })
  const labels = rows.flatMap((row) => row.map((_, i) => row[i + 1] ?? -100))
  for (const [i, document] of (input.segmentIds ?? []).entries())
    if (document !== input.segmentIds![i + 1]) labels[i] = -100
  const cap = model.config.finalLogitSoftcapping ?? 0
  return ops.linearCrossEntropy(
    hidden.view(-1, hidden.size(-1)),
    model.head.dense(),
    Tensor.from(labels, [labels.length], 'i64').to(DEVICE),
    0,
    cap,
  )[0]!
}

export const gradientsOf = (model: Decoder): Map<string, Tensor> =>
  new Map(
    [...model.parameters()].flatMap(([path, parameter]) => (parameter.grad === null ? [] : [[path, parameter.grad]])),
  )

export function clearGradients(model: Decoder): void {
  for (const [, parameter] of model.parameters()) parameter.grad = null
}

/** A model whose parameters all require a gradient. */
export function load(name: string): Decoder {
  const model = scope(() => loadDecoder(join(fixtures, name), { device: DEVICE }))
  model.trainable()
  return model
}

/** Three documents of different lengths. */
export const documents: number[][] = [17, 23, 9].map((length, d) =>
  Array.from({ length }, (_, i) => 3 + ((i * 37 + d * 101 + i * i) % 120)),
)
