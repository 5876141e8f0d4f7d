// Gradients over the calibration data, for some layers at a time: sums in f32 for a whole model would take as much memory again as the
// weights, twice with squares. A pass over the data per chunk of layers buys that memory with time.
import type { Batch } from '../../data/batch.ts'
import type { Decoder } from '../../model/decoder.ts'
import { withoutDropout } from '../../model/without-dropout.ts'
import { probeGradients } from '../../probe/gradients.ts'
import { ops, scope, type Tensor } from '../../torch/index.ts'
import { languageModeling } from '../../train/objective.ts'
import { type Count, turn, type Watch } from '../../work.ts'
import type { GroupSet } from './groups.ts'

/** What the calibration batches say of one parameter. */
export interface Evidence {
  /** Mean over the batches of ∂L/∂W, L the mean loss of a batch's tokens; f32. */
  readonly gradient: Tensor
  /** Mean over the batches of (∂L/∂W)², f32; null where nobody asked. */
  readonly square: Tensor | null
}

/** Consecutive sets whose gradients fit into `bytes`; at least one layer each. */
export function chunkByLayer(sets: readonly GroupSet[], bytes: number, withSquares: boolean): GroupSet[][] {
  const chunks: GroupSet[][] = []
  let used = 0
  for (const set of sets) {
    const need = set.members.reduce((sum, { linear }) => sum + linear.weight.numel, 0) * (withSquares ? 8 : 4)
    const last = chunks.at(-1)
    if (last !== undefined && (used + need <= bytes || last.at(-1)!.layer === set.layer)) {
      last.push(set)
      used += need
    } else {
      chunks.push([set])
      used = need
    }
  }
  return chunks
}

/**
 * Runs the batches forward and backward for the parameters of `sets` alone and hands what they say to `use`. Which parameters
 * require a gradient, and their gradients, are afterwards as before; dropout is off.
 */
export async function withGradients<T>(
  model: Decoder,
  sets: readonly GroupSet[],
  calibration: readonly Batch[],
  options: { squares: boolean; count: Count; watch?: Watch | undefined },
  use: (evidence: (parameter: Tensor) => Evidence) => T,
): Promise<T> {
  const parameters = sets.flatMap(({ members }) =>
    members.flatMap(({ linear }) => (linear.bias === null ? [linear.weight] : [linear.weight, linear.bias])),
  )
  const zeros = (): Tensor[] =>
    parameters.map((parameter) => ops.zeros(parameter.shape, 'f32', null, parameter.device).keep())
  const gradients = zeros()
  const squares = options.squares ? zeros() : []
  const all = [...model.parameters()].map(([, parameter]) => parameter)
  const trained = all.filter((parameter) => parameter.requiresGrad)
  for (const parameter of all) parameter.requiresGrad = false
  for (const parameter of parameters) parameter.requiresGrad = true
  try {
    for (const batch of calibration) {
      withoutDropout(model, () =>
        scope(() => {
          const objective = languageModeling()
          const found = probeGradients(parameters, null, () =>
            objective.forward(model, batch).loss.div(objective.weight(batch)),
          )
          for (const [k, gradient] of found.entries()) {
            if (gradient === null) continue
            const exact = gradient.to('f32')
            gradients[k]!.add_(exact, 1 / calibration.length)
            squares[k]?.add_(ops.square(exact), 1 / calibration.length)
          }
        }),
      )
      options.count.add()
      await turn(options.watch)
    }
    const evidence = new Map(
      parameters.map((parameter, k) => [parameter, { gradient: gradients[k]!, square: squares[k] ?? null }]),
    )
    return use((parameter) => evidence.get(parameter)!)
  } finally {
    for (const parameter of all) parameter.requiresGrad = false
    for (const parameter of trained) parameter.requiresGrad = true
    for (const tensor of [...gradients, ...squares]) tensor.free()
  }
}
