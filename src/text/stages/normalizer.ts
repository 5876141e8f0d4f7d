// What happens to text before it is split: Unicode normal forms, replacements, prefixes. Compiled once from the
// `normalizer` field of a tokenizer.json. The charsmap of SentencePiece (`Precompiled`) and BERT's own normalizer come from
// @huggingface/tokenizers.

import { BertNormalizer, PrecompiledNormalizer } from '@huggingface/tokenizers'
import { UnsupportedError } from '../../errors.ts'
import { compileSplitPattern } from './split-pattern.ts'

/** Text to normalized text. */
export type Normalizer = (text: string) => string

/** One stage of a tokenizer.json: a `type` and the fields of that type, unchecked. */
export interface StageConfig {
  type: string
  [field: string]: unknown
}

const MAX_NESTING = 8

/** Compiles a `normalizer`; undefined for none. `where` names the field in messages. */
export function compileNormalizer(config: StageConfig | null, where: string, depth = 0): Normalizer | undefined {
  if (config === null || config === undefined) return undefined
  switch (config.type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = config.type
      return (text) => text.normalize(form)
    }
    case 'Lowercase':
      // Character by character as in Rust: JavaScript alone would make a final Σ a ς.
      return (text) => text.replaceAll('Σ', 'σ').toLowerCase()
    case 'Prepend': {
      const prefix = String(config.prepend ?? '')
      return (text) => (text === '' ? text : prefix + text)
    }
    case 'Replace': {
      const pattern = compileSplitPattern(config.pattern, `${where}.pattern`)
      const content = String(config.content ?? '')
      return (text) => text.replace(pattern, () => content)
    }
    case 'Strip':
      return stripper(config.strip_left !== false, config.strip_right !== false)
    case 'StripAccents':
      return (text) => text.replace(/\p{Mn}/gu, '')
    case 'Sequence': {
      const steps = nestedStages(config.normalizers, where, depth).map(([stage, path]) =>
        compileNormalizer(stage, path, depth + 1),
      )
      return (text) => steps.reduce((result, step) => step?.(result) ?? result, text)
    }
    case 'BertNormalizer':
    case 'Precompiled': {
      const Class = config.type === 'Precompiled' ? PrecompiledNormalizer : BertNormalizer
      const normalizer = new Class(config as never)
      return (text) => normalizer.normalize(text)
    }
    default:
      throw unknownStage('normalizer', where, config)
  }
}

/** The stages of a Sequence with their paths; throws if they nest too deeply. */
export function nestedStages(list: unknown, where: string, depth: number): [StageConfig, string][] {
  if (depth >= MAX_NESTING || !Array.isArray(list) || list.length > MAX_NESTING * 4) {
    throw new UnsupportedError(
      `unusual Sequence in ${where}: expected up to ${MAX_NESTING * 4} stages, nested up to ${MAX_NESTING} deep. Flatten it`,
    )
  }
  return list.map((stage: StageConfig, index) => [stage, `${where}[${index}]`])
}

/** The error for a stage type that Anneal does not have. */
export function unknownStage(kind: string, where: string, config: StageConfig): UnsupportedError {
  const got = JSON.stringify(config?.type) ?? 'nothing'
  return new UnsupportedError(
    `unknown ${kind} in ${where}: expected a type that Anneal knows, got ${got}. Use another tokenizer`,
  )
}

function stripper(left: boolean, right: boolean): Normalizer {
  const atStart = /^\p{White_Space}+/u
  return (text) => {
    const fromLeft = left ? text.replace(atStart, '') : text
    if (!right) return fromLeft
    // Not `/\s+$/`, which is quadratic on a long run of spaces that is not at the end.
    let end = fromLeft.length
    while (end > 0 && /\p{White_Space}/u.test(fromLeft[end - 1]!)) end--
    return fromLeft.slice(0, end)
  }
}
