// llama.cpp knows pre-tokenizers by name only (`tokenizer.ggml.pre`), and a wrong name gives other tokens without a word. So a
// name is written only for stages that are exactly those it stands for, and every name here was compared with llama.cpp's ids.

import { UnsupportedError } from '../errors.ts'
import { preTokenizerStages } from '../text/bpe.ts'
import type { StageConfig } from '../text/stages/stage-config.ts'
import type { TokenizerJson } from '../text/stages/tokenizer-json.ts'

/** What a name stands for. */
interface NamedStages {
  readonly normalizer: StageConfig | null
  readonly pre_tokenizer: StageConfig
  /** True where words that are tokens as a whole are not merged (`ignore_merges`). */
  readonly isWholeWordFirst: boolean
}

const O200K = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`

const byteLevel: StageConfig = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
const split = (...patterns: string[]): StageConfig => ({
  type: 'Sequence',
  pretokenizers: [
    ...patterns.map((Regex) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false })),
    byteLevel,
  ],
})

const NAMED: Readonly<Record<string, NamedStages>> = {
  'gpt-2': { ...preTokenizerStages('gpt-2'), isWholeWordFirst: false },
  smollm: { ...preTokenizerStages('smollm'), isWholeWordFirst: false },
  qwen2: { ...preTokenizerStages('qwen2'), isWholeWordFirst: false },
  'llama-bpe': { ...preTokenizerStages('llama-bpe'), isWholeWordFirst: true },
  'gpt-4o': { normalizer: null, pre_tokenizer: split(O200K), isWholeWordFirst: false },
}

/** Other names of llama.cpp for the same stages. */
const SAME: Readonly<Record<string, string>> = {
  'llama-v3': 'llama-bpe',
  llama3: 'llama-bpe',
  'phi-2': 'gpt-2',
  'roberta-bpe': 'gpt-2',
  'deepseek-r1-qwen': 'qwen2',
}

/** The name for a byte-level BPE tokenizer's stages; an UnsupportedError, naming `file`, if llama.cpp has none. */
export function preTokenizerName(json: TokenizerJson, file: string): string {
  const wanted = canonical(json.pre_tokenizer)
  const found = Object.entries(NAMED).find(([, stages]) => canonical(stages.pre_tokenizer) === wanted)
  if (found === undefined) {
    throw new UnsupportedError(
      `${file}:pre_tokenizer: expected one of those that llama.cpp calls ${Object.keys(NAMED).join(', ')}, got ${wanted.slice(0, 80)}. ` +
        'llama.cpp would cut words in other places; train a tokenizer with one of these names, or serve the Hugging Face directory',
    )
  }
  const [name, { isWholeWordFirst }] = found
  if ((json.model.ignore_merges === true) !== isWholeWordFirst) {
    throw new UnsupportedError(
      `${file}:model.ignore_merges: expected ${isWholeWordFirst} with the pre-tokenizer ${name}, got ${!isWholeWordFirst}. llama.cpp has no such pair`,
    )
  }
  // NFC is the one normalizer that llama.cpp's users live without; see docs/export.md.
  if (json.normalizer !== null && json.normalizer.type !== 'NFC') {
    throw new UnsupportedError(
      `${file}:normalizer: expected none or NFC, got ${json.normalizer.type}. llama.cpp has no normalizers for this kind of tokenizer`,
    )
  }
  return name
}

/** What `tokenizer.ggml.pre` stands for; an UnsupportedError for a name that is not known here. */
export function namedStages(name: string, file: string): NamedStages {
  const stages = NAMED[SAME[name] ?? name]
  if (stages !== undefined) return stages
  throw new UnsupportedError(
    `${file}:tokenizer.ggml.pre: expected one of ${[...Object.keys(NAMED), ...Object.keys(SAME)].join(', ')}, got ${JSON.stringify(name)}. ` +
      "Put the model's tokenizer.json beside the file",
  )
}

/** Stages without what does not change the words: nesting, offsets, defaults left out. */
function canonical(stage: StageConfig | null): string {
  return JSON.stringify(flatten(stage).map(essence))
}

function flatten(stage: StageConfig | null): StageConfig[] {
  if (stage === null) return []
  return stage.type === 'Sequence' ? (stage.pretokenizers as StageConfig[]).flatMap(flatten) : [stage]
}

function essence(stage: StageConfig): unknown[] {
  const { type, pattern, behavior, invert, add_prefix_space, use_regex, individual_digits } = stage
  switch (type) {
    case 'ByteLevel':
      return [type, add_prefix_space === true, use_regex !== false]
    case 'Split':
      return [type, pattern, String(behavior ?? 'isolated').toLowerCase(), invert === true]
    case 'Digits':
      return [type, individual_digits === true]
    default:
      return [stage]
  }
}
