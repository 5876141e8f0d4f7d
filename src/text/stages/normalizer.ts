// What happens to text before it is split: Unicode normal forms, replacements, prefixes. Compiled once from the
// `normalizer` field of a tokenizer.json. SentencePiece's table of replacements has a file of its own.

import { toByteLevel } from './byte-level.ts'
import { compileCharsMap } from './precompiled-normalizer.ts'
import { RUST_ACCENTS } from './rust-tables.ts'
import { compileSplitPattern } from './split-pattern.ts'
import { nestedStages, type StageConfig, textField, unknownStage } from './stage-config.ts'

/** Text to normalized text. */
export type Normalizer = (text: string) => string

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
      return lowercase
    case 'Prepend': {
      const prefix = textField(config, 'prepend', '', where)
      return (text) => (text === '' ? text : prefix + text)
    }
    case 'Replace': {
      const pattern = compileSplitPattern(config.pattern, `${where}.pattern`)
      const content = textField(config, 'content', '', where)
      return (text) => text.replace(pattern, () => content)
    }
    case 'Strip':
      return stripper(config.strip_left !== false, config.strip_right !== false)
    case 'StripAccents':
      // All marks, with the vowel signs of Indic scripts; what is composed keeps its accent, so NFD goes before.
      return (text) => text.replace(/\p{M}/gu, '')
    case 'ByteLevel':
      return toByteLevel
    case 'Sequence': {
      const steps = nestedStages(config.normalizers, where, depth).map(([stage, path]) =>
        compileNormalizer(stage, path, depth + 1),
      )
      return (text) => steps.reduce((result, step) => step?.(result) ?? result, text)
    }
    case 'Precompiled':
      return compileCharsMap(config.precompiled_charsmap, `${where}.precompiled_charsmap`)
    case 'BertNormalizer':
      return bertNormalizer(config)
    default:
      throw unknownStage('normalizer', where, config)
  }
}

/** Character by character as in Rust: JavaScript alone would make a final Σ a ς. */
function lowercase(text: string): string {
  return text.replaceAll('Σ', 'σ').toLowerCase()
}

// Rust's list, which leaves out U+2B820 to U+2B91F.
const HAN =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu
// Control characters as Rust's table has them, which is older than these few; unassigned ones stay.
const CONTROL = /(?![\u0890\u0891\u08e2\u{110cd}\u{13430}-\u{1343f}])[\p{Cc}\p{Cf}\p{Co}\ufffd]/gu

const ACCENTS = new RegExp(RUST_ACCENTS, 'gu')

function bertNormalizer(config: StageConfig): Normalizer {
  const isLowercase = config.lowercase !== false
  const stripsAccents = config.strip_accents ?? isLowercase
  return (text) => {
    let result = text
    if (config.clean_text !== false) {
      result = result
        .replace(/[\t\n\r]/g, ' ')
        .replace(CONTROL, '')
        .replace(/\p{White_Space}/gu, ' ')
    }
    if (config.handle_chinese_chars !== false) result = result.replace(HAN, ' $& ')
    if (stripsAccents) result = result.normalize('NFD').replace(ACCENTS, '')
    return isLowercase ? lowercase(result) : result
  }
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
