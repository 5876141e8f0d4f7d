// The `tokenizer.*` metadata of a GGUF file → a tokenizer with the same ids, as a tokenizer.json would describe it.

import { InputError, UnsupportedError } from '../errors.ts'
import { plainAddedToken } from '../text/stages/added-tokens.ts'
import type { StageConfig } from '../text/stages/stage-config.ts'
import { Tokenizer, type TokenRole } from '../text/tokenizer.ts'
import { booleanAt, integerAt, numbersAt, stringAt, stringsAt } from './metadata-fields.ts'
import { namedStages } from './pre-tokenizers.ts'
import type { GgufHeader } from './read.ts'
import { TOKEN_TYPE } from './tokenizer-metadata.ts'

/** The tokenizer in a GGUF file; undefined if the file says that it has none. */
export function tokenizerFromMetadata(header: GgufHeader): Tokenizer | undefined {
  const kind = stringAt(header, 'tokenizer.ggml.model')
  if (kind === undefined || kind === 'no_vocab' || kind === 'none') return undefined
  if (kind !== 'gpt2' && kind !== 'llama') {
    throw new UnsupportedError(
      `${header.file}:tokenizer.ggml.model: expected gpt2 or llama, got ${JSON.stringify(kind)}. Put the model's tokenizer.json beside the file`,
    )
  }
  const tokens = stringsAt(header, 'tokenizer.ggml.tokens') ?? missing(header, 'tokenizer.ggml.tokens')
  const types = numbersAt(header, 'tokenizer.ggml.token_type', tokens.length)
  const typeOf = (id: number): number => types?.[id] ?? TOKEN_TYPE.normal
  const added = tokens.flatMap((content, id) => {
    const type = typeOf(id)
    const isSpecial = type === TOKEN_TYPE.control || type === TOKEN_TYPE.unknown
    if (!isSpecial && type !== TOKEN_TYPE.userDefined) return []
    return [plainAddedToken(id, content, isSpecial)]
  })
  // Fillers between the last token and the last row of the embedding are no tokens.
  const known = tokens.flatMap((token, id) => (typeOf(id) === TOKEN_TYPE.unused ? [] : [[token, id] as const]))
  const roles: Partial<Record<TokenRole, string>> = {}
  const ids = { bos: 'bos', eos: 'eos', pad: 'padding', unk: 'unknown' } as const
  for (const role of Object.keys(ids) as TokenRole[]) {
    const id = integerAt(header, `tokenizer.ggml.${ids[role]}_token_id`)
    const token = id === undefined ? undefined : tokens[id]
    if (token !== undefined) roles[role] = token
  }
  const stages = kind === 'gpt2' ? byteLevelStages(header) : sentencePieceStages(header)
  const model =
    kind === 'gpt2'
      ? byteLevelModel(header)
      : {
          unk_token: roles.unk ?? null,
          fuse_unk: true,
          byte_fallback: true,
          ignore_merges: false,
          merges: mergesFromScores(header, tokens, typeOf),
        }
  const json = {
    version: '1.0',
    added_tokens: added,
    ...stages,
    post_processor: frame(header, kind, roles),
    model: { type: 'BPE', dropout: null, ...model, vocab: Object.fromEntries(known) },
  }
  const chatTemplate = stringAt(header, 'tokenizer.chat_template')
  return Tokenizer.fromJson(json, {
    name: header.file,
    roles,
    ...(chatTemplate !== undefined && { chatTemplate }),
  })
}

function missing(header: GgufHeader, key: string): never {
  throw new InputError(
    `${header.file}:${key}: expected it beside tokenizer.ggml.model, got nothing. Get the file again`,
  )
}

function byteLevelStages(header: GgufHeader): object {
  const { normalizer, pre_tokenizer } = stagesOf(header)
  const decoder = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  return { normalizer, pre_tokenizer, decoder }
}

function stagesOf(header: GgufHeader): ReturnType<typeof namedStages> {
  const name = stringAt(header, 'tokenizer.ggml.pre') ?? missing(header, 'tokenizer.ggml.pre')
  return namedStages(name, header.file)
}

