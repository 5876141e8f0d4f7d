// Text to token ids and back, from a Hugging Face tokenizer.json: byte-level and SentencePiece BPE, Unigram, WordPiece.
// Ids are those of Hugging Face's Rust tokenizer, with one deliberate difference: the text of a control token, such as
// `<|im_end|>`, is ordinary text unless the caller says `allowSpecial`.
// What it is not: a trainer (bpe.ts) or a renderer of chats (chat-template.ts).

import { InputError, TokenizerError } from '../errors.ts'
import { chooseTemplate } from './named-templates.ts'
import { addSideTokens, type TokenRole } from './side-files.ts'
import { type AddedToken, AddedTokenSplitter, type ControlPermit, isControlToken } from './stages/added-tokens.ts'
import type { TokenModel } from './stages/bpe-model.ts'
import { ByteTable, compileDecoder, decodeBytes, StreamDecoder, type TokenBytes } from './stages/decoder.ts'
import { IdBuffer } from './stages/id-buffer.ts'
import { compileModel } from './stages/model.ts'
import { compileNormalizer, type Normalizer } from './stages/normalizer.ts'
import { compilePairProcessor, compilePostProcessor, type Frame, type PairPart } from './stages/post-processor.ts'
import { compilePreTokenizer, type PreTokenizer } from './stages/pre-tokenizer.ts'
import { checkTokenizerJson, parseTokenizerJson, type TokenizerJson } from './stages/tokenizer-json.ts'
import { readVocabulary, type Vocabulary } from './stages/vocabulary.ts'
import { readTokenizerFiles, type TokenizerFiles, writeTokenizerFiles } from './tokenizer-files.ts'

/** How a text becomes ids. */
export interface EncodeOptions {
  /** Put the tokenizer's own tokens around the text, such as `<s>`. Default true. */
  addSpecialTokens?: boolean
  /** Read control tokens that are spelled in the text. Only for text that no stranger wrote. Default false. */
  allowSpecial?: boolean
}

/** How ids become text. */
export interface DecodeOptions {
  /** Leave out the tokens that are flagged special. Default false. */
  skipSpecialTokens?: boolean
}

export type { TokenRole } from './side-files.ts'

/**
 * Which control tokens of a text are real: all, none, or those that stand unchanged at the same place in a masked copy of
 * the text, which has the same length and other characters wherever a stranger's text is.
 */
type ControlGuard = 'all' | 'none' | string

const MAX_ROWS = 2 ** 31

/** A loaded tokenizer; immutable. */
export class Tokenizer {
  /** Contents of the tokens that text cannot produce without `allowSpecial`. */
  readonly controlTokens: ReadonlySet<string>
  /** Contents of the tokens that stand only in the files beside tokenizer.json. */
  readonly sideTokens: readonly string[]
  /** Contents of the tokens that the model which it was fitted to has no rows for; see `fit`. */
  readonly beyond: readonly string[]
  readonly #rows: number
  readonly #files: TokenizerFiles
  readonly #json: TokenizerJson
  readonly #vocabulary: Vocabulary
  readonly #rawSplitter: AddedTokenSplitter
  readonly #normalizedSplitter: AddedTokenSplitter
  /** Finds also normalized control tokens as they are written. */
  readonly #writtenSplitter: AddedTokenSplitter
  readonly #normalizedControls: readonly string[]
  readonly #normalizer: Normalizer | undefined
  readonly #preTokenizer: PreTokenizer
  readonly #model: TokenModel
  readonly #frame: Frame
  /** Compiled when it is asked for: few models read pairs. */
  #pairFrame: readonly PairPart[] | undefined
  readonly #tokenBytes: TokenBytes
  readonly #specialIds: ReadonlySet<number>
  /** Tokens as decoding spells them: a normalized added token as the normalizer spells it. */
  readonly #spellings: readonly (string | undefined)[]
  #byteTable: ByteTable | undefined

