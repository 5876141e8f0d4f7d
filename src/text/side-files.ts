// Tokens that stand beside tokenizer.json: in tokenizer_config.json, special_tokens_map.json and added_tokens.json. Transformers
// adds them when it loads a tokenizer, so that a model trained with it needs them; the order and the ids are those of its fast
// tokenizers (5.18; the same since 4.34).

import { TokenizerError } from '../errors.ts'
import type { AddedToken } from './stages/added-tokens.ts'
import { type StageConfig, show } from './stages/stage-config.ts'
import type { TokenizerJson } from './stages/tokenizer-json.ts'

/** The roles that a token can have by name in tokenizer_config.json. */
export type TokenRole = 'bos' | 'eos' | 'pad' | 'unk'

type JsonMap = Readonly<Record<string, unknown>>

/** The parsed files beside a tokenizer.json; absent ones are left out. */
export interface SideFiles {
  /** tokenizer_config.json. */
  readonly config?: JsonMap
  /** special_tokens_map.json; read where the configuration has no `added_tokens_decoder`. */
  readonly specialTokensMap?: JsonMap
  /** added_tokens.json, likewise: content to id, which comes from long ago and only orders them. */
  readonly addedTokens?: JsonMap
}

/** A tokenizer.json with the tokens beside it. */
export interface CompleteTokenizer {
  readonly json: TokenizerJson
  readonly roles: Partial<Record<TokenRole, string>>
  /** Tokens that tokenizer.json by itself would split. */
  readonly fromSide: readonly string[]
}

/** A token as a file has it: a text, or flags of which some may be missing. */
type Spelling = string | Flags
type Flags = { readonly content: string } & Partial<Omit<AddedToken, 'id' | 'content'>>

const NAMED = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']
const ROLES: readonly TokenRole[] = ['bos', 'eos', 'pad', 'unk']
const FLAGS = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'] as const
/** Classes whose configuration decides, whatever tokenizer.json says, whether a space comes before the text. */
const WITH_PREFIX_SPACE = /^(?:GPT2|GPTNeoX|Roberta|Bart|Longformer|LED|Deberta)Tokenizer(?:Fast)?$/

/** Adds the tokens beside a tokenizer.json as Transformers does; a TokenizerError says what is no token. */
export function addSideTokens(json: TokenizerJson, side: SideFiles): CompleteTokenizer {
  // A malformed list is refused where it is read for good (stages/vocabulary.ts).
  if (!isWellFormed(json.added_tokens)) return { json, roles: {}, fromSide: [] }
  const given = readTokens(json, side)
  const named = new Set([...given.named.values()].map(contentOf))
  const known = new Map(json.added_tokens.map((token) => [token.content, token]))
  const listed = given.listed.filter((token) => !isSame(known.get(token.content), token))
  const taken = new Set([...known.keys(), ...listed.map(contentOf)])
  const others = [...given.named.values(), ...given.extra].filter((token) => !taken.has(contentOf(token)))
  const tokens = [...listed, ...withoutRepeats(others)].map((token) => {
    if (typeof token === 'string') return withDefaults({ content: token, special: true })
    return withDefaults(named.has(token.content) ? { ...token, special: true } : token)
  })
  const added = addTokens(json, tokens)
  const roles = ROLES.flatMap((role) => {
    const token = given.named.get(`${role}_token`)
    return token === undefined ? [] : [[role, contentOf(token)] as const]
  })
  return {
    json: { ...json, ...added, pre_tokenizer: withPrefixSpace(json.pre_tokenizer, side.config) },
    roles: Object.fromEntries(roles),
    fromSide: added.added_tokens.map(({ content }) => content).filter((content) => !known.has(content)),
  }
}

interface GivenTokens {
  /** With their flags and in the order of their ids, from `added_tokens_decoder` or its forerunners. */
  readonly listed: readonly Flags[]
  /** By name, such as `eos_token` and `image_token`. */
  readonly named: ReadonlyMap<string, Spelling>
  readonly extra: readonly Spelling[]
}

