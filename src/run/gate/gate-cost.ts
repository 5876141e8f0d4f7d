// What gates cost for each question: deciding, searching and answering apart, in seconds as they were measured and in operations as the shapes
// of the model say.
import type { GateRecord, Spent } from '../../eval/gates/gate-record.ts'
import type { DecoderConfig } from '../../model/config.ts'
import { branchFlops } from '../../probe/flops.ts'

/** Means over questions. */
export interface Cost {
  seconds: number
  /** Floating-point operations of the model; null where its shapes are not known. */
  flops: number | null
}

/** The three parts of a gate's cost. */
export interface GateCost {
  decision: Cost
  /** The search takes no operations of the model. */
  retrieval: Cost
  answer: Cost
}

/** What one question took for one part: seconds, and operations where they are known. */
export type PartOf = (record: GateRecord, i: number) => { seconds: number; flops: number }

/**
 * Operations of reading P tokens and making N: with T = P + N − 1 tokens that go through the blocks, the matrix products of every block, 2 for each
 * multiply-add, and its attention over the pairs of tokens that the mask lets through (`branchFlops`); and the head, 2 · D · V, for each token
 * made, once at least. Norms, rotation, softmax and activations are left out (below one percent); nothing counts as read before.
 */
export function answerFlops(
  config: DecoderConfig,
  { promptTokens, newTokens }: Pick<Spent, 'promptTokens' | 'newTokens'>,
): number {
  const made = Math.max(1, newTokens)
  return (
    vectorFlops(config, promptTokens + made - 1, config.layers.length) + made * 2 * config.hiddenSize * config.vocabSize
  )
}

/** Operations of `layers` blocks over so many tokens. */
export function vectorFlops(config: DecoderConfig, tokens: number, layers: number): number {
  return branchFlops(config, tokens).reduce((sum, { block, flops }) => (block < layers ? sum + flops : sum), 0)
}

/** A call of the model that the record tells of; without the model's shapes its operations are NaN. */
export function spentOn(
  record: GateRecord,
  on: keyof NonNullable<GateRecord['spent']>,
  config?: DecoderConfig,
): { seconds: number; flops: number } {
  const spent = record.spent?.[on]
  if (spent === undefined) return { seconds: Number.NaN, flops: Number.NaN }
  return { seconds: spent.seconds, flops: config === undefined ? Number.NaN : answerFlops(config, spent) }
}

/**
 * Means over `records` of which `retrieve` says what is looked up. `decide`: what deciding takes. `hasAnswer`: deciding has made the answer without
 * documents, which then costs nothing more. Null where the records do not tell seconds.
 */
export function gateCost(
  records: readonly GateRecord[],
  retrieve: readonly boolean[],
  { decide, hasAnswer = false, config }: { decide: PartOf; hasAnswer?: boolean; config?: DecoderConfig | undefined },
): GateCost | null {
  const mean = (of: PartOf): Cost => {
    const all = records.map(of)
    const over = (value: (one: { seconds: number; flops: number }) => number): number =>
      all.reduce((sum, one) => sum + value(one), 0) / all.length
    const flops = over((one) => one.flops)
    return { seconds: over((one) => one.seconds), flops: Number.isNaN(flops) ? null : flops }
  }
  const nothing = { seconds: 0, flops: 0 }
  const cost: GateCost = {
    decision: mean(decide),
    retrieval: mean((record, i) =>
      retrieve[i] ? { seconds: record.spent?.search?.seconds ?? Number.NaN, flops: 0 } : nothing,
    ),
    answer: mean((record, i) => {
      if (retrieve[i]) return spentOn(record, 'retrieved', config)
      return hasAnswer ? nothing : spentOn(record, 'closed', config)
    }),
  }
  return Object.values(cost).some(({ seconds }) => Number.isNaN(seconds)) ? null : cost
}
