// What quantization should cost by the second-order expansion of the loss: ½·Σ F·(w − ŵ)², F the diagonal of the empirical Fisher
// matrix. One forward and backward pass for each sequence gives all units and all formats at once.
// F = Σ over sequences of g² / tokens, g the gradient of a sequence's summed cross-entropy: the estimate is in nats per token.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { probeGradients } from '../../probe/gradients.ts'
import { noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import { languageModeling } from '../../train/objective.ts'
import { Count, turn, type Watch } from '../../work.ts'
import { linearAt } from './units.ts'
import type { WeightBank } from './weight-bank.ts'

/** Estimated rise of the loss, in nats per token, for every unit and format of the bank. Holds gradients and F, each as large as the matrices. Tells of `measuring gradients` in sequences. */
export async function fisherErrors(
  model: Decoder,
  bank: WeightBank,
  batches: readonly Batch[],
  watch?: Watch,
): Promise<number[][]> {
  const paths = bank.units.flatMap((unit) => unit.paths)
  const weights = paths.map((path) => linearAt(model, path).weight)
  const fisher = await squaredGradients(model, weights, batches.flatMap(sequencesOf), watch)
  const byPath = new Map(paths.map((path, i) => [path, i]))
  try {
    return bank.units.map(({ paths: own }) =>
      bank.formats.map((_, option) =>
        own.reduce((sum, path) => {
          const i = byPath.get(path)!
          return sum + noGrad(() => scope(() => weighted(fisher[i]!, weights[i]!, bank.at(path, option).dequantize())))
        }, 0),
      ),
    )
  } finally {
    for (const tensor of fisher) tensor.free()
  }
}

function weighted(fisher: Tensor, weight: Tensor, quantized: Tensor): number {
  return 0.5 * fisher.mul(weight.to('f32').sub(quantized).pow(2)).sum().item()
}

/** Σ g² / tokens for each weight. */
async function squaredGradients(
  model: Decoder,
  weights: readonly Tensor[],
  sequences: readonly Batch[],
  watch: Watch | undefined,
): Promise<Tensor[]> {
  const objective = languageModeling()
  const before = weights.map(({ requiresGrad }) => requiresGrad)
  const sums = weights.map((weight) => noGrad(() => ops.zerosLike(weight.to('f32')).keep()))
  const count = new Count(watch, { label: 'measuring gradients', unit: 'sequences', total: sequences.length })
  let tokens = 0
  for (const weight of weights) weight.requiresGrad = true
  try {
    for (const sequence of sequences) {
      tokens += objective.weight(sequence)
      scope(() => {
        const gradients = probeGradients(weights, model.generator, () => objective.forward(model, sequence).loss)
        noGrad(() => {
          for (const [i, gradient] of gradients.entries()) if (gradient) sums[i]!.add_(gradient.to('f32').pow(2))
        })
      })
      count.add()
      await turn(watch)
    }
  } catch (error) {
    for (const sum of sums) sum.free()
    throw error
  } finally {
    for (const [i, weight] of weights.entries()) weight.requiresGrad = before[i]!
  }
  noGrad(() => {
    for (const sum of sums) sum.mul_(1 / Math.max(1, tokens))
  })
  return sums
}

/** A batch as batches of one row. */
export function sequencesOf(batch: Batch): Batch[] {
  const { rows, length } = batch
  return Array.from({ length: rows }, (_, row) => {
    const cut = (values: Int32Array): Int32Array => values.slice(row * length, (row + 1) * length)
    return {
      rows: 1,
      length,
      inputIds: cut(batch.inputIds),
      labels: cut(batch.labels),
      ...(batch.positionIds && { positionIds: cut(batch.positionIds) }),
      ...(batch.segmentIds && { segmentIds: cut(batch.segmentIds) }),
    }
  })
}