  private constructor(json: TokenizerJson, files: TokenizerFiles, sideTokens: readonly string[], rows = MAX_ROWS) {
    const file = files.name ?? 'tokenizer.json'
    this.sideTokens = sideTokens
    this.#json = json
    this.#files = files
    this.#vocabulary = readVocabulary(json, file)
    this.#normalizer = compileNormalizer(json.normalizer, `${file}:normalizer`)
    this.#preTokenizer = compilePreTokenizer(json.pre_tokenizer, `${file}:pre_tokenizer`)
    this.#model = compileModel(json.model, this.#vocabulary, this.#preTokenizer.isByteLevel, file)
    this.#frame = compilePostProcessor(json.post_processor, this.vocabSize, `${file}:post_processor`)
    this.#tokenBytes = compileDecoder(json.decoder, `${file}:decoder`)
    const { added } = this.#vocabulary
    const normalizer = this.#normalizer
    // As in Rust: a normalized token is looked for in normalized text, spelled as the normalizer spells it.
    const isNormalized = (token: AddedToken): boolean => normalizer !== undefined && token.normalized
    this.#rawSplitter = new AddedTokenSplitter(added.filter((token) => !isNormalized(token)))
    this.#normalizedSplitter = new AddedTokenSplitter(added.filter(isNormalized), (token) => normalizer!(token.content))
    const controls = added.filter((token) => isNormalized(token) && isControlToken(token))
    this.#writtenSplitter = new AddedTokenSplitter([...added.filter((token) => !isNormalized(token)), ...controls])
    this.#normalizedControls = controls.map(({ content }) => content)
    this.controlTokens = new Set(
      added.filter(({ id }) => this.#vocabulary.control.has(id)).map(({ content }) => content),
    )
    const spellings = [...this.#vocabulary.tokens]
    for (const token of added) if (isNormalized(token)) spellings[token.id] = normalizer!(token.content)
    this.#spellings = spellings
    this.#rows = rows
    this.beyond = this.#vocabulary.tokens.slice(rows).filter((token) => token !== undefined)
    this.#specialIds = new Set(added.filter((token) => token.special).map((token) => token.id))
  }

  /** Reads tokenizer.json and, where there are any, tokenizer_config.json, special_tokens_map.json, added_tokens.json and chat_template.jinja. */
  static async fromDirectory(directory: string): Promise<Tokenizer> {
    return Tokenizer.fromFiles(await readTokenizerFiles(directory))
  }

  /** Makes a tokenizer from the texts of its files; throws a TokenizerError if one is malformed, hostile or too large. */
  static fromFiles(files: TokenizerFiles): Tokenizer {
    return Tokenizer.#complete(parseTokenizerJson(files.tokenizer, files.name ?? 'tokenizer.json'), files)
  }

  /** Makes a tokenizer from a parsed tokenizer.json and what else is known. */
  static fromJson(json: unknown, files: Omit<TokenizerFiles, 'tokenizer'> = {}): Tokenizer {
    return Tokenizer.#complete(checkTokenizerJson(json, files.name ?? 'tokenizer.json'), { ...files, tokenizer: '' })
  }

  static #complete(parsed: TokenizerJson, files: TokenizerFiles): Tokenizer {
    const { json, roles, fromSide } = addSideTokens(parsed, files)
    return new Tokenizer(json, { ...files, roles: { ...roles, ...files.roles } }, fromSide)
  }

  /** The number of ids; models often have a few more rows than this. */
  get vocabSize(): number {
    return this.#vocabulary.tokens.length
  }

  /**
   * This tokenizer for a model whose embedding has `rows` rows. Added tokens may be beyond them: published models have some that their
   * language model never reads (`<image_soft_token>` of Gemma 3 1B), and Transformers takes them, too. From then on encoding a text that
   * has one is an InputError. Undefined where ordinary tokens, or those that stand around texts, are beyond: it belongs to another model.
   */
  fit(rows: number): Tokenizer | undefined {
    const { tokens, added } = this.#vocabulary
    if (tokens.length <= rows) return this
    const addedIds = new Set(added.map(({ id }) => id))
    const areAdded = tokens.every((token, id) => id < rows || token === undefined || addedIds.has(id))
    const around = [...this.#frame.before, ...this.#frame.after, this.bosTokenId, this.eosTokenId]
    if (!areAdded || around.some((id) => id !== undefined && id >= rows)) return undefined
    return this.#rows === rows ? this : new Tokenizer(this.#json, this.#files, this.sideTokens, rows)
  }

  /** Ids of all added tokens that are flagged special, by content. */
  get specialTokens(): ReadonlyMap<string, number> {
    const special = this.#vocabulary.added.filter((token) => token.special)
    return new Map(special.map((token) => [token.content, token.id]))
  }

  /** The ids that stand before and after a text, such as `[CLS]` and `[SEP]`. */
  get frame(): { readonly before: readonly number[]; readonly after: readonly number[] } {
    return this.#frame
  }

  /** How two texts stand beside each other, such as `[CLS] … [SEP] … [SEP]`, with the segment of each part. */
  get pairFrame(): readonly PairPart[] {
    const where = `${this.#files.name ?? 'tokenizer.json'}:post_processor`
    this.#pairFrame ??= compilePairProcessor(this.#json.post_processor, this.vocabSize, where)
    return this.#pairFrame
  }

  get bosTokenId(): number | undefined {
    return this.roleId('bos') ?? this.#frame.before[0]
  }

  get eosTokenId(): number | undefined {
    return this.roleId('eos')
  }

  get padTokenId(): number | undefined {
    return this.roleId('pad')
  }

  get unkTokenId(): number | undefined {
    return this.roleId('unk')
  }

  /** The chat template that came with the tokenizer; of several, the one named `default`. */
  get chatTemplate(): string | undefined {
    return this.#files.chatTemplate
  }

  /** The template for a chat, chosen as Transformers does: with tools the one named `tool_use` if there is one. */
  chatTemplateFor(tools: readonly unknown[] | undefined): string | undefined {
    return chooseTemplate(this.#files, tools !== undefined, this.#files.name ?? 'the tokenizer')
  }

  /** The tokens that tokenizer_config.json has names for, such as `pad_token`: what a chat template is given. */
  get namedTokens(): Readonly<Record<string, string>> {
    return this.#files.namedTokens ?? rolesByName(this.#files.roles ?? {})
  }

  /** The id that tokenizer_config.json names for a role; undefined if it names none or one that no token has. */
  roleId(role: TokenRole): number | undefined {
    const token = this.#files.roles?.[role]
    return token === undefined ? undefined : this.tokenToId(token)
  }

  idToToken(id: number): string | undefined {
    return this.#vocabulary.tokens[id]
  }

  tokenToId(token: string): number | undefined {
    return this.#vocabulary.ids.get(token)
  }

  /** True for ids that `skipSpecialTokens` leaves out. */
  isSpecial(id: number): boolean {
    return this.#specialIds.has(id)
  }

  /** Spaces that `decode` drops from the beginning of a text: most tokens of such a tokenizer begin with one. */
  get leadingSpaces(): number {
    return this.#tokenBytes.leadingSpaces
  }

  /** The bytes that an id stands for within a text; empty for unknown ids. */
  idToBytes(id: number): Uint8Array {
    return this.#bytesOf({})(id, false)?.slice() ?? new Uint8Array(0)
  }

  /** Encodes one text. A lone surrogate is encoded as U+FFFD (`text.isWellFormed()` tells). */
  encode(text: string, { addSpecialTokens = true, allowSpecial = false }: EncodeOptions = {}): Int32Array {
    const out = new IdBuffer()
    if (addSpecialTokens) for (const id of this.#frame.before) out.push(id)
    this.#encodeInto(text, allowSpecial ? 'all' : 'none', out)
    if (addSpecialTokens) for (const id of this.#frame.after) out.push(id)
    return this.#checked(out.toArray())
  }

  /**
   * Encodes a text that is partly a stranger's: control tokens are read only where `masked`, a copy of the same length in
   * which the stranger's characters are replaced by others, has them too. Adds no tokens around the text. `cuts` are
   * ascending offsets in the text; for each comes the number of tokens that lie wholly before it. A control token that is looked for in
   * normalized text (`</s>` of Llama 2, spelled `▁</s>` there) is read right behind a word, too, where Rust would cut it into letters.
   */
  encodeMasked(text: string, masked: string, cuts: readonly number[] = []): { ids: Int32Array; cuts: Int32Array } {
    if (masked.length !== text.length) {
      throw new TokenizerError(`bad mask: expected ${text.length} characters as in the text, got ${masked.length}`)
    }
    const out = new IdBuffer()
    const counts = new Int32Array(cuts.length)
    let next = 0
    for (const piece of this.#writtenSplitter.split(text, this.#writtenPermit(text, masked))) {
      const before = out.length
      const encodeTo = (end: number, into: IdBuffer): void =>
        this.#encodePlain(text.slice(piece.start, end), masked.slice(piece.start, end), piece.start === 0, into)
      for (; next < cuts.length && cuts[next]! <= piece.start; next++) counts[next] = before
      if (piece.id >= 0) out.push(piece.id)
      else encodeTo(piece.end, out)
      for (; next < cuts.length && cuts[next]! < piece.end; next++) {
        const prefix = new IdBuffer()
        if (piece.id < 0) encodeTo(cuts[next]!, prefix)
        counts[next] = before + out.commonLength(before, prefix)
      }
    }
    counts.fill(out.length, next)
    return { ids: this.#checked(out.toArray()), cuts: counts }
  }

  /** Decodes ids to text; ids that no token has are skipped, bytes that are no UTF-8 become U+FFFD. */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const bytesOf = this.#bytesOf(options)
    const chunks: Uint8Array[] = []
    for (let i = 0; i < ids.length; i++) {
      const bytes = bytesOf(ids[i]!, chunks.length === 0)
      if (bytes !== undefined) chunks.push(bytes)
    }
    return decodeBytes(chunks, this.#tokenBytes)
  }

  /** A decoder for ids that come one at a time; its pieces, joined, are what `decode` gives for all of them. */
  streamDecoder(options: DecodeOptions = {}): StreamDecoder {
    return new StreamDecoder(this.#bytesOf(options), this.#tokenBytes)
  }

  #bytesOf({ skipSpecialTokens = false }: DecodeOptions): (id: number, isFirst: boolean) => Uint8Array | undefined {
    this.#byteTable ??= new ByteTable(this.#spellings, this.#tokenBytes)
    const table = this.#byteTable
    return (id, isFirst) => {
      const token = this.#spellings[id]
      if (token === undefined || (skipSpecialTokens && this.#specialIds.has(id))) return undefined
      return isFirst ? this.#tokenBytes.of(token, true) : table.of(id)
    }
  }

  /** A tokenizer of another tokenizer.json with the roles, names and templates of this one. */
  withJson(json: TokenizerJson): Tokenizer {
    return Tokenizer.#complete(checkTokenizerJson(json, 'tokenizer.json'), this.#files)
  }

  /** This tokenizer with a token for a role that its files name none for. */
  withRole(role: TokenRole, token: string): Tokenizer {
    const roles = { ...this.#files.roles, [role]: token }
    const namedTokens = { ...this.namedTokens, [`${role}_token`]: token }
    return new Tokenizer(this.#json, { ...this.#files, roles, namedTokens }, this.sideTokens, this.#rows)
  }

  /** The tokenizer.json that describes this tokenizer, for saving; not a copy. */
  toJson(): TokenizerJson {
    return this.#json
  }

  /**
   * Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json and, if there is a template, chat_template.jinja.
   * `chatTemplate` replaces the one that came with the tokenizer.
   */
  async save(
    directory: string,
    { chatTemplate = this.chatTemplate }: { chatTemplate?: string | undefined } = {},
  ): Promise<void> {
    writeTokenizerFiles(directory, this.#json, { ...this.#files, ...(chatTemplate !== undefined && { chatTemplate }) })
  }

  #checked(ids: Int32Array): Int32Array {
    const wrong = this.beyond.length === 0 ? undefined : ids.find((id) => id >= this.#rows)
    if (wrong === undefined) return ids
    throw new InputError(
      `text: expected tokens that the model has rows for (ids 0 to ${this.#rows - 1}), got ${JSON.stringify(this.idToToken(wrong))} (${wrong}). Leave it out of the text`,
    )
  }

  #encodeInto(text: string, guard: ControlGuard, out: IdBuffer): void {
    for (const piece of this.#rawSplitter.split(text, permitOf(text, guard))) {
      if (piece.id >= 0) out.push(piece.id)
      else
        this.#encodePlain(
          text.slice(piece.start, piece.end),
          sliceGuard(guard, piece.start, piece.end),
          piece.start === 0,
          out,
        )
    }
  }

  #encodePlain(text: string, guard: ControlGuard, isFirst: boolean, out: IdBuffer): void {
    const normalized = this.#normalizer?.(text) ?? text
    const emit = (word: string): void => this.#model.encodeWord(word, out)
    if (this.#normalizedSplitter.isEmpty) {
      if (normalized !== '') this.#preTokenizer.split(normalized, isFirst, emit)
      return
    }
    const permit = permitOf(normalized, this.#normalizedGuard(normalized, guard))
    for (const piece of this.#normalizedSplitter.split(normalized, permit)) {
      if (piece.id >= 0) out.push(piece.id)
      else this.#preTokenizer.split(normalized.slice(piece.start, piece.end), isFirst && piece.start === 0, emit)
    }
  }

  /** Leaves normalized control tokens at the beginning, behind a space and behind each other to the search in normalized text. */
  #writtenPermit(text: string, masked: string): ControlPermit {
    const permit = permitOf(text, masked)
    const controls = this.#normalizedControls
    if (controls.length === 0) return permit
    return (start, end) => {
      if (!permit(start, end)) return false
      if (!controls.includes(text.slice(start, end))) return true
      return start > 0 && !/\s/u.test(text[start - 1]!) && !controls.some((content) => masked.endsWith(content, start))
    }
  }

  /** The mask for normalized text: the normalized mask if it still lines up, else no control token is real. */
  #normalizedGuard(normalized: string, guard: ControlGuard): ControlGuard {
    if (guard === 'all' || guard === 'none') return guard
    const masked = this.#normalizer?.(guard) ?? guard
    return masked.length === normalized.length ? masked : 'none'
  }
}

function rolesByName(roles: Partial<Record<TokenRole, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(roles).map(([role, token]) => [`${role}_token`, token]))
}

function permitOf(text: string, guard: ControlGuard): ControlPermit {
  if (guard === 'all') return () => true
  if (guard === 'none') return () => false
  return (start, end) => text.slice(start, end) === guard.slice(start, end)
}

function sliceGuard(guard: ControlGuard, start: number, end: number): ControlGuard {
  return guard === 'all' || guard === 'none' ? guard : guard.slice(start, end)
}
