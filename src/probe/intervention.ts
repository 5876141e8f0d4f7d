// A change of a model that is made, measured and undone: what the probe engine tries one after the other. It changes how the model
// runs; files, configuration and training know nothing of it.
import type { Decoder } from '../model/decoder.ts'
import type { BranchRule } from '../nn/branch.ts'

/** A change of a model that can be put on and taken off again. */
export interface Intervention {
  /** What tables and journals call it; no two of one table share it. */
  readonly name: string
  /** The lowest block that it changes: hidden states that enter this block are as without it. */
  readonly firstBlock: number
  /** Makes the change; the function returned undoes it. */
  apply(model: Decoder): () => void
}

/** One residual branch: the attention or the MLP of a block. */
export interface BranchPlace {
  readonly block: number
  readonly kind: 'attention' | 'mlp'
}

/** Leaves branches out: each adds nothing to the residual stream. A block without both is the identity. */
export function withoutBranches(name: string, places: readonly BranchPlace[]): Intervention {
  return {
    name,
    firstBlock: Math.min(...places.map(({ block }) => block)),
    apply: (model) => {
      const undo = places.map(({ block, kind }) => {
        const { attention, feedForward } = model.model.layers[block]!
        const { rules } = kind === 'attention' ? attention : feedForward
        const leaveOut: BranchRule = () => null
        rules.unshift(leaveOut)
        return () => void rules.splice(rules.indexOf(leaveOut), 1)
      })
      return () => {
        for (const one of undo) one()
      }
    },
  }
}

/** Leaves a whole block out. */
export function withoutBlock(block: number): Intervention {
  return withoutBranches(`block ${block}`, [
    { block, kind: 'attention' },
    { block, kind: 'mlp' },
  ])
}

/** The model as it is. */
export const unchanged: Intervention = { name: 'unchanged', firstBlock: 0, apply: () => () => {} }
