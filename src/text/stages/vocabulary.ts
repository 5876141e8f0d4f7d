// The tokens and ids of a tokenizer.json, checked: it may come from a stranger, and a single id of four billion must not
// become an array of four billion entries.

import { TokenizerError } from '../../errors.ts'
import { type AddedToken, isControlToken } from './added-tokens.ts'
import { show } from './stage-config.ts'
import type { TokenizerJson } from './tokenizer-json.ts'

const MAX_IDS = 2_000_000
const MAX_ADDED = 10_000
const MAX_ADDED_LENGTH = 256 // characters; bounds the time of finding them
const MAX_HOLES = 1024 // ids without token, beyond as many as there are tokens

/** All tokens of a tokenizer, those of the model and the added ones. */
export interface Vocabulary {
  readonly ids: ReadonlyMap<string, number>
  /** Those of the model alone: an added token is found in text before the model sees it, and nowhere else. */
  readonly words: ReadonlyMap<string, number>
  /** Index is the id; undefined where no token has the id. */
  readonly tokens: readonly (string | undefined)[]
  readonly added: readonly AddedToken[]
  /** Ids that text must not produce; the unknown token is not among them. */
  readonly control: ReadonlySet<number>
}

/** Checks and joins the model's vocabulary and the added tokens; `file` names the source in messages. */
export function readVocabulary(json: TokenizerJson, file: string): Vocabulary {
  const entries = modelEntries(json.model, file)
  const added = readAddedTokens(json.added_tokens, file)
  const highest = [...entries.values(), ...added.map((token) => token.id)].reduce((max, id) => Math.max(max, id), -1)
  const count = entries.size + added.length
  if (highest >= count * 2 + MAX_HOLES) {
    throw refusal(`${file}:model.vocab`, `ids without large gaps for ${count} tokens`, `id ${highest}`)
  }
  const tokens: (string | undefined)[] = new Array(highest + 1).fill(undefined)
  const ids = new Map<string, number>()
  const place = (token: string, id: number, field: string): void => {
    if (tokens[id] !== undefined && tokens[id] !== token) {
      throw refusal(`${file}:${field}`, `one token with id ${id}`, `${show(tokens[id])} and ${show(token)}`)
    }
    tokens[id] = token
    ids.set(token, id)
  }
  for (const [token, id] of entries) place(token, id, 'model.vocab')
  for (const [index, token] of added.entries()) {
    const known = ids.get(token.content)
    if (known !== undefined && known !== token.id) {
      throw refusal(
        `${file}:added_tokens[${index}].id`,
        `${known}, which model.vocab gives ${show(token.content)}`,
        `${token.id}`,
      )
    }
    place(token.content, token.id, `added_tokens[${index}]`)
  }
  const unknown = typeof json.model.unk_token === 'string' ? ids.get(json.model.unk_token) : json.model.unk_id
  const control = new Set(
    added.filter((token) => isControlToken(token) && token.id !== unknown).map((token) => token.id),
  )
  return { ids, words: entries, tokens, added, control }
}

/** `{token: id}` of BPE and WordPiece, or `[[token, score], …]` of Unigram. */
function modelEntries(model: TokenizerJson['model'], file: string): Map<string, number> {
  const vocab = model.vocab
  if (typeof vocab !== 'object' || vocab === null) throw refusal(`${file}:model.vocab`, 'tokens', show(vocab))
  const pairs: [unknown, unknown][] = Array.isArray(vocab)
    ? vocab.map((entry, id) => [Array.isArray(entry) ? entry[0] : entry, id])
    : Object.entries(vocab)
  if (pairs.length === 0 || pairs.length > MAX_IDS) {
    throw refusal(`${file}:model.vocab`, `1 to ${MAX_IDS} tokens`, `${pairs.length}`)
  }
  const entries = new Map<string, number>()
  for (const [token, id] of pairs) {
    if (typeof token !== 'string') throw refusal(`${file}:model.vocab[${id}]`, 'a token and its score', show(token))
    entries.set(token, checkedId(id, `${file}:model.vocab[${show(token)}]`))
  }
  if (entries.size !== pairs.length) throw refusal(`${file}:model.vocab`, 'each token once', 'a repeated token')
  return entries
}

function readAddedTokens(list: unknown, file: string): AddedToken[] {
  if (list === undefined || list === null) return []
  if (!Array.isArray(list) || list.length > MAX_ADDED) {
    throw refusal(
      `${file}:added_tokens`,
      `a list of up to ${MAX_ADDED}`,
      Array.isArray(list) ? `${list.length}` : show(list),
    )
  }
  const tokens = list.map((entry: Partial<AddedToken> | null, index): AddedToken => {
    const where = `${file}:added_tokens[${index}]`
    const content = entry?.content
    if (typeof content !== 'string' || content.length > MAX_ADDED_LENGTH) {
      throw refusal(`${where}.content`, `a text of up to ${MAX_ADDED_LENGTH} characters`, show(content))
    }
    const special = entry?.special === true
    return {
      id: checkedId(entry?.id, `${where}.id`),
      content,
      single_word: entry?.single_word === true,
      lstrip: entry?.lstrip === true,
      rstrip: entry?.rstrip === true,
      normalized: entry?.normalized ?? !special,
      special,
    }
  })
  // Rust ignores empty ones too.
  return tokens.filter((token) => token.content !== '')
}

function checkedId(id: unknown, where: string): number {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) < MAX_IDS) return id as number
  throw refusal(where, `an id below ${MAX_IDS}`, show(id))
}

function refusal(where: string, expected: string, got: string): TokenizerError {
  return new TokenizerError(`bad vocabulary in ${where}: expected ${expected}, got ${got}. Get the file again`)
}
