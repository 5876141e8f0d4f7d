// Configuration → the model ready for training: the whole of it, some layers, or an adapter beside a frozen base.

import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { readGenerationConfig } from '../../infer/generation-config.ts'
import { freezeExcept } from '../../methods/freeze/freeze.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { Finetuning } from './finetuning.ts'
import { inKeys } from './in-keys.ts'
import { loraTuning } from './lora-tuning.ts'
import { modelOf } from './model-of.ts'
import { softPromptTuning } from './soft-prompt-tuning.ts'
import { stopAlsoAt } from './stop-tokens.ts'

/** Makes the model ready for training, from the start or as the checkpoint `resumeFrom` has it; it also ends at `stopTokenIds`. */
export function makeFinetuning(
  config: TrainConfig,
  tokenizer: Tokenizer,
  stopTokenIds: readonly number[],
  device: string,
  resumeFrom: string | undefined,
): Finetuning {
  if (config.finetuning !== 'full' && config.finetuning !== 'freeze') {
    const { model: base } = modelOf(config, tokenizer, device)
    try {
      const { adapter_name_or_path: start } = config
      // The base's files do not say what an adapter to go on from has learnt to stop at.
      const learnt = start === undefined ? [] : (readGenerationConfig(start).eosTokenIds ?? [])
      stopAlsoAt(base, [...learnt, ...stopTokenIds])
      if (config.finetuning === 'prompt') return softPromptTuning(base, config, tokenizer, resumeFrom)
      return loraTuning(base, config, resumeFrom)
    } catch (error) {
      base.free()
      throw error
    }
  }
  const { model, merged } = modelOf(config, tokenizer, device, resumeFrom)
  stopAlsoAt(model, stopTokenIds)
  if (config.finetuning === 'freeze') freezeOthers(model, config)
  else model.trainable()
  return { ...wholeModel(model), merged }
}

const FREEZE_KEYS = {
  layers: 'freeze_trainable_layers',
  modules: 'freeze_trainable_modules',
  extraModules: 'freeze_extra_modules',
}

function freezeOthers(model: Decoder, config: TrainConfig): void {
  try {
    const options = {
      layers: config.freeze_trainable_layers!,
      modules: config.freeze_trainable_modules!,
      extraModules: config.freeze_extra_modules!,
    }
    inKeys(FREEZE_KEYS, () => freezeExcept(model, options))
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
        return []
      }
      const chosen = loadDecoder(best)
      saveDecoder(chosen, directory)
      chosen.free()
      return []
    },
  }
}
