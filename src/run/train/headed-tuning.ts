// Training a classifier or a masked language model: all of its weights, or a LoRA beside frozen ones with the head. The result is a whole
// model either way, so that one directory is a classifier for everybody.
import { join } from 'node:path'
import { loadClassifier, saveModel } from '../../checkpoint/model-directory/classifier-directory.ts'
import { loadEncoder } from '../../checkpoint/model-directory/encoder-directory.ts'
import { readTensors } from '../../checkpoint/model-directory/read-tensors.ts'
import { writeSafetensors } from '../../checkpoint/safetensors/safetensors-write.ts'
import { tensorSource } from '../../checkpoint/safetensors/tensor-bytes.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { UsageError } from '../../errors.ts'
import type { WrittenFile } from '../../files/atomic-write.ts'
import { loraPlus } from '../../methods/lora/lora.ts'
import { mergeAndUnload } from '../../methods/lora/merge.ts'
import type { AnyModel } from '../../model/any-model.ts'
import { noGrad, scope, type Tensor } from '../../torch/index.ts'
import type { Finetuning } from './finetuning.ts'
import { addConfiguredLora } from './lora-tuning.ts'

/** What a checkpoint of a LoRA run has of the weights. */
const STEM = 'trainable'

/** The whole model, of which every weight moves. */
export function wholeTuning(model: AnyModel, config: TrainConfig): Finetuning {
  model.trainable()
  return {
    model,
    save: (directory) => saveModel(model, directory),
    saveFinal(directory, best) {
      const kept = best === undefined ? model : reload(best, config)
      saveModel(kept, directory)
      if (kept !== model) kept.free()
      return []
    },
  }
}

/** Loads what a checkpoint of a run of this configuration has. */
export function reload(directory: string, { stage }: TrainConfig, device = 'cpu'): AnyModel {
  return stage === 'mlm'
    ? loadEncoder(directory, { device, head: { kind: 'mlm' } })
    : loadClassifier(directory, { device })
}

/** Adapters beside the frozen matrices, and the head, which moves as a whole. They are merged at the end. */
export function headedLora(model: AnyModel, config: TrainConfig, resumeFrom: string | undefined): Finetuning {
  addConfiguredLora(model, config)
  const trained = new Map<string, Tensor>()
  for (const [path, parameter] of model.parameters()) {
    if (/^(?:head|score)\./.test(path)) parameter.requiresGrad = true
    if (parameter.requiresGrad) trained.set(path, parameter)
  }
  if (resumeFrom !== undefined) restore(resumeFrom, trained)
  return {
    model,
    ...(config.loraplus_lr_ratio !== undefined && { rateOf: loraPlus(config.loraplus_lr_ratio) }),
    save: (directory) => [saveTrained(directory, trained)],
    saveFinal(directory, best) {
      if (best !== undefined) restore(best, trained)
      mergeAndUnload(model)
      saveModel(model, directory)
      return ['the adapters are merged: the model is whole, and loads without them']
    },
  }
}

function saveTrained(directory: string, trained: ReadonlyMap<string, Tensor>): WrittenFile {
  const sources = Array.from(trained, ([name, tensor]) => tensorSource(name, tensor.detach()))
  return writeSafetensors(join(directory, `${STEM}.safetensors`), sources)
}

function restore(directory: string, trained: ReadonlyMap<string, Tensor>): void {
  readTensors(directory, STEM, ({ tensors, read }) => {
    for (const [name, tensor] of trained) {
      const got = tensors.get(name)?.shape
      if (got?.join() !== tensor.shape.join() || tensors.size !== trained.size)
        throw new UsageError(
          `resume_from_checkpoint: ${name} in ${directory}: expected [${tensor.shape}] as configured, got ${got === undefined ? 'nothing' : `[${got}]`}. Resume with the LoRA and the labels that the run began with`,
        )
      scope(() => noGrad(() => tensor.copy_(read(name))))
    }
  })
}
