// Builds the model stage (BPE, Unigram, WordPiece or WordLevel) from the `model` field of a tokenizer.json and its checked vocabulary.
// Control tokens are cut out of it: no merge and no match in ordinary text can give one.

import { TokenizerError, UnsupportedError } from '../../errors.ts'
import { BpeModel, type TokenModel } from './bpe-model.ts'
import { byteLevelAlphabet, toByteLevel } from './byte-level.ts'
import { show, textField } from './stage-config.ts'
import type { TokenizerJson } from './tokenizer-json.ts'
import { UnigramModel } from './unigram-model.ts'
import type { Vocabulary } from './vocabulary.ts'
import { WordPieceModel } from './wordpiece-model.ts'

const MAX_MERGES = 4_000_000

/** Compiles the `model`; `isByteLevel` as the pre-tokenizer says, `file` names the source in messages. */
export function compileModel(
  model: TokenizerJson['model'],
  vocabulary: Vocabulary,
  isByteLevel: boolean,
  file: string,
): TokenModel {
  const type = model.type ?? (Array.isArray(model.vocab) ? 'Unigram' : model.merges === undefined ? 'WordPiece' : 'BPE')
  switch (type) {
    case 'BPE':
      return bpe(model, vocabulary, isByteLevel, file)
    case 'Unigram':
      return unigram(model, vocabulary, file)
    case 'WordPiece':
      return wordPiece(model, vocabulary, file)
    case 'WordLevel':
      return wordLevel(model, vocabulary, file)
    default:
      throw new UnsupportedError(
        `unknown model in ${file}:model.type: expected BPE, Unigram, WordPiece or WordLevel, got ${show(type)}. Use another tokenizer`,
      )
  }
}

function bpe(model: TokenizerJson['model'], vocabulary: Vocabulary, isByteLevel: boolean, file: string): TokenModel {
  if (model.dropout) {
    throw new UnsupportedError(
      `unknown kind of BPE in ${file}:model.dropout: expected null, got ${show(model.dropout)}. Use another tokenizer`,
    )
  }
  const affix = (field: string): string => textField({ type: 'BPE', ...model }, field, '', `${file}:model`)
  const [prefix, suffix] = [affix('continuing_subword_prefix'), affix('end_of_word_suffix')]
  const hasAffix = prefix !== '' || suffix !== ''
  const { ids, words } = vocabulary
  const ordinary = ordinaryId(vocabulary)
  const lookUp = (word: string): number | undefined => ordinary(isByteLevel ? toByteLevel(word) : word)
  const bpe = new BpeModel({
    vocab: words,
    merges: readMerges(model.merges, vocabulary, prefix, file),
    prefix,
    suffix,
    ...(isByteLevel && !hasAffix && { byteIds: Int32Array.from(byteLevelAlphabet(), (char) => words.get(char) ?? -1) }),
    byteFallbackIds: model.byte_fallback === true ? byteFallbackIds(words) : undefined,
    unknownId: unknownId(model, ids, file),
    fuseUnknown: model.fuse_unk === true,
    wholeWord: model.ignore_merges === true ? (hasAffix ? ordinary : lookUp) : undefined,
  })
  // Bytes stand in the vocabulary with the affixes around them, so words are read as the characters that bytes are written with.
  return isByteLevel && hasAffix ? { encodeWord: (word, out) => bpe.encodeWord(toByteLevel(word), out) } : bpe
}

/** The id of a token that text may produce within a word. */
function ordinaryId({ words, control }: Vocabulary): (token: string) => number | undefined {
  return (token) => {
    const id = words.get(token)
    return id === undefined || control.has(id) ? undefined : id
  }
}

