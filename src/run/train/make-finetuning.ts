// Configuration → the model ready for training: the whole of it, some layers, or an adapter beside a frozen base.

import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import { isHeadedStage } from '../../config/encoder-keys.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { readGenerationConfig } from '../../infer/generation-config.ts'
import { freezeExcept } from '../../methods/freeze/freeze.ts'
import type { AnyModel } from '../../model/any-model.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { ModelConfig } from '../../model/encoder/config.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { Finetuning } from './finetuning.ts'
import { headedModel } from './headed-model.ts'
import { headedLora, reload, wholeTuning } from './headed-tuning.ts'
import { inKeys } from './in-keys.ts'
import { loraTuning } from './lora-tuning.ts'
import { freshConfigOf, modelOf } from './model-of.ts'
import { softPromptTuning } from './soft-prompt-tuning.ts'
import type { StageData } from './stage-data.ts'
import { stopAlsoAt } from './stop-tokens.ts'

/** What a model is made from besides the configuration. */
export interface ModelMaking {
  readonly tokenizer: Tokenizer
  readonly described: ModelConfig
  readonly data: Pick<StageData, 'stopTokenIds' | 'labels'>
  readonly device: string
  readonly resumeFrom: string | undefined
  readonly notice: (message: string) => void
}

/** Makes the model ready for training, from the start or as a checkpoint has it; it also ends at the data's `stopTokenIds`. */
export function makeFinetuning(config: TrainConfig, making: ModelMaking): Finetuning {
  if (isHeadedStage(config.stage)) return headedTuning(config, making)
  const { tokenizer, device, resumeFrom } = making
  const { stopTokenIds } = making.data
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

/** A classifier, or a model that says what was hidden. */
function headedTuning(
  config: TrainConfig,
  { tokenizer, described, data, device, resumeFrom, notice }: ModelMaking,
): Finetuning {
  const labels = data.labels ?? []
  const make = (): AnyModel =>
    headedModel(config, freshConfigOf(config, tokenizer, labels) ?? described, tokenizer, {
      labels,
      device,
      tell: notice,
    })
  if (config.finetuning === 'full')
    return wholeTuning(resumeFrom === undefined ? make() : reload(resumeFrom, config, device), config)
  const model = make()
  try {
    return headedLora(model, config, resumeFrom)
  } catch (error) {
    model.free()
    throw error
  }
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
