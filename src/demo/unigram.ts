// The simplest language model there is, to compare with: every token as often as in the training text, whatever came before.

/** Mean loss in nats per token on `heldOut` of token frequencies counted in `train`, each token seen once more than it was. */
export function unigramLoss(train: Iterable<Int32Array>, heldOut: Iterable<Int32Array>, vocabSize: number): number {
  const counts = new Float64Array(vocabSize).fill(1)
  for (const ids of train) for (const id of ids) counts[id]!++
  const total = counts.reduce((sum, count) => sum + count, 0)
  let loss = 0
  let tokens = 0
  for (const ids of heldOut) {
    for (const id of ids) loss -= Math.log(counts[id]! / total)
    tokens += ids.length
  }
  return loss / tokens
}