/** Left, right and result of every merge, written as `"a b"` or `["a", "b"]`; without those that give a control token. */
function readMerges(merges: unknown, { words, control }: Vocabulary, prefix: string, file: string): Int32Array {
  if (!Array.isArray(merges) || merges.length > MAX_MERGES) {
    throw refusal(
      `${file}:model.merges`,
      `a list of up to ${MAX_MERGES}`,
      Array.isArray(merges) ? merges.length : merges,
    )
  }
  const flat = new Int32Array(merges.length * 3)
  let length = 0
  for (const [index, merge] of merges.entries()) {
    const pair: unknown[] = typeof merge === 'string' ? merge.split(' ', 3) : Array.isArray(merge) ? merge : []
    const [left, right] = pair
    const isPair = pair.length === 2 && typeof left === 'string' && typeof right === 'string'
    const triple = isPair ? [words.get(left), words.get(right), words.get(left + right.slice(prefix.length))] : []
    for (const id of [0, 1, 2].map((part) => triple[part])) {
      if (id === undefined) throw refusal(`${file}:model.merges[${index}]`, 'two tokens that join to a token', merge)
      flat[length++] = id
    }
    if (control.has(flat[length - 1]!)) length -= 3
  }
  return flat.slice(0, length)
}

function unigram(model: TokenizerJson['model'], vocabulary: Vocabulary, file: string): UnigramModel {
  const entries = model.vocab
  const unknown = model.unk_id ?? 0
  if (!Array.isArray(entries) || !Number.isInteger(unknown) || entries[unknown as number] === undefined) {
    throw refusal(`${file}:model.unk_id`, 'the id of a token in model.vocab', unknown)
  }
  return new UnigramModel({
    tokens: entries.map((entry) => String(entry[0])),
    scores: Float64Array.from(entries, (entry, index) => {
      if (Number.isFinite(entry[1])) return Number(entry[1])
      throw refusal(`${file}:model.vocab[${index}]`, 'a token and its score', entry)
    }),
    unknownId: unknown as number,
    excluded: vocabulary.control,
    byteFallbackIds: model.byte_fallback === true ? byteFallbackIds(vocabulary.words) : undefined,
  })
}

/** Every word is one token or unknown. */
function wordLevel(model: TokenizerJson['model'], vocabulary: Vocabulary, file: string): TokenModel {
  const lookUp = ordinaryId(vocabulary)
  const unknown = vocabulary.ids.get(textField({ type: 'WordLevel', ...model }, 'unk_token', '<unk>', `${file}:model`))
  return {
    encodeWord: (word, out) => {
      const id = lookUp(word) ?? unknown
      if (id !== undefined) return out.push(id)
      throw new TokenizerError(
        `cannot encode ${show(word)}: expected a word of the vocabulary or an unk_token in ${file}:model, got neither. Use another tokenizer`,
      )
    },
  }
}

function wordPiece(model: TokenizerJson['model'], vocabulary: Vocabulary, file: string): WordPieceModel {
  const { ids } = vocabulary
  const unknown = unknownId({ ...model, unk_token: model.unk_token ?? '[UNK]' }, ids, file)!
  const longest = model.max_input_chars_per_word ?? 100
  if (!Number.isInteger(longest) || (longest as number) < 1 || (longest as number) > 1000) {
    throw refusal(`${file}:model.max_input_chars_per_word`, 'a number from 1 to 1000', longest)
  }
  return new WordPieceModel({
    lookUp: ordinaryId(vocabulary),
    unknownId: unknown,
    continuingPrefix: textField({ type: 'WordPiece', ...model }, 'continuing_subword_prefix', '##', `${file}:model`),
    maxCharacters: longest as number,
  })
}

function unknownId(model: TokenizerJson['model'], ids: ReadonlyMap<string, number>, file: string): number | undefined {
  if (model.unk_token === undefined || model.unk_token === null) return undefined
  const id = typeof model.unk_token === 'string' ? ids.get(model.unk_token) : undefined
  if (id === undefined) throw refusal(`${file}:model.unk_token`, 'a token of the vocabulary', model.unk_token)
  return id
}

/** Ids of `<0x00>` to `<0xFF>`; undefined unless all are there. */
function byteFallbackIds(ids: ReadonlyMap<string, number>): Int32Array | undefined {
  const found = Int32Array.from({ length: 256 }, (_, byte) => {
    return ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`) ?? -1
  })
  return found.includes(-1) ? undefined : found
}

function refusal(where: string, expected: string, got: unknown): TokenizerError {
  return new TokenizerError(`bad model in ${where}: expected ${expected}, got ${show(got)}. Get the file again`)
}
