// A model that is being tuned: which of its weights move, and what is written of them.

import type { LineageStep } from '../../checkpoint/model-directory/lineage.ts'
import type { Batch } from '../../data/batch.ts'
import type { WrittenFile } from '../../files/atomic-write.ts'
import type { EngineParts } from '../../infer/engine.ts'
import type { AnyModel } from '../../model/any-model.ts'
import type { Objective } from '../../train/objective.ts'

/** What a run minimises. */
export type RunObjective = Objective<Batch, AnyModel>

export interface Finetuning {
  /** What is trained requires a gradient, the rest does not. */
  readonly model: AnyModel
  /** What was done to the model on the way here: adapters merged into its weights. */
  readonly merged?: readonly LineageStep[]
  /** Multiplies the learning rate of a parameter. */
  readonly rateOf?: (name: string) => number
  /** `body()` with the model as the run starts from it, where that takes no second copy: with another adapter on, or none. */
  readonly withStart?: <T>(body: () => T) => T
  /** The stage's objective on the model as it is tuned. */
  readonly objective?: (objective: RunObjective) => RunObjective
  /** What generates with the tuned model; default the model alone. */
  readonly reader?: Pick<EngineParts, 'model' | 'prefix'>
  /** Writes the weights into a checkpoint; `isResumable` adds what going on bit for bit needs. */
  save(directory: string, isResumable: boolean): WrittenFile[]
  /** Writes the result: the weights as they are now, or those of the checkpoint `best`. Returns what people must know of it. */
  saveFinal(directory: string, best: string | undefined): readonly string[]
}
