// Soft prompts ↔ PEFT directories: one tensor `prompt_embeddings`, [n, D], without a prefix.
import { readAdapter, writeAdapter } from '../../checkpoint/adapter/adapter.ts'
import type { PromptFile } from '../../checkpoint/adapter/adapter-config.ts'
import { InputError } from '../../errors.ts'
import type { WrittenFile } from '../../files/atomic-write.ts'
import type { Decoder } from '../../model/decoder.ts'
import { putSoftTokens } from '../../model/soft-tokens.ts'
import { scope } from '../../torch/index.ts'
import { promptOf } from './prompt-tuning.ts'

const TENSOR = 'prompt_embeddings'

/** How a prompt began, as PEFT records it; a text needs the tokenizer's name as well, or PEFT refuses the directory. */
export type PromptStart = Pick<PromptFile, 'prompt_tuning_init' | 'prompt_tuning_init_text' | 'tokenizer_name_or_path'>

/** Makes the prompt in `directory` the model's, frozen unless `trainable`. An InputError leaves the model as it was. */
export function loadPrompt(model: Decoder, directory: string, options: { trainable?: boolean } = {}): PromptFile {
  const { config, embedding } = scope(() => {
    const { config, tensors } = readAdapter(directory)
    const where = `adapter in ${directory}`
    if (config.peft_type !== 'PROMPT_TUNING')
      throw new InputError(`${where}: expected a soft prompt, got ${config.peft_type}. Load it as that`)
    const stored = tensors.get(TENSOR)
    const { num_virtual_tokens: count, token_dim: width } = config
    if (stored === undefined || tensors.size !== 1 || stored.shape.join() !== `${count},${width}`)
      throw new InputError(
        `${where}: expected one tensor ${TENSOR} [${count}, ${width}], got ${Array.from(tensors, ([name, { shape }]) => `${name} [${shape.join(', ')}]`).join(', ') || 'none'}`,
      )
    if (width !== model.config.hiddenSize)
      throw new InputError(
        `${where}: token_dim: expected ${model.config.hiddenSize}, the model's hidden size, got ${width}. It belongs to another model`,
      )
    return { config, embedding: stored.to(model.device).keep() }
  })
  putSoftTokens(model, embedding, { trainable: options.trainable ?? false })
  return config
}

/** Writes the model's prompt into `directory`, which must exist, as PEFT does; `notices` say who cannot use it. */
export function savePrompt(
  model: Decoder,
  directory: string,
  options: { baseModel?: string | null; start?: PromptStart } = {},
): { files: WrittenFile[]; notices: string[] } {
  const { embedding, length } = promptOf(model)
  const { hiddenSize, layers } = model.config
  const config: PromptFile = {
    peft_type: 'PROMPT_TUNING',
    base_model_name_or_path: options.baseModel ?? null,
    num_virtual_tokens: length,
    token_dim: hiddenSize,
    num_layers: layers.length,
    num_attention_heads: layers.find(({ attention }) => attention !== null)?.attention?.numAttentionHeads ?? null,
    ...(options.start ?? {
      prompt_tuning_init: 'RANDOM',
      prompt_tuning_init_text: null,
      tokenizer_name_or_path: null,
    }),
  }
  const notices = ['vLLM and llama.cpp do not load soft prompts, and a prompt cannot be merged into the weights']
  return { files: writeAdapter(directory, config, [[TENSOR, embedding]], notices), notices }
}
