// The probe engine: (batches × interventions) → numbers. Each cell is the model under one intervention on one batch. Cells that a
// store has are not measured again; random numbers, gradient mode and the model are afterwards as before.
import type { Batch } from '../data/batch.ts'
import type { Call } from '../model/block.ts'
import type { Decoder } from '../model/decoder.ts'
import { withoutDropout } from '../model/without-dropout.ts'
import { noGrad, scope, type Tensor } from '../torch/index.ts'
import { decoderInput } from '../train/objective.ts'
import { type Count, turn, type Watch } from '../work.ts'
import type { Intervention } from './intervention.ts'
import type { Metric } from './metric.ts'

/** Keeps the numbers of cells; a `Journal` keeps them on disk. */
export interface CellStore {
  get(key: string): number[] | undefined
  append(key: string, numbers: number[]): void
}

/** What measuring is given besides: who is told, when to stop, and where the numbers are kept, such as a `Journal` on disk. */
export interface MeasureWatch extends Watch {
  readonly cells?: CellStore | undefined
}

/** Which interventions to measure on which batches, and by what. */
export interface Probe {
  model: Decoder
  batches: readonly Batch[]
  metric: Metric
  /** Takes every cell, and gives those of an earlier run. */
  cells?: CellStore | undefined
  /** Sets this table apart from others in the same store. */
  label?: string
  /** False runs every cell from the embedding on; the numbers are the same. */
  reuse?: boolean
  /** Counts cells as they are settled. */
  count?: Count | undefined
  /** Stops the measuring between two batches; what was measured is in `cells`. */
  watch?: Watch | undefined
}

/** The numbers of every intervention (outer) on every batch (inner). Throws the reason of an abort between two batches. */
export async function probeTable(probe: Probe, interventions: readonly Intervention[]): Promise<number[][][]> {
  const table = interventions.map((): number[][] => [])
  for (const index of probe.batches.keys()) {
    for (const [i, numbers] of probeBatch(probe, index, interventions).entries()) table[i]!.push(numbers)
    await turn(probe.watch)
  }
  return table
}

/** The numbers of every intervention on batch `index`. */
export function probeBatch(probe: Probe, index: number, interventions: readonly Intervention[]): number[][] {
  const { cells, label = '', count } = probe
  const keyOf = ({ name }: Intervention): string => `${label}/${name}/${index}`
  const found = interventions.map((one) => cells?.get(keyOf(one)))
  const missing = [...found.keys()].filter((i) => found[i] === undefined)
  // Lowest first, so that the states that enter a block are made once.
  missing.sort((a, b) => interventions[a]!.firstBlock - interventions[b]!.firstBlock)
  if (missing.length < interventions.length) count?.add(interventions.length - missing.length)
  if (missing.length > 0)
    measureCells(probe, index, missing, interventions, (i, numbers) => {
      cells?.append(keyOf(interventions[i]!), numbers)
      found[i] = numbers
      count?.add()
    })
  return found as number[][]
}

function measureCells(
  { model, batches, metric, reuse = true }: Probe,
  index: number,
  order: readonly number[],
  interventions: readonly Intervention[],
  take: (i: number, numbers: number[]) => void,
): void {
  const batch = batches[index]!
  const { generator } = model
  const state = generator?.getState()
  noGrad(() =>
    scope(() => {
      const prefix = new Prefix(model, batch)
      try {
        for (const i of order) {
          const intervention = interventions[i]!
          const undo = intervention.apply(model)
          try {
            const hidden = (): Tensor => prefix.hidden(reuse ? intervention.firstBlock : 0)
            const numbers = scope(() => metric.measure(hidden, batch, index))
            take(i, numbers)
          } finally {
            undo()
            if (state !== undefined) generator!.setState(state)
          }
        }
      } finally {
        prefix.free()
      }
    }),
  )
}

/** Hidden states of one batch that only ever move up: one tensor is held, however many blocks there are. */
class Prefix {
  private readonly model: Decoder
  private readonly call: Call
  private states: Tensor
  private block = 0

  constructor(model: Decoder, batch: Batch) {
    const { states, call } = withoutDropout(model, () => model.enter(decoderInput(batch, model.device)))
    this.model = model
    this.call = call
    this.states = states.keep()
  }

  /** Hidden states after the last norm; those that enter block `from` are made at most once. */
  hidden(from: number): Tensor {
    const { model, call } = this
    const next = scope(() => model.runBlocks(this.states, call, this.block, from))
    if (next !== this.states) {
      this.states.free()
      this.states = next.keep()
    }
    this.block = Math.max(this.block, from)
    return model.model.norm.forward(model.runBlocks(this.states, call, this.block))
  }

  free(): void {
    this.states.free()
  }
}
