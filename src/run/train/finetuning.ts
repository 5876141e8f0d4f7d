// Which weights of the model move, and what is written of them: the whole model, or an adapter beside a frozen base.

import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import type { Output } from '../../cli/output.ts'
import type { TrainConfig } from '../../config/schema.ts'
import type { WrittenFile } from '../../files/atomic-write.ts'
import type { EngineParts } from '../../infer/engine.ts'
import { freezeExcept } from '../../methods/freeze/freeze.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { Objective } from '../../train/objective.ts'
import { loraTuning } from './lora-tuning.ts'
import { modelOf } from './model-of.ts'
import { softPromptTuning } from './soft-prompt-tuning.ts'
import { stopAlsoAt } from './stop-tokens.ts'

export interface Finetuning {
  /** What is trained requires a gradient, the rest does not. */
  readonly model: Decoder
  /** Multiplies the learning rate of a parameter. */
  readonly rateOf?: (name: string) => number
  /** `body()` with the model as it was before this tuning, where that takes no second copy: with its adapter off. */
  readonly withBase?: <T>(body: () => T) => T
  /** The stage's objective on the model as it is tuned. */
  readonly objective?: (objective: Objective) => Objective
  /** What generates with the tuned model; default the model alone. */
  readonly reader?: Pick<EngineParts, 'model' | 'prefix'>
  /** Writes the weights into a checkpoint; `isResumable` adds what going on bit for bit needs. */
  save(directory: string, isResumable: boolean): WrittenFile[]
  /** Writes the result: the weights as they are now, or those of the checkpoint `best`. */
  saveFinal(directory: string, best: string | undefined): void
}

/** Makes the model ready for training, from the start or as the checkpoint `resumeFrom` has it; it also ends at `stopTokenIds`. */
export function finetuningOf(
  config: TrainConfig,
  tokenizer: Tokenizer,
  stopTokenIds: readonly number[],
  device: string,
  resumeFrom: string | undefined,
  output: Output,
): Finetuning {
  if (config.finetuning !== 'full' && config.finetuning !== 'freeze') {
    const base = modelOf(config, tokenizer, device)
    try {
      stopAlsoAt(base, stopTokenIds)
      if (config.finetuning === 'prompt') return softPromptTuning(base, config, tokenizer, resumeFrom, output)
      return loraTuning(base, config, resumeFrom, output)
    } catch (error) {
      base.free()
      throw error
    }
  }
  const model = modelOf(config, tokenizer, device, resumeFrom)
  stopAlsoAt(model, stopTokenIds)
  if (config.finetuning === 'freeze') freezeOthers(model, config)
  else for (const [, parameter] of model.parameters()) parameter.requiresGrad = true
  return wholeModel(model)
}

function freezeOthers(model: Decoder, config: TrainConfig): void {
  try {
    freezeExcept(model, {
      layers: config.freeze_trainable_layers!,
      modules: config.freeze_trainable_modules!,
      extraModules: config.freeze_extra_modules!,
    })
  } catch (error) {
    model.free()
    throw error
  }
}

function wholeModel(model: Decoder): Finetuning {
  return {
    model,
    save: (directory) => saveDecoder(model, directory),
    saveFinal(directory, best) {
      if (best === undefined) {
        saveDecoder(model, directory)
        return
      }
      const chosen = loadDecoder(best)
      saveDecoder(chosen, directory)
      chosen.free()
    },
  }
}