function byteLevelModel(header: GgufHeader): object {
  const merges = stringsAt(header, 'tokenizer.ggml.merges') ?? missing(header, 'tokenizer.ggml.merges')
  const ignore_merges = stagesOf(header).isWholeWordFirst
  return { unk_token: null, fuse_unk: false, byte_fallback: false, ignore_merges, merges }
}

function sentencePieceStages(header: GgufHeader): object {
  const isPrefixed = booleanAt(header, 'tokenizer.ggml.add_space_prefix') ?? true
  const replace = (from: string, to: string): StageConfig => ({
    type: 'Replace',
    pattern: { String: from },
    content: to,
  })
  const normalizers = [...(isPrefixed ? [{ type: 'Prepend', prepend: '▁' }] : []), replace(' ', '▁')]
  const strip = isPrefixed ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []
  const decoders = [replace('▁', ' '), { type: 'ByteFallback' }, { type: 'Fuse' }, ...strip]
  return {
    normalizer: { type: 'Sequence', normalizers },
    pre_tokenizer: null,
    decoder: { type: 'Sequence', decoders },
  }
}

/** Every way to make a piece of two others is a merge; those of the piece with the highest score come first. */
function mergesFromScores(
  header: GgufHeader,
  tokens: readonly string[],
  typeOf: (id: number) => number,
): [string, string][] {
  const scores = numbersAt(header, 'tokenizer.ggml.scores', tokens.length) ?? missing(header, 'tokenizer.ggml.scores')
  const pieces = new Map<string, number>()
  for (const [id, token] of tokens.entries()) if (typeOf(id) === TOKEN_TYPE.normal) pieces.set(token, id)
  const found: { left: string; right: string; score: number }[] = []
  for (const [piece, id] of pieces) {
    // Longer ones would cost quadratic time, and no vocabulary has them.
    if (piece.length > 512)
      throw new InputError(`${header.file}:tokenizer.ggml.tokens[${id}]: expected at most 512 characters`)
    for (let cut = 1; cut < piece.length; cut++) {
      const [left, right] = [piece.slice(0, cut), piece.slice(cut)]
      if (pieces.has(left) && pieces.has(right)) found.push({ left, right, score: scores[id]! })
    }
  }
  // Sorting is stable: of equal scores the lower id comes first.
  return found.sort((a, b) => b.score - a.score).map(({ left, right }) => [left, right])
}

/** The start and end tokens around a text; llama.cpp's default is a start token for `llama` alone. */
function frame(
  header: GgufHeader,
  kind: 'gpt2' | 'llama',
  roles: Partial<Record<TokenRole, string>>,
): StageConfig | null {
  const isStarted = booleanAt(header, 'tokenizer.ggml.add_bos_token') ?? (kind === 'llama' || isLlama3(header))
  const isEnded = booleanAt(header, 'tokenizer.ggml.add_eos_token') ?? false
  const before = isStarted ? roles.bos : undefined
  const after = isEnded ? roles.eos : undefined
  if (before === undefined && after === undefined) return null
  const tokens = [before, after].filter((token) => token !== undefined)
  const idOf = (token: string): number => stringsAt(header, 'tokenizer.ggml.tokens')!.indexOf(token)
  const special = (id: string): object => ({ SpecialToken: { id, type_id: 0 } })
  const text = (id: 'A' | 'B'): object => ({ Sequence: { id, type_id: id === 'A' ? 0 : 1 } })
  const around = (id: 'A' | 'B'): object[] => [
    ...(before === undefined ? [] : [special(before)]),
    text(id),
    ...(after === undefined ? [] : [special(after)]),
  ]
  return {
    type: 'TemplateProcessing',
    single: around('A'),
    pair: [...around('A'), ...around('B')],
    special_tokens: Object.fromEntries(tokens.map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }])),
  }
}

const isLlama3 = (header: GgufHeader): boolean =>
  ['llama-bpe', 'llama3', 'llama-v3'].includes(stringAt(header, 'tokenizer.ggml.pre') ?? '')