function readTokens(json: TokenizerJson, { config = {}, specialTokensMap, addedTokens }: SideFiles): GivenTokens {
  const fields: Record<string, unknown> = { ...config }
  if ('additional_special_tokens' in fields && isEmpty(fields.extra_special_tokens)) {
    fields.extra_special_tokens = fields.additional_special_tokens
    fields.additional_special_tokens = undefined
  }
  const explicit = new Map<string, unknown>()
  for (const [name, value] of Object.entries(fields)) {
    if (!name.endsWith('_token') || NAMED.includes(name) || typeof value !== 'string') continue
    explicit.set(name, value)
    delete fields[name]
  }
  const nameAll = (): void => {
    if (!isMap(fields.extra_special_tokens)) return
    for (const [name, token] of Object.entries(fields.extra_special_tokens)) explicit.set(name, token)
    fields.extra_special_tokens = undefined
  }
  nameAll()
  const byId = new Map<number, Flags>()
  const withFlags = new Map<string, Flags>()
  const list = (id: unknown, token: Flags): void => {
    byId.set(idOf(id), token)
    withFlags.set(token.content, token)
  }
  if (isMap(fields.added_tokens_decoder)) {
    for (const [id, token] of Object.entries(fields.added_tokens_decoder)) list(id, flagsOf(token, id))
  } else {
    mergeSpecialTokensMap(fields, specialTokensMap ?? {})
    nameAll()
    const special = new Set(
      [...NAMED.map((name) => fields[name]), ...listOf(fields.extra_special_tokens)]
        .filter(isSpelledOut)
        .map(contentOf),
    )
    for (const [content, id] of Object.entries(addedTokens ?? {}))
      list(id, { content, special: special.has(content), normalized: !special.has(content) })
    for (const { id, ...token } of json.added_tokens) list(id, token)
  }
  const listed = [...byId].sort(([a], [b]) => a - b).map(([, token]) => token)
  const named = new Map<string, Spelling>()
  for (const name of NAMED) {
    const token = spellingOf(fields[name], name)
    if (token !== undefined) named.set(name, withFlags.get(contentOf(token)) ?? token)
  }
  const own = Object.entries(fields).filter(([name]) => name.endsWith('_token') && !NAMED.includes(name))
  for (const [name, value] of [...own, ...explicit]) {
    const token = isSpelling(value) ? spellingOf(value, name) : undefined
    if (token !== undefined) named.set(name, token)
  }
  const rest = fields.extra_special_tokens ?? fields.additional_special_tokens
  const extra = listOf(rest).flatMap((token) => spellingOf(token, 'extra_special_tokens') ?? [])
  return { listed, named, extra }
}

/** Two spellings of one content are both added, and the later one's flags hold: only equal ones are left out. */
function withoutRepeats(tokens: readonly Spelling[]): Spelling[] {
  const seen = new Set<string>()
  return tokens.filter((token) => {
    const key = JSON.stringify(typeof token === 'string' ? token : withDefaults(token))
    return !seen.has(key) && seen.add(key)
  })
}

/** special_tokens_map.json has the last word, but for what it lists, which is added. */
function mergeSpecialTokensMap(fields: Record<string, unknown>, map: JsonMap): void {
  for (const [name, value] of Object.entries(map)) {
    if (name === 'extra_special_tokens' && Array.isArray(value)) {
      const all = [...listOf(fields.extra_special_tokens)]
      for (const token of value) {
        const spelled = isMap(token) ? { ...token, special: true, [READ]: true } : token
        if (!all.some((other) => show(other) === show(spelled))) all.push(spelled)
      }
      fields[name] = all
    } else
      fields[name] = isMap(value) && name !== 'extra_special_tokens' ? { ...value, special: true, [READ]: true } : value
  }
}

/** Marks tokens of special_tokens_map.json, whose contents count as special; those of tokenizer_config.json do only as texts. */
const READ: unique symbol = Symbol('read')

