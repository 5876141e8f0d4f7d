// Which weights of the model move, and what is written of them: the whole model, or an adapter beside a frozen base.

import type { WrittenFile } from '../../checkpoint/atomic-write.ts'
import { loadDecoder } from '../../checkpoint/load.ts'
import { saveDecoder } from '../../checkpoint/save.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { TrainConfig } from '../config/schema.ts'
import type { Output } from '../output.ts'
import { loraTuning } from './lora-tuning.ts'
import { modelOf } from './model-of.ts'

export interface Finetuning {
  /** What is trained requires a gradient, the rest does not. */
  readonly model: Decoder
  /** Multiplies the learning rate of a parameter. */
  readonly rateOf?: (name: string) => number
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
  if (config.finetuning !== 'full') {
    const base = modelOf(config, tokenizer, device)
    try {
      stopAlsoAt(base, stopTokenIds)
      return loraTuning(base, config, resumeFrom, output)
    } catch (error) {
      base.free()
      throw error
    }
  }
  const model = modelOf(config, tokenizer, device, resumeFrom)
  stopAlsoAt(model, stopTokenIds)
  return fullTuning(model)
}

function stopAlsoAt({ config }: Decoder, ids: readonly number[]): void {
  Object.assign(config, { eosTokenIds: [...new Set([...config.eosTokenIds, ...ids])] })
}

function fullTuning(model: Decoder): Finetuning {
  for (const [, parameter] of model.parameters()) parameter.requiresGrad = true
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
