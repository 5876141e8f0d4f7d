// Which branches have a backward pass at all. Below the lowest trained parameter no gradient flows, so there is nothing to drop: with
// freeze tuning or a LoRA on the upper layers such branches would take up the whole budget and save nothing.
import { BLOCK_NORMS } from '../../model/config.ts'
import type { Decoder } from '../../model/decoder.ts'

/** Where a parameter enters the pass: block −1 is the embedding. */
interface Place {
  block: number
  kind: 'attention' | 'mlp'
}

const IN_BLOCK = /^model\.layers\.(\d+)\.([^.]+)/

/**
 * Those of `branches`, bottom up, through which a gradient passes: branches with a trained parameter, and all above one. Without any
 * trained parameter nobody has decided yet, and all are.
 */
export function liveBranches<B extends Place>(model: Decoder, branches: readonly B[]): B[] {
  const trained = [...model.parameters()].filter(([, { requiresGrad }]) => requiresGrad)
  if (trained.length === 0) return [...branches]
  const places = trained.map(([path]) => placeOf(model, path)).filter((place) => place !== null)
  const isParallel = model.config.isParallelResidual
  return branches.filter(({ block, kind }) =>
    places.some(
      (place) =>
        place.block < block ||
        (place.block === block && (place.kind === kind || (place.kind === 'attention' && !isParallel))),
    ),
  )
}

/** Null for what comes after the last branch: the last norm and a head of its own. */
function placeOf(model: Decoder, path: string): Place | null {
  const [, number, part] = IN_BLOCK.exec(path) ?? []
  if (number === undefined) return /^(?:model\.norm|lm_head)\./.test(path) ? null : { block: -1, kind: 'attention' }
  const { beforeAttention, afterAttention } = BLOCK_NORMS[model.config.norm.placement]
  const isAttention = part === 'self_attn' || part === beforeAttention || part === afterAttention
  return { block: Number(number), kind: isAttention ? 'attention' : 'mlp' }
}
