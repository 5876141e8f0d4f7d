// What an index remembers of how it was made, so that it is searched in the same way.
import { UsageError } from '../../errors.ts'
import type { Embedder } from '../../lm/embedder.ts'
import { Bm25Formula, type Bm25Options } from '../bm25-formula.ts'
import { type Tokenize, type TokenizerOptions, tokenizer } from '../tokenize.ts'
import type { Metric } from '../vector-block.ts'

/** What makes vectors of an index, and what it is called: an index is searched only with what made it. */
export interface IndexEmbedder {
  model: Pick<Embedder, 'dimensions' | 'embed'>
  /** Name of the model, as an index remembers it. */
  name: string
  /** Commit, hash or date of the model's files, where it is known. */
  revision?: string
  /** Put before every query, such as `query: ` of E5. */
  queryPrefix?: string
  /** Put before every document, such as `passage: ` of E5. */
  documentPrefix?: string
}

/** The vectors of an index. */
export interface EmbeddingSettings {
  name: string
  revision?: string
  dimensions: number
  queryPrefix?: string
  documentPrefix?: string
  metric: Metric
  /** `int8`: bytes are looked at, and the best are scored again by the vectors. */
  type: 'f32' | 'int8'
}

/** All of it is stored in the index. */
export interface IndexSettings {
  /** The formula; `openIndex` may use another one. */
  bm25: Required<Bm25Options>
  /** How words are cut; `custom` by a function that has to be given again under the same name. */
  tokenizer: Required<TokenizerOptions> | { custom: string }
  /** Absent where there are no vectors. */
  embedding?: EmbeddingSettings
}

/** A tokenizer of your own, by a name: change the name when you change what it does. */
export interface NamedTokenizer {
  name: string
  tokenize: Tokenize
}

/** How an index is made. */
export interface IndexOptions {
  bm25?: Bm25Options
  /** How words are cut (data), or a function of your own with a name. */
  tokenizer?: TokenizerOptions | NamedTokenizer
  /** Gives documents and queries vectors. Without it there is search by words alone. */
  embedder?: IndexEmbedder
  /** Default `cosine`. */
  metric?: Metric
  /** Default `int8`. */
  vectors?: 'f32' | 'int8'
}

/** Settings as a new index keeps them. */
export function settingsOf(options: IndexOptions): IndexSettings {
  const { tokenizer: words = {}, embedder, metric = 'cosine', vectors = 'int8' } = options
  if (vectors !== 'f32' && vectors !== 'int8')
    throw new UsageError(`vectors: expected f32 or int8, got ${JSON.stringify(vectors)}`)
  return {
    bm25: new Bm25Formula(options.bm25).options,
    tokenizer:
      'tokenize' in words
        ? { custom: words.name }
        : { cjk: words.cjk ?? 'bigrams', stopWords: [...(words.stopWords ?? [])] },
    ...(embedder !== undefined && { embedding: { ...identityOf(embedder), metric, type: vectors } }),
  }
}

const identityOf = ({ model, name, revision, queryPrefix, documentPrefix }: IndexEmbedder) => ({
  name,
  ...(revision !== undefined && { revision }),
  dimensions: model.dimensions,
  ...(queryPrefix !== undefined && { queryPrefix }),
  ...(documentPrefix !== undefined && { documentPrefix }),
})

/** The function that cuts words as the index does. UsageError where it needs one that was not given, or another one was. */
export function tokenizeOf(settings: IndexSettings, given: IndexOptions['tokenizer'], directory: string): Tokenize {
  const { tokenizer: kept } = settings
  if ('custom' in kept) {
    if (given !== undefined && 'tokenize' in given && given.name === kept.custom) return given.tokenize
    const got = given === undefined ? 'none' : 'tokenize' in given ? JSON.stringify(given.name) : 'options'
    throw new UsageError(
      `tokenizer: expected ${JSON.stringify(kept.custom)}, with which ${directory} was made, got ${got}. Give the function that it was made with`,
    )
  }
  if (given !== undefined) {
    const asked = settingsOf({ tokenizer: given }).tokenizer
    if (JSON.stringify(asked) !== JSON.stringify(kept))
      throw new UsageError(
        `tokenizer: expected ${JSON.stringify(kept)}, with which ${directory} was made, got ${JSON.stringify(asked)}. Leave it out, or build the index again`,
      )
  }
  return tokenizer(kept)
}

/** UsageError where vectors of this embedder are not those of the index. */
export function checkEmbedder(settings: IndexSettings, embedder: IndexEmbedder, directory: string): void {
  const { embedding } = settings
  if (embedding === undefined)
    throw new UsageError(
      `embedder: expected none, for ${directory} has no vectors, got ${embedder.name}. Build it with this model`,
    )
  const say = (name: string, revision: string | undefined, dimensions: number): string =>
    `${name}${revision === undefined ? '' : ` at ${revision}`} (${dimensions} numbers)`
  const { name, revision, dimensions, queryPrefix, documentPrefix } = embedding
  const got = identityOf(embedder)
  const isSame =
    got.name === name &&
    got.dimensions === dimensions &&
    (got.revision === undefined || revision === undefined || got.revision === revision)
  if (!isSame)
    throw new UsageError(
      `embedder: expected ${say(name, revision, dimensions)}, whose vectors ${directory} has, got ${say(got.name, got.revision, got.dimensions)}. Search with the model of the index, or build it again with this one`,
    )
  for (const [key, kept, given] of [
    ['queryPrefix', queryPrefix, embedder.queryPrefix],
    ['documentPrefix', documentPrefix, embedder.documentPrefix],
  ] as const)
    if (given !== undefined && given !== (kept ?? ''))
      throw new UsageError(
        `${key}: expected ${JSON.stringify(kept ?? '')}, with which ${directory} was made, got ${JSON.stringify(given)}. Leave it out`,
      )
}
