// Fine-tuning with a soft prompt: the base stays as it is on disk, and checkpoints and results are PEFT directories.

import type { TrainConfig } from '../../config/schema.ts'
import { UsageError } from '../../errors.ts'
import { loadPrompt, type PromptStart, savePrompt } from '../../methods/prompt-tuning/prompt-files.ts'
import { addPrompt, promptOf, promptTuning } from '../../methods/prompt-tuning/prompt-tuning.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import type { Finetuning } from './finetuning.ts'
import { inKeys } from './in-keys.ts'
import { saveStops } from './stop-tokens.ts'

/** Gives `model` the soft prompt of the configuration, with the values that the checkpoint `resumeFrom` has. */
export function softPromptTuning(
  model: Decoder,
  config: TrainConfig,
  tokenizer: Tokenizer,
  resumeFrom: string | undefined,
): Finetuning {
  if (resumeFrom === undefined) begin(model, config, tokenizer)
  else goOn(model, config, resumeFrom)
  const { prompt_tuning_init, prompt_tuning_init_text: text = null } = config
  const start: PromptStart = {
    prompt_tuning_init: prompt_tuning_init!,
    prompt_tuning_init_text: text,
    tokenizer_name_or_path: text === null ? null : config.tokenizer_name_or_path!,
  }
  const write = (directory: string): ReturnType<typeof savePrompt> =>
    savePrompt(model, directory, { baseModel: config.model_name_or_path!, start })
  return {
    model,
    objective: promptTuning,
    reader: { model, prefix: promptOf(model).ids },
    save: (directory) => [...write(directory).files, ...saveStops(model, directory)],
    saveFinal(directory, best) {
      if (best !== undefined) loadPrompt(model, best)
      const { notices } = write(directory)
      saveStops(model, directory)
      return notices
    },
  }
}

function begin(model: Decoder, config: TrainConfig, tokenizer: Tokenizer): void {
  const { prompt_tuning_init_text: text } = config
  const options = {
    numVirtualTokens: config.num_virtual_tokens!,
    promptTuningInit: config.prompt_tuning_init!,
    seed: config.seed,
    ...(text !== undefined && { initTokenIds: Array.from(tokenizer.encode(text, { addSpecialTokens: false })) }),
  }
  const keys = { numVirtualTokens: 'num_virtual_tokens', initTokenIds: 'prompt_tuning_init_text' }
  inKeys(keys, () => addPrompt(model, options))
}

/** PEFT's file holds the vectors as they are trained, so it is all that going on needs. */
function goOn(model: Decoder, config: TrainConfig, directory: string): void {
  const { num_virtual_tokens: stored } = loadPrompt(model, directory, { trainable: true })
  if (stored !== config.num_virtual_tokens)
    throw new UsageError(
      `resume_from_checkpoint: num_virtual_tokens in ${directory}: expected ${config.num_virtual_tokens} as configured, got ${stored}. Resume with the prompt that the run began with`,
    )
}
