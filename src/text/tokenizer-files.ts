// The files of a tokenizer in a model directory: which there are, how large they may be, and how ours are written so that
// Transformers, llama.cpp and vLLM of several generations read them.

import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode, InputError, TokenizerError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { readBounded } from '../files/bounded-read.ts'
import { parseJson } from '../files/read-json.ts'
import { type ChatTemplates, readChatTemplates, templatesForConfig, writeChatTemplates } from './named-templates.ts'
import type { SideFiles, TokenRole } from './side-files.ts'
import type { TokenizerJson } from './stages/tokenizer-json.ts'
import { tokenizerFromVocabulary } from './vocab-txt.ts'

/** The texts of a tokenizer's files and what was read from them. Unknown keys of `config` are kept when saving. */
export interface TokenizerFiles extends ChatTemplates, SideFiles {
  /** The text of tokenizer.json. */
  tokenizer: string
  /** Contents of the tokens with a role, over what the files beside tokenizer.json say. */
  roles?: Partial<Record<TokenRole, string>>
  /** All tokens that have a name, such as `sep_token`: what a chat template is given. Default: those with a role. */
  namedTokens?: Record<string, string>
  /** How to call tokenizer.json in messages, such as its path. */
  name?: string
}

const VOCABULARY = 'vocab.txt'
const MAX_BYTES = 128 * 1024 * 1024
const MAX_SIDE_BYTES = 32 * 1024 * 1024
const ROLES: readonly TokenRole[] = ['bos', 'eos', 'pad', 'unk']

/** Whether `directory` has a tokenizer: a tokenizer.json, or BERT's vocab.txt, which stands for one. */
export function hasTokenizer(directory: string): boolean {
  return ['tokenizer.json', VOCABULARY].some((name) => existsSync(join(directory, name)))
}

/** Reads the tokenizer files of a model directory; only tokenizer.json, or BERT's vocab.txt in its place, must be there. */
export async function readTokenizerFiles(directory: string): Promise<TokenizerFiles> {
  const config = readObject(join(directory, 'tokenizer_config.json')) ?? {}
  let name = join(directory, 'tokenizer.json')
  let tokenizer = readText(name, MAX_BYTES)
  if (tokenizer === undefined) {
    const vocabulary = join(directory, VOCABULARY)
    const text = readText(vocabulary, MAX_BYTES)
    if (text !== undefined) {
      name = vocabulary
      tokenizer = JSON.stringify(tokenizerFromVocabulary(text, config, vocabulary))
    }
  }
  if (tokenizer === undefined) {
    if (!existsSync(directory))
      throw new TokenizerError(`cannot find ${directory}: expected a directory with a tokenizer.json. Check the path`)
    throw new TokenizerError(
      `no tokenizer in ${directory}: expected a tokenizer.json, got none. Save one with Transformers' save_pretrained; a .model file is not read`,
    )
  }
  const specialTokensMap = readObject(join(directory, 'special_tokens_map.json')) ?? {}
  const addedTokens = readObject(join(directory, 'added_tokens.json')) ?? {}
  const templates = readChatTemplates(directory, config, (path) => readText(path, MAX_SIDE_BYTES))
  const namedTokens = namedTokensOf(specialTokensMap, config)
  return { tokenizer, config, specialTokensMap, addedTokens, namedTokens, name, ...templates }
}

/** Writes the files of a tokenizer, each whole or not at all. */
export function writeTokenizerFiles(directory: string, json: TokenizerJson, files: TokenizerFiles): void {
  mkdirSync(directory, { recursive: true })
  const write = (name: string, value: unknown): void => {
    writeFileAtomic(join(directory, name), `${JSON.stringify(value, null, 2)}\n`)
  }
  const special = json.added_tokens.filter((token) => token.special)
  const roles = Object.fromEntries(ROLES.map((role) => [`${role}_token`, files.roles?.[role] ?? null]))
  write('tokenizer.json', { ...json, model: { ...json.model, ...mergesForOldReaders(json.model.merges) } })
  write('tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: 1_000_000_000,
    padding_side: 'right',
    clean_up_tokenization_spaces: false,
    ...files.config,
    ...roles,
    added_tokens_decoder: Object.fromEntries(json.added_tokens.map(({ id, ...token }) => [id, token])),
    ...templatesForConfig(files),
  })
  const withRole = Object.fromEntries(Object.entries(roles).filter(([, token]) => token !== null))
  const others = special.map((token) => token.content).filter((content) => !Object.values(roles).includes(content))
  write('special_tokens_map.json', { ...withRole, ...(others.length > 0 && { additional_special_tokens: others }) })
  writeChatTemplates(directory, files)
}

/** Readers before tokenizers 0.20 know only `"a b"`, which is possible unless a token has a space in it. */
function mergesForOldReaders(merges: unknown): { merges?: unknown } {
  if (!Array.isArray(merges) || typeof merges[0] === 'string') return {}
  if (merges.some((pair: [string, string]) => pair[0].includes(' ') || pair[1].includes(' '))) return {}
  return { merges: merges.map((pair: [string, string]) => `${pair[0]} ${pair[1]}`) }
}

/** `"<s>"` or `{"content": "<s>", …}`. */
function contentOf(token: unknown): string | undefined {
  const content = typeof token === 'object' && token !== null ? (token as { content?: unknown }).content : token
  return typeof content === 'string' ? content : undefined
}

/** Every key that ends in `_token` and names one, as Transformers hands them to templates; later files win. */
function namedTokensOf(...files: Record<string, unknown>[]): Record<string, string> {
  const tokens: Record<string, string> = {}
  for (const [key, value] of files.flatMap((file) => Object.entries(file))) {
    const content = key.endsWith('_token') ? contentOf(value) : undefined
    if (content !== undefined) tokens[key] = content
  }
  return tokens
}

function readObject(path: string): Record<string, unknown> | undefined {
  const text = readText(path, MAX_SIDE_BYTES)
  if (text === undefined) return undefined
  const value = asTokenizerError(() => parseJson(text, path))
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new TokenizerError(`bad JSON in ${path}: expected an object, got ${text.slice(0, 40)}. Get the file again`)
}

/** The file's text, or undefined if there is no such file. */
function readText(path: string, maxBytes: number): string | undefined {
  try {
    return asTokenizerError(() => readBounded(path, maxBytes))
      .toString('utf8')
      .replace(/^\ufeff/, '')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function asTokenizerError<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof InputError) throw new TokenizerError(cause.message, { cause })
    throw cause
  }
}
