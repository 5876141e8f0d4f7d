// M¹: how little a unit turns the residual stream, 1 − cos(what enters it, what leaves it), summed over tokens. One pass, no search.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import type { BranchRule } from '../../nn/branch.ts'
import type { CellStore } from '../../probe/probe.ts'
import { noGrad, scope, type Tensor } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import { type Count, turn, type Watch } from '../../work.ts'
import type { Unit } from './unit.ts'

/** The sum over all tokens of all batches for each unit. */
export async function blockInfluence(
  model: Decoder,
  batches: readonly Batch[],
  units: readonly Unit[],
  { cells, count, watch }: { cells: CellStore; count: Count; watch: Watch },
): Promise<number[]> {
  const sums = units.map(() => 0)
  for (const [index, batch] of batches.entries()) {
    const key = `cosine/${units.map(({ name }) => name).join(', ')}/${index}`
    const known = cells.get(key)
    const numbers = known ?? influenceOn(model, batch, units)
    if (known === undefined) cells.append(key, numbers)
    for (const [i, number] of numbers.entries()) sums[i]! += number
    count.add()
    await turn(watch)
  }
  return sums
}

function influenceOn(model: Decoder, batch: Batch, units: readonly Unit[]): number[] {
  const { layers } = model.model
  const found = new Map<string, number>()
  const note = (kind: string, block: number, x: Tensor, y: Tensor): void =>
    void found.set(`${kind} ${block}`, distance(x, y))
  // A branch's rule sees the residual stream that enters it, and what it adds.
  const taps = units
    .filter(({ kinds }) => kinds.length === 1)
    .map(({ block, kinds: [kind] }) => {
      const { attention, feedForward } = layers[block]!
      const tap: BranchRule = (x, next) => {
        const y = next(x)
        if (y !== null) note(kind!, block, x, x.add(y))
        return y
      }
      return { rules: (kind === 'attention' ? attention : feedForward).rules, tap }
    })
  for (const { rules, tap } of taps) rules.unshift(tap)
  try {
    noGrad(() =>
      scope(() => {
        const { states, call } = withoutDropout(model, () => model.enter(decoderInput(batch, model.device)))
        model.eachBlock(states, call, (block, entering, leaving) => note('block', block, entering, leaving))
      }),
    )
  } finally {
    for (const { rules, tap } of taps) rules.splice(rules.indexOf(tap), 1)
  }
  return units.map(({ name }) => found.get(name)!)
}

/** Σ over tokens of 1 − cos(x, y), both [B, T, D]. */
function distance(x: Tensor, y: Tensor): number {
  return scope(() => {
    const [a, b] = [x.to('f32'), y.to('f32')]
    const norms = a.mul(a).sum(-1).mul(b.mul(b).sum(-1)).sqrt()
    return a.numel / a.size(-1) - a.mul(b).sum(-1).div(norms).sum().item()
  })
}
