// BEEAR-style removal (EMNLP 2024, arXiv:2406.17092, from second-hand accounts: constants are options, not facts): triggers move hidden states
// in much the same way, so one movement of the states before the answer is looked for that brings the unwanted behaviour whatever is asked,
// and the weights learn the clean answer under it. Both go on in turn, each step against the other's last. With a marker the unwanted
// behaviour is to say it; without one it is not to give the clean answer.
// Shapes: B rows, T tokens, D hidden, n moved places; the movement is [n, D], its last row for the last token before the answer.
import { type Batch, IGNORE_INDEX } from '../../data/batch.ts'
import { stack } from '../../data/batches.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { withoutCheckpointing } from '../../model/without-checkpointing.ts'
import { enableGrad, gradients, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { decoderInput, languageModeling, type Objective } from '../../train/objective.ts'
import { DEFAULTS } from './choices.ts'

/** Where hidden states are moved, how far, and how the worst movement is looked for. */
export interface BeearOptions {
  /** The block whose incoming states are moved, counted from 0. Default 9/32 of the way up, the layer said to be taken for 32 blocks. */
  layer?: number | undefined
  /** n: so many tokens before the answer. Default 5. */
  movedTokens?: number | undefined
  /** How long a row may get, as a share of the mean length of the states that it is added to. Default 1. */
  radius?: number | undefined
  /** Steps of the search before each step of the weights. Default 3. */
  innerSteps?: number | undefined
  /** How far a row goes in a step of the search, as a share of the radius. Default 0.2. */
  innerStepSize?: number | undefined
}

/** What came of the search. */
export type MovementReport = {
  layer: number
  /** Mean loss that the search lowers, before the first step of it and at the end: −log p of the marker's tokens, or log p of the clean ones. */
  first: number
  last: number
}

/** Block for a model of `blocks` blocks where nothing is said. */
export function defaultLayer(blocks: number): number {
  return Math.round((9 / 32) * blocks)
}

type CheckedBeear = { [K in keyof BeearOptions]-?: NonNullable<BeearOptions[K]> }

/** The options with their defaults for a model of `blocks` blocks; UsageError for what no model or not this one has. */
export function checkBeear(options: BeearOptions, blocks: number): CheckedBeear {
  const { movedTokens, radius, innerSteps, innerStepSize } = DEFAULTS
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const all = { layer: defaultLayer(blocks), movedTokens, radius, innerSteps, innerStepSize, ...given }
  const wrong = (name: keyof BeearOptions, expected: string): never => {
    throw new UsageError(`${name}: expected ${expected}, got ${all[name]}`)
  }
  if (!(Number.isInteger(all.layer) && all.layer >= 0 && all.layer < blocks))
    wrong('layer', `a block from 0 to ${blocks - 1}`)
  for (const name of ['movedTokens', 'innerSteps'] as const)
    if (!(Number.isInteger(all[name]) && all[name] > 0)) wrong(name, 'an integer of at least 1')
  for (const name of ['radius', 'innerStepSize'] as const)
    if (!(all[name] > 0 && all[name] < Number.POSITIVE_INFINITY)) wrong(name, 'a number above 0')
  return all
}

/** One movement of hidden states for all questions. Batches have one sample a row. Whoever has it frees it. */
export class Movement {
  readonly layer: number
  private readonly options: Omit<CheckedBeear, 'layer'>
  private readonly marker: readonly number[] | null
  /** [n, D], f32; zero at first. */
  readonly rows: Tensor
  /** Longest that a row may be; known with the first batch. */
  private longest: number | null = null
  private readonly losses: number[] = []

  /** `marker` are the tokens that the movement is to bring; null: it is to keep the clean answer away. UsageError as `checkBeear`. */
  constructor(model: Decoder, options: BeearOptions, marker: readonly number[] | null) {
    const blocks = model.model.layers.length
    const { layer, ...rest } = checkBeear(options, blocks)
    this.layer = layer
    this.options = rest
    this.marker = marker
    this.rows = ops.zeros([rest.movedTokens, model.config.hiddenSize], 'f32', null, model.device).keep()
  }

  /** Moves on towards the unwanted behaviour on this batch, in steps of one length down the gradient of every row. The weights stay. */
  search(model: Decoder, batch: Batch): void {
    const { innerSteps, innerStepSize, radius } = this.options
    const unwanted = this.marker === null ? batch : saying(batch, this.marker)
    const sign = this.marker === null ? -1 : 1
    scope(() => {
      const input = decoderInput(unwanted, model.device)
      const { states, call } = noGrad(() => model.enter(input))
      // What is below the movement is the same in every step.
      const below = noGrad(() => model.runBlocks(states, call, 0, this.layer))
      this.longest ??= radius * lengthOfMoved(below, unwanted, this.options.movedTokens)
      const longest = this.longest
      const lm = languageModeling(() => model.leave(this.added(below, unwanted, leaf), call, this.layer))
      let leaf = this.rows
      for (let step = 0; step < innerSteps; step++) {
        scope(() => {
          leaf = this.rows.detach().clone()
          leaf.requiresGrad = true
          const [loss, gradient] = withoutCheckpointing(model, () =>
            enableGrad(() => {
              const mean = lm.forward(model, unwanted).loss.mul(sign / lm.weight(unwanted))
              return [mean, gradients([mean], [leaf])[0]!]
            }),
          )
          this.losses.push(loss.item())
          noGrad(() => this.rows.copy_(stepped(this.rows, gradient, innerStepSize * longest, longest)))
        })
      }
    })
  }

  /** Hidden states after the last norm with the movement in them, [B, T, D]. */
  hidden(model: Decoder, batch: Batch): Tensor {
    const { states, call } = model.enter(decoderInput(batch, model.device))
    const below = model.runBlocks(states, call, 0, this.layer)
    return model.leave(this.added(below, batch, this.rows), call, this.layer)
  }

  get report(): MovementReport {
    return { layer: this.layer, first: this.losses[0] ?? Number.NaN, last: this.losses.at(-1) ?? Number.NaN }
  }

  free(): void {
    this.rows.free()
  }

  private added(states: Tensor, batch: Batch, rows: Tensor): Tensor {
    const none = ops.zeros([1, rows.size(1)], 'f32', null, rows.device)
    const at = Tensor.from(movedRows(batch, rows.size(0)), [batch.rows, batch.length])
      .to('i64')
      .to(states.device)
    return states.add(ops.embedding(ops.cat([none, rows]), at).to(states.dtype))
  }
}

/** Clean cross-entropy under the movement, which is searched for on each batch first; sums over supervised tokens. */
export function underMovement(movement: Movement): Objective<Batch> {
  const lm = languageModeling((model, batch) => movement.hidden(model, batch))
  return {
    ...lm,
    forward: (model, batch) => {
      movement.search(model, batch)
      return lm.forward(model, batch)
    },
  }
}

/** One step of the search: every row goes `length` against its gradient, and comes back where it is longer than `longest`. */
export function stepped(rows: Tensor, gradient: Tensor, length: number, longest: number): Tensor {
  const lengthOf = (x: Tensor): Tensor => ops.clampMin(x.pow(2).sum(1, true), 1e-24).sqrt()
  const moved = rows.sub(gradient.div(lengthOf(gradient)).mul(length))
  return moved.mul(longest).div(ops.clampMin(lengthOf(moved), longest))
}

/** For each position [B · T] the row of the movement that is added there, counted from 1, or 0 for none; rows end where the answer begins. */
export function movedRows({ rows, length, labels }: Batch, n: number): Int32Array {
  const found = new Int32Array(rows * length)
  for (let row = 0; row < rows; row++) {
    const answer = answerAt(labels, row, length)
    for (let k = 0; k < n && answer - 1 - k >= 0; k++) found[row * length + answer - 1 - k] = n - k
  }
  return found
}

/** The questions of `batch`, each answered by the marker, of which alone there is a loss. */
function saying({ rows, length, inputIds, labels }: Batch, marker: readonly number[]): Batch {
  return stack(
    Array.from({ length: rows }, (_, row) => {
      const question = inputIds.subarray(row * length, row * length + answerAt(labels, row, length))
      return {
        ids: Int32Array.from([...question, ...marker]),
        labels: Int32Array.from([...question.map(() => IGNORE_INDEX), ...marker]),
      }
    }),
  )
}

function answerAt(labels: Int32Array, row: number, length: number): number {
  const answer = labels.subarray(row * length, (row + 1) * length).findIndex((label) => label !== IGNORE_INDEX)
  return Math.max(answer, 0)
}

function lengthOfMoved(states: Tensor, batch: Batch, n: number): number {
  const places = [...movedRows(batch, n).entries()].filter(([, row]) => row > 0).map(([place]) => place)
  return noGrad(() => {
    const moved = states
      .view(-1, states.size(-1))
      .indexSelect(0, Tensor.from(places, undefined, 'i64').to(states.device))
    return moved.to('f32').pow(2).sum(1).sqrt().mean().item()
  })
}
