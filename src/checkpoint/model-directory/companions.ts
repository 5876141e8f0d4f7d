// What belongs to a model besides its configuration and weights, and comes along when another model is made of it.
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readBounded } from '../../files/bounded-read.ts'
import { LINEAGE } from './lineage.ts'
import { isWeightFile } from './model-weights.ts'

/** `tokenizer`: with its chat templates. `generation`: how the makers want it sampled. `licence`: the terms, which every copy must carry. */
export type CompanionKind = 'tokenizer' | 'generation' | 'licence'

const NAMES: Readonly<Record<CompanionKind, RegExp>> = {
  tokenizer:
    /^(?:tokenizer.*|special_tokens_map\.json|added_tokens\.json|vocab\.(?:json|txt)|merges\.txt|chat_template.*|(?:spiece|sentencepiece).*\.model|tekken\.json|.*\.tiktoken)$/i,
  generation: /^generation_config\.json$/,
  licence: /^(?:LICEN[CS]E|NOTICE|COPYING|USE_POLICY).*$/i,
}
const KINDS: readonly CompanionKind[] = ['tokenizer', 'generation', 'licence']
/** What a tokenizer.json may have is less. */
const MAX_COMPANION_BYTES = 256 * 1024 * 1024
/** Transformers keeps the templates that are not the default one in a folder. */
const TEMPLATES = 'additional_chat_templates'

/** Paths of the companions of these kinds, relative to `directory`. */
export function companionsOf(directory: string, kinds: readonly CompanionKind[] = KINDS): string[] {
  const isFile = (path: string): boolean => statSync(join(directory, path)).isFile()
  const inside = join(directory, TEMPLATES)
  const templates =
    kinds.includes('tokenizer') && existsSync(inside)
      ? readdirSync(inside)
          .filter((name) => name.endsWith('.jinja'))
          .map((name) => join(TEMPLATES, name))
      : []
  return [
    ...readdirSync(directory).filter((name) => kinds.some((kind) => NAMES[kind].test(name))),
    ...templates,
  ].filter(isFile)
}

/** Copies them from one model directory to another. */
export function copyCompanions(from: string, to: string, kinds: readonly CompanionKind[] = KINDS): void {
  for (const path of companionsOf(from, kinds)) {
    mkdirSync(dirname(join(to, path)), { recursive: true })
    // Not as a copy of the file: one that may only be read would make another such.
    writeFileSync(join(to, path), readBounded(join(from, path), MAX_COMPANION_BYTES))
  }
}

/** Whether an entry of a model directory is part of its model, so that none of it may stay when another model takes its place. */
export function isModelEntry(name: string): boolean {
  if (isWeightFile(name) || isWeightFile(name, 'adapter_model')) return true
  if (/^mergekit(?:_config)?\.ya?ml$/.test(name)) return true
  if (/^pytorch_model\b.*\.bin(?:\.index\.json)?$/.test(name)) return true
  if (['config.json', 'adapter_config.json', LINEAGE, TEMPLATES].includes(name)) return true
  return KINDS.some((kind) => NAMES[kind].test(name))
}
