// Preference tuning: makes the better answer of each pair more likely than the worse one, relative to a reference model.
// Direct Preference Optimization (arXiv:2305.18290v3) and its kin; the formulas are in pair-loss.ts. Seam: Objective.
// Shapes: P pairs, B = 2·P rows (chosen, then rejected), T tokens, D hidden.

import { IGNORE_INDEX } from '../../data/batch.ts'
import type { Dataset } from '../../data/sample.ts'
import { type Pair, type PairBatch, stackPairs } from '../../data/tuning/preferences.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import { autocast, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { decoderInput, labelLogProbs, type Objective, shiftLabels } from '../../train/objective.ts'
import { Count, turn, type Watch } from '../../work.ts'
import { canBeSmoothed, isLengthNormalised, needsReference, PREFERENCE_LOSSES, type PreferenceLoss } from './losses.ts'
import { pairLoss } from './pair-loss.ts'

/** Log-probabilities of a batch's answers under the reference, [B], summed over tokens. Runs without gradients and dropout. */
export type Reference = (model: Decoder, batch: PairBatch) => Tensor

/** Which loss on pairs, and how far from the reference. */
export interface DpoOptions {
  /** Default sigmoid, which is DPO. */
  loss?: PreferenceLoss
  /** How far the model may go from the reference: small is far. ORPO's λ. Default 0.1; SimPO's paper takes 2 to 10. */
  beta?: number
  /** Share of pairs taken to be labelled wrongly, 0 to ½, for sigmoid and simpo. Default 0. */
  labelSmoothing?: number
  /** SimPO's margin γ. Default 0.5. */
  gamma?: number
  /** Adds this much of the chosen answers' own loss, their mean −log π per token (LLaMA-Factory's `pref_ftx`). Default 0. */
  sftWeight?: number
  /** Needed by sigmoid, hinge and ipo: the model without its adapter, `referenceModel(other)`, or `precomputed(values)`. */
  reference?: Reference
}

/** The objective of preference pairs: a sum over pairs, with rewards and log-probabilities under TRL's names. */
export function dpo(options: DpoOptions): Objective<PairBatch> {
  const { loss = 'sigmoid', beta = 0.1, labelSmoothing = 0, gamma = 0.5, sftWeight = 0, reference } = options
  check(options, loss, beta, labelSmoothing, gamma, sftWeight)
  return {
    weight: (batch) => batch.pairs.length,
    tokens: (batch) => batch.rows * batch.length,
    forward: (model, batch) => {
      const isMean = isLengthNormalised(loss)
      const counts = Tensor.from(answerLengths(batch)).to(model.device)
      const halves = (sums: Tensor): Tensor[] => (isMean ? sums.div(counts) : sums).chunk(2) // [P], [P]
      const sums = answerLogProbs(model, batch)
      const [chosen, rejected] = halves(sums)
      const [referenceChosen, referenceRejected] =
        reference && needsReference(loss) ? halves(askReference(reference, model, batch)) : []
      const pairs = {
        chosen: chosen!,
        rejected: rejected!,
        ...(referenceChosen && { referenceChosen }),
        ...(referenceRejected && { referenceRejected }),
      }
      const { losses, chosenRewards, rejectedRewards } = pairLoss(pairs, { loss, beta, labelSmoothing, gamma })
      const metrics = noGrad(() => ({
        'rewards/chosen': chosenRewards.sum(),
        'rewards/rejected': rejectedRewards.sum(),
        'rewards/margins': chosenRewards.sub(rejectedRewards).sum(),
        'rewards/accuracies': ops.gt(chosenRewards, rejectedRewards).to('f32').sum(),
        'logps/chosen': chosen!.sum(),
        'logps/rejected': rejected!.sum(),
      }))
      if (sftWeight === 0) return { loss: losses.sum(), metrics }
      const [chosenMeans] = sums.div(counts).chunk(2)
      return { loss: losses.sub(chosenMeans!.mul(sftWeight)).sum(), metrics }
    },
  }
}