const isSpelledOut = (token: unknown): token is Spelling => typeof token === 'string' || (isMap(token) && READ in token)

/**
 * What Rust's `add_tokens` does: a token that the vocabulary has keeps its id, others get the next free ones, and a token that was
 * added before takes over the new flags.
 */
function addTokens(
  json: TokenizerJson,
  tokens: readonly Omit<AddedToken, 'id'>[],
): Pick<TokenizerJson, 'added_tokens'> {
  const { vocab } = json.model
  const inModel = new Map<string, number>(
    Array.isArray(vocab)
      ? vocab.map((entry, id) => [String(Array.isArray(entry) ? entry[0] : entry), id])
      : Object.entries((vocab ?? {}) as Record<string, number>),
  )
  const byId = new Map(json.added_tokens.map((token) => [token.id, token]))
  const ids = new Map(json.added_tokens.map((token) => [token.content, token.id]))
  const highest = [...byId.keys()].reduce((max, id) => Math.max(max, id), -1)
  let next = highest >= inModel.size || inModel.size === 0 ? highest + 1 : inModel.size
  for (const token of tokens) {
    if (token.content === '') continue
    const id = ids.get(token.content) ?? inModel.get(token.content) ?? next++
    ids.set(token.content, id)
    byId.set(id, { id, ...token })
  }
  return { added_tokens: [...byId.values()].sort((a, b) => a.id - b.id) }
}

function withPrefixSpace(stage: StageConfig | null, config: JsonMap | undefined): StageConfig | null {
  if (stage?.type !== 'ByteLevel' || !WITH_PREFIX_SPACE.test(String(config?.tokenizer_class))) return stage
  return { ...stage, add_prefix_space: config?.add_prefix_space === true }
}

function withDefaults({ content, ...flags }: Flags): Omit<AddedToken, 'id'> {
  const special = flags.special === true
  return {
    content,
    single_word: flags.single_word === true,
    lstrip: flags.lstrip === true,
    rstrip: flags.rstrip === true,
    normalized: flags.normalized ?? !special,
    special,
  }
}

function isSame(known: Flags | undefined, token: Flags): boolean {
  if (known === undefined) return false
  const [first, second] = [withDefaults(known), withDefaults(token)]
  return FLAGS.every((flag) => first[flag] === second[flag])
}

const isWellFormed = (tokens: unknown): boolean =>
  Array.isArray(tokens) &&
  tokens.every((token) => isMap(token) && typeof token.content === 'string' && Number.isSafeInteger(token.id))

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isEmpty = (value: unknown): boolean =>
  (value ?? null) === null ||
  (Array.isArray(value) ? value.length === 0 : isMap(value) && Object.keys(value).length === 0)

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

const isSpelling = (value: unknown): boolean =>
  typeof value === 'string' || (isMap(value) && typeof value.content === 'string')

const contentOf = (token: Spelling): string => (typeof token === 'string' ? token : token.content)

function spellingOf(value: unknown, where: string): Spelling | undefined {
  if ((value ?? null) === null) return undefined
  return typeof value === 'string' ? value : flagsOf(value, where)
}

function flagsOf(value: unknown, where: string): Flags {
  if (isMap(value) && typeof value.content === 'string') {
    const flags = FLAGS.flatMap((flag) => (typeof value[flag] === 'boolean' ? [[flag, value[flag]] as const] : []))
    return { content: value.content, ...Object.fromEntries(flags) }
  }
  throw refusal(where, 'a token (a text, or an object with a content)', show(value))
}

function idOf(value: unknown): number {
  const id = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
  if (Number.isSafeInteger(id) && (id as number) >= 0) return id as number
  throw refusal('added_tokens', 'an id', show(value))
}

function refusal(where: string, expected: string, got: string): TokenizerError {
  return new TokenizerError(
    `wrong token beside tokenizer.json: ${where}: expected ${expected}, got ${got}. Get the files again`,
  )
}
