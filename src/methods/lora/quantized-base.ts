// Merging an adapter that was trained on a quantized base (QLoRA). There are two bases that it can be merged onto: the dequantized
// weights, which is what training saw, and the full-precision ones, which are closer to the model that was quantized. Neither is always
// better, so both are offered and can be measured against base + adapter. Nothing here is quantized again.
import { baseFormatsOf } from '../../checkpoint/adapter/adapter.ts'
import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import { isQuantized, loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { type Batch, IGNORE_INDEX } from '../../data/batch.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { dequantizeModel, type QuantPlan } from '../../model/quantize-model.ts'
import { type DType, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { divergenceTerms } from '../../train/divergence.ts'
import { decoderInput, shiftLabels } from '../../train/objective.ts'
import { Count, turn, type Watch } from '../../work.ts'
import { loadLoras } from './adapter-files.ts'
import { mergeAndUnload } from './merge.ts'

/** What an adapter can be merged onto. */
export type MergeBase = 'dequantized' | 'full-precision'

/** Onto which weights an adapter of a quantized base is merged. */
export interface QuantizedMergeOptions {
  /** The base model; quantized on disk, or the full-precision one that was quantized while training loaded it. */
  baseDirectory: string
  /** Several are all on at once. */
  adapterDirectory: string | readonly string[]
  /** How training quantized the base, for adapters that do not say so themselves (PEFT with bitsandbytes). */
  quantize?: QuantPlan
  device?: string
  /** Of the merged weights; default f32. */
  dtype?: DType
}

/** The base as training had it, quantized, with the adapter active and frozen. */
export function loadTrainedOn(options: QuantizedMergeOptions): Decoder {
  const { baseDirectory, device } = options
  const directories = [options.adapterDirectory].flat()
  if (isQuantized(baseDirectory))
    return withAdapters(loadDecoder(baseDirectory, { ...(device && { device }) }), directories)
  const quantize = options.quantize ?? baseFormatsOf(directories[0]!)
  if (quantize instanceof Map && quantize.size === 0)
    throw new UsageError(
      `adapter in ${directories[0]}: expected one trained on a quantized base, got one that names no formats. Give quantize, or merge it with mergeAndUnload`,
    )
  return withAdapters(loadDecoder(baseDirectory, { quantize, ...(device && { device }) }), directories)
}

/** A dense model with the adapter merged onto the base that `onto` names, and what the lineage says of it. */
export function mergeQuantized(
  onto: MergeBase,
  options: QuantizedMergeOptions,
): { model: Decoder; record: PassRecord } {
  const { baseDirectory, adapterDirectory, device, dtype = 'f32' } = options
  if (onto === 'full-precision' && isQuantized(baseDirectory))
    throw new UsageError(
      `base model in ${baseDirectory}: expected full-precision weights to merge onto, got quantized ones. Give the directory that they were made from`,
    )
  const model =
    onto === 'dequantized'
      ? loadTrainedOn(options)
      : withAdapters(loadDecoder(baseDirectory, { ...(device && { device }), dtype }), [adapterDirectory].flat())
  const record = mergeAndUnload(model, { dtype })
  dequantizeModel(model, dtype) // modules without an adapter
  return { model, record: { ...record, options: { ...record.options, onto } } }
}

/** How far a model is from another on the same tokens. */
export interface Divergence {
  /** Mean cross-entropy of the supervised tokens, in nats. */
  crossEntropy: number
  /** That of the reference. */
  referenceCrossEntropy: number
  /** Mean KL(reference ‖ model) over the same positions, in nats. */
  kl: number
  tokens: number
}

/** Compares both merges with base + adapter on `batches`; at any time two models are in memory. `full-precision` is left out where the base is quantized on disk. */
export async function compareMerges(
  options: QuantizedMergeOptions,
  batches: readonly Batch[],
  watch?: Watch,
): Promise<Partial<Record<MergeBase, Divergence>>> {
  const reference = loadTrainedOn(options)
  try {
    const bases: MergeBase[] = isQuantized(options.baseDirectory) ? ['dequantized'] : ['dequantized', 'full-precision']
    const found: Partial<Record<MergeBase, Divergence>> = {}
    for (const onto of bases) {
      const { model } = mergeQuantized(onto, options)
      try {
        found[onto] = await divergence(model, reference, batches, watch)
      } finally {
        model.free()
      }
    }
    return found
  } finally {
    reference.free()
  }
}

/** Cross-entropies of `model` and `reference` and KL(reference ‖ model) on the supervised tokens of `batches`. */
export async function divergence(
  model: Decoder,
  reference: Decoder,
  batches: readonly Batch[],
  watch?: Watch,
): Promise<Divergence> {
  const sums = { crossEntropy: 0, referenceCrossEntropy: 0, kl: 0, tokens: 0 }
  const count = new Count(watch, { label: 'comparing', unit: 'batches', total: batches.length })
  for (const batch of batches) {
    noGrad(() => scope(() => addBatch(sums, model, reference, batch)))
    count.add()
    await turn(watch)
  }
  if (sums.tokens === 0) throw new UsageError('batches: expected supervised tokens to compare merges on, got none')
  const mean = (sum: number): number => sum / sums.tokens
  return {
    crossEntropy: mean(sums.crossEntropy),
    referenceCrossEntropy: mean(sums.referenceCrossEntropy),
    kl: mean(sums.kl),
    tokens: sums.tokens,
  }
}

/** Positions whose logits exist at once. */
const POSITIONS_AT_ONCE = 512

function addBatch(sums: Divergence, model: Decoder, reference: Decoder, batch: Batch): void {
  const labels = shiftLabels(batch)
  const positions = Int32Array.from(labels.keys()).filter((i) => labels[i] !== IGNORE_INDEX)
  const [p, q] = [reference, model].map((of) => {
    const hidden = of.hidden(decoderInput(batch, of.device))
    return (at: Tensor): Tensor => of.logits(hidden.view(-1, hidden.size(-1)).indexSelect(0, at)).logSoftmax() // [N, V]
  }) as [(at: Tensor) => Tensor, (at: Tensor) => Tensor]
  for (let start = 0; start < positions.length; start += POSITIONS_AT_ONCE) {
    const chunk = positions.slice(start, start + POSITIONS_AT_ONCE)
    scope(() => {
      const at = Tensor.from(chunk).to(model.device)
      const label = Tensor.from(
        Int32Array.from(chunk, (i) => labels[i]!),
        [chunk.length, 1],
      )
        .to('i64')
        .to(model.device)
      const [logP, logQ] = [p(at), q(at)]
      sums.crossEntropy -= ops.gather(logQ, 1, label).to('f64').sum().item()
      sums.referenceCrossEntropy -= ops.gather(logP, 1, label).to('f64').sum().item()
      sums.kl += divergenceTerms(logP, logQ).to('f64').sum().item()
      sums.tokens += chunk.length
    })
  }
}

function withAdapters(model: Decoder, directories: readonly string[]): Decoder {
  try {
    loadLoras(model, directories)
    return model
  } catch (error) {
    model.free()
    throw error
  }
}