/** log π(answer | prompt) of each row, [B]: the sum over its supervised tokens. */
export function answerLogProbs(model: Decoder, batch: PairBatch): Tensor {
  const labels = Tensor.from(shiftLabels(batch)).to('i64').to(model.device) // [B·T]
  const hidden = model.hidden(decoderInput(batch, model.device)) // [B, T, D]
  return labelLogProbs(model, hidden.view(-1, hidden.size(-1)), labels)
    .view(batch.rows, batch.length)
    .sum(1)
}

/** Another model as the reference. */
export function referenceModel(other: Decoder): Reference {
  return (_model, batch) => answerLogProbs(other, batch)
}

/** A reference that was computed before: values 2·i and 2·i + 1 are the chosen and the rejected answer of pair i. */
export function precomputed(values: Float32Array): Reference {
  return (model, { pairs }) => {
    const last = pairs.reduce((a, b) => Math.max(a, b), 0)
    if (2 * last + 1 >= values.length)
      throw new UsageError(
        `reference: expected values for pair ${last}, got ${values.length / 2} pairs. Compute them on this data set`,
      )
    const rows = [
      ...Array.from(pairs, (pair) => values[2 * pair]!),
      ...Array.from(pairs, (pair) => values[2 * pair + 1]!),
    ]
    return Tensor.from(Float32Array.from(rows)).to(model.device)
  }
}

/** Asks the reference for all pairs once, `batchSize` at a time, so that training need not: the values that `precomputed` takes. Tells of pairs. */
export async function computeReference(
  model: Decoder,
  dataset: Dataset<Pair>,
  {
    reference = answerLogProbs,
    batchSize = 4,
    bf16 = false,
  }: { reference?: Reference; batchSize?: number; bf16?: boolean } = {},
  watch?: Watch,
): Promise<Float32Array> {
  const values = new Float32Array(2 * dataset.length)
  const done = new Count(watch, { label: 'reference', unit: 'pairs', total: dataset.length })
  for (let first = 0; first < dataset.length; first += batchSize) {
    const count = Math.min(batchSize, dataset.length - first)
    const batch = stackPairs(
      dataset,
      Int32Array.from({ length: count }, (_, i) => first + i),
    )
    const sums = autocast(bf16 ? 'bf16' : null, () => scope(() => askReference(reference, model, batch).toArray()))
    for (let i = 0; i < count; i++) values.set([sums[i]!, sums[count + i]!], 2 * (first + i))
    done.add(count)
    await turn(watch)
  }
  return values
}

function askReference(reference: Reference, model: Decoder, batch: PairBatch): Tensor {
  return withoutDropout(model, () => noGrad(() => scope(() => reference(model, batch))))
}

/** Supervised tokens of each row. */
function answerLengths(batch: PairBatch): Float32Array {
  const labels = shiftLabels(batch)
  const counts = new Float32Array(batch.rows)
  for (const [i, label] of labels.entries()) if (label !== IGNORE_INDEX) counts[Math.floor(i / batch.length)]! += 1
  return counts
}

function check(
  { reference }: DpoOptions,
  loss: PreferenceLoss,
  beta: number,
  labelSmoothing: number,
  gamma: number,
  sftWeight: number,
): void {
  const wrong = (name: string, expected: string, got: unknown): UsageError =>
    new UsageError(`${name}: expected ${expected}, got ${String(got)}`)
  if (!PREFERENCE_LOSSES.includes(loss)) throw wrong('loss', PREFERENCE_LOSSES.join(', '), loss)
  if (!(beta > 0 && Number.isFinite(beta))) throw wrong('beta', 'a number above 0', beta)
  if (!Number.isFinite(gamma)) throw wrong('gamma', 'a number', gamma)
  if (!(sftWeight >= 0 && Number.isFinite(sftWeight))) throw wrong('sftWeight', 'a number of at least 0', sftWeight)
  if (!(labelSmoothing >= 0 && labelSmoothing < 0.5))
    throw wrong('labelSmoothing', 'a number from 0 to below 0.5', labelSmoothing)
  if (labelSmoothing > 0 && !canBeSmoothed(loss)) throw wrong('labelSmoothing', `0 for ${loss}`, labelSmoothing)
  if (needsReference(loss) && reference === undefined)
    throw new UsageError(`reference: expected one for ${loss}, got none. Give one, or use simpo or orpo`)
}
