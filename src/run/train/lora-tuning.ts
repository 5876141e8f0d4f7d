// Fine-tuning with LoRA or DoRA: the base stays as it is on disk, and checkpoints and results are PEFT adapters.

import { join } from 'node:path'
import { type AdapterFile, parseAdapterConfig } from '../../checkpoint/adapter/adapter-config.ts'
import { readTensors } from '../../checkpoint/model-directory/read-tensors.ts'
import { writeSafetensors } from '../../checkpoint/safetensors/safetensors-write.ts'
import { tensorSource } from '../../checkpoint/safetensors/tensor-bytes.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { UsageError } from '../../errors.ts'
import type { WrittenFile } from '../../files/atomic-write.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { needsReference } from '../../methods/dpo/losses.ts'
import { loadLora, saveLora } from '../../methods/lora/adapter-files.ts'
import { addLora, loraPlus, withAdapters } from '../../methods/lora/lora.ts'
import { scaleOf } from '../../methods/lora/lora-linear.ts'
import type { AnyModel } from '../../model/any-model.ts'
import type { Decoder } from '../../model/decoder.ts'
import { noGrad, scope, type Tensor } from '../../torch/index.ts'
import type { Finetuning } from './finetuning.ts'
import { inKeys } from './in-keys.ts'
import { saveStops } from './stop-tokens.ts'

/** Our options of LoRA by the keys that people wrote. */
const LORA_KEYS = {
  r: 'lora_r',
  loraAlpha: 'lora_alpha',
  loraDropout: 'lora_dropout',
  targetModules: 'lora_target_modules',
}

/** The adapter's tensors as they are trained. PEFT's files fuse those of some families, and could not be gone on with. */
const STEM = 'trainable'
const BEST = 'best'
/** The adapter as the run starts from it, frozen, where preferences are compared with it. */
const START = 'start'

/** Puts a new adapter on `model`, as `config` describes it. */
export function addConfiguredLora(model: AnyModel, config: TrainConfig): void {
  // `completeDefaults` has filled in all of these.
  inKeys(LORA_KEYS, () =>
    addLora(model, {
      r: config.lora_r!,
      loraAlpha: config.lora_alpha!,
      loraDropout: config.lora_dropout!,
      targetModules: config.lora_target_modules!,
      useRslora: config.use_rslora!,
      useDora: config.use_dora!,
      seed: config.seed,
    }),
  )
}

/** Puts the adapter of the configuration on `model`, with the values that the checkpoint `resumeFrom` has. */
export function loraTuning(model: Decoder, config: TrainConfig, resumeFrom: string | undefined): Finetuning {
  const { adapter_name_or_path: start } = config
  const hasReference = config.stage === 'dpo' && needsReference(config.loss_type!)
  const keepsStart = start !== undefined && hasReference && config.ref_model === undefined
  if (start !== undefined) {
    if (keepsStart) loadLora(model, start, { name: START })
    loadLora(model, start, { trainable: true })
  } else addConfiguredLora(model, config)
  const trained = new Map([...model.parameters()].filter(([, parameter]) => parameter.requiresGrad))
  if (resumeFrom !== undefined) {
    if (start === undefined) checkScale(resumeFrom, config) // one to go on from has its own
    restore(resumeFrom, trained)
  }
  const baseModel = config.model_name_or_path!
  return {
    model,
    withStart: (body) => withAdapters(model, keepsStart ? [START] : [], body),
    ...(config.loraplus_lr_ratio !== undefined && { rateOf: loraPlus(config.loraplus_lr_ratio) }),
    save: (directory, isResumable) => [
      ...saveLora(model, directory, { baseModel }).files,
      ...saveStops(model, directory),
      ...(isResumable ? [saveTrained(directory, trained)] : []),
    ],
    saveFinal(directory, best) {
      if (best !== undefined) loadLora(model, best, { name: BEST })
      const { notices } = saveLora(model, directory, { baseModel, ...(best !== undefined && { name: BEST }) })
      saveStops(model, directory)
      return notices
    },
  }
}

function saveTrained(directory: string, trained: ReadonlyMap<string, Tensor>): WrittenFile {
  const sources = Array.from(trained, ([name, tensor]) => tensorSource(name, tensor.detach()))
  return writeSafetensors(join(directory, `${STEM}.safetensors`), sources)
}

function restore(directory: string, trained: ReadonlyMap<string, Tensor>): void {
  const other = (name: string, expected: string, got: string): UsageError =>
    new UsageError(
      `resume_from_checkpoint: ${name} in ${directory}: expected ${expected} as configured, got ${got}. Resume with the LoRA that the run began with`,
    )
  readTensors(directory, STEM, ({ tensors, read }) => {
    for (const name of tensors.keys()) if (!trained.has(name)) throw other(name, 'no adapter', 'one')
    for (const [name, tensor] of trained) {
      const info = tensors.get(name)
      if (info?.shape.join() !== tensor.shape.join())
        throw other(name, `[${tensor.shape}]`, info === undefined ? 'nothing' : `[${info.shape}]`)
      scope(() => noGrad(() => tensor.copy_(read(name))))
    }
  })
}

/** A resumed adapter at another scale would be another model, although every tensor fits. PEFT's files of fused modules keep the scale. */
function checkScale(directory: string, { lora_r, lora_alpha, use_rslora }: TrainConfig): void {
  const file = join(directory, 'adapter_config.json')
  const stored: AdapterFile = parseAdapterConfig(readJsonFile(file), file)
  if (stored.peft_type !== 'LORA') return // its tensors do not fit
  const wanted = scaleOf({ alpha: lora_alpha!, useRslora: use_rslora! }, lora_r!)
  const got = scaleOf({ alpha: stored.lora_alpha, useRslora: stored.use_rslora }, stored.r)
  // Another rank is said with the tensor that it does not fit.
  if (Math.abs(wanted / got - 1) < 1e-6 || stored.r !== lora_r) return
  throw new UsageError(
    `resume_from_checkpoint: scale of the adapter in ${directory}: expected ${wanted} as configured (lora_alpha ${lora_alpha}, use_rslora ${use_rslora}), got ${got} (lora_alpha ${stored.lora_alpha}, use_rslora ${stored.use_rslora}). Resume with the LoRA that the run began with`,
  )
}
