// Options that generate, chat and score share. Data and plain functions only, so that `--help` loads no engine.

import { UsageError } from '../errors.ts'
import type { GenerateOptions } from '../lm/lm.ts'
import type { OptionValues } from './command.ts'

/** Which model, and where it runs. */
export const MODEL_OPTIONS = {
  model: {
    kind: 'text',
    value: 'MODEL',
    summary:
      'model directory (Hugging Face layout), .gguf file, adapter (PEFT layout), which stands for its model with it, or a name on the hub: ORG/NAME[@revision][:quantization]',
    required: true,
  },
  adapter: {
    kind: 'list',
    value: 'ADAPTER',
    summary: 'LoRA or soft prompt on top of it (PEFT layout), or its name on the hub',
  },
  device: {
    kind: 'choice',
    choices: ['auto', 'cpu', 'cuda'],
    summary: 'auto is cuda where there is one',
    default: 'auto',
  },
  dtype: {
    kind: 'choice',
    choices: ['auto', 'f32', 'bf16', 'f16'],
    summary: 'type of the weights; auto is f32 on a CPU and the stored type on cuda',
    default: 'auto',
  },
  threads: {
    kind: 'integer',
    value: 'N',
    summary: 'CPU threads; without it, one per core that this process may use',
    min: 1,
    max: 1024,
  },
} as const

/** How a text is continued. Defaults are in the summaries: they depend on generation_config.json, so none is set here. */
export const SAMPLING_OPTIONS = {
  'max-new-tokens': {
    kind: 'integer',
    value: 'N',
    summary: 'tokens to make at most (default: generation_config.json, else 256)',
    min: 1,
  },
  temperature: {
    kind: 'number',
    value: 'T',
    summary: '0 takes the most probable token; higher is bolder (default: generation_config.json, else 0)',
    min: 0,
  },
  'top-k': {
    kind: 'integer',
    value: 'K',
    summary: 'draw from the K most probable tokens; 0 is off (default: generation_config.json, else 0)',
    min: 0,
  },
  'top-p': {
    kind: 'number',
    value: 'P',
    summary: 'draw from the most probable tokens that hold P (default: generation_config.json, else 1)',
    min: 0,
    max: 1,
  },
  'min-p': {
    kind: 'number',
    value: 'P',
    summary: 'leave out what is under P times the most probable (default: generation_config.json, else 0)',
    min: 0,
    max: 1,
  },
  'repetition-penalty': {
    kind: 'number',
    value: 'R',
    summary: 'above 1 avoids tokens that were there (default: generation_config.json, else 1)',
    min: 0,
  },
  'presence-penalty': {
    kind: 'number',
    value: 'P',
    summary: 'above 0 avoids tokens that the continuation has already, as in the OpenAI API (default: 0)',
    min: -2,
    max: 2,
  },
  'frequency-penalty': {
    kind: 'number',
    value: 'F',
    summary: 'the same for each time that it has them (default: 0)',
    min: -2,
    max: 2,
  },
  'logit-bias': {
    kind: 'list',
    value: 'ID=B',
    summary: 'add B to the logit of token ID: -100 bans it, 100 demands it',
  },
  'prompt-lookup': {
    kind: 'integer',
    value: 'N',
    summary:
      'guess N tokens at once from what the text has said: same text, sooner where it repeats itself (default: 0)',
    min: 0,
    max: 64,
  },
  stop: { kind: 'list', value: 'TEXT', summary: 'end before this text' },
  seed: { kind: 'integer', value: 'S', summary: 'same seed, same text; without one, another text each time', min: 0 },
} as const

/** The values of `SAMPLING_OPTIONS` as a request has them; what was not given is left out. */
export function generateOptions(values: OptionValues<typeof SAMPLING_OPTIONS>): GenerateOptions {
  const { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, stop, seed } = values
  const { presencePenalty, frequencyPenalty, logitBias, promptLookup } = values
  return {
    stop,
    ...(maxNewTokens !== undefined && { maxNewTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topK !== undefined && { topK }),
    ...(topP !== undefined && { topP }),
    ...(minP !== undefined && { minP }),
    ...(repetitionPenalty !== undefined && { repetitionPenalty }),
    ...(presencePenalty !== undefined && { presencePenalty }),
    ...(frequencyPenalty !== undefined && { frequencyPenalty }),
    ...(logitBias.length > 0 && { logitBias: biasOf(logitBias) }),
    ...(promptLookup !== undefined && { promptLookup }),
    ...(seed !== undefined && { seed }),
  }
}

/** `['50=-100']` → 50 ↦ −100. */
function biasOf(entries: readonly string[]): Map<number, number> {
  const biases = new Map<number, number>()
  for (const entry of entries) {
    const [, id, bias] = /^(\d+)=([+-]?(?:\d+\.?\d*|\.\d+))$/.exec(entry) ?? []
    if (id === undefined || bias === undefined)
      throw new UsageError(`--logit-bias: expected a token id and a number such as 50=-100, got '${entry}'`)
    if (biases.has(Number(id))) throw new UsageError(`--logit-bias: expected token ${Number(id)} once, got it twice`)
    biases.set(Number(id), Number(bias))
  }
  return biases
}
