// A BERT vocabulary as its first checkpoints have it, one token a line (vocab.txt) → the tokenizer.json that it stands for.

import { TokenizerError } from '../errors.ts'
import { plainAddedToken } from './stages/added-tokens.ts'
import type { TokenizerJson } from './stages/tokenizer-json.ts'

const SPECIAL = { pad: '[PAD]', unk: '[UNK]', cls: '[CLS]', sep: '[SEP]', mask: '[MASK]' } as const

/**
 * What Transformers' BertTokenizerFast makes of `vocab`, the text of a vocab.txt, and of tokenizer_config.json. `name` is the file in
 * messages. TokenizerError where a token is missing that it cannot do without.
 */
export function tokenizerFromVocabulary(
  vocab: string,
  config: Readonly<Record<string, unknown>>,
  name: string,
): TokenizerJson {
  const tokens = vocab.replace(/\r?\n$/, '').split(/\r?\n/)
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const roles = Object.entries(SPECIAL).map(([role, usual]) => nameOf(config[`${role}_token`]) ?? usual)
  const [, unk, cls, sep] = roles as [string, string, string, string]
  const missing = [unk, cls, sep].find((token) => !ids.has(token))
  if (missing !== undefined)
    throw new TokenizerError(
      `bad vocabulary in ${name}: expected ${missing} among its ${tokens.length} tokens, got none. Is it BERT's? Save the tokenizer with Transformers' save_pretrained`,
    )
  const added = roles
    .flatMap((content) => (ids.has(content) ? [{ content, id: ids.get(content)! }] : []))
    .sort((a, b) => a.id - b.id)
  const special = (id: string): object => ({ SpecialToken: { id, type_id: 0 } })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added.map(({ id, content }) => plainAddedToken(id, content)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: config.tokenize_chinese_chars !== false,
      strip_accents: typeof config.strip_accents === 'boolean' ? config.strip_accents : null,
      lowercase: config.do_lower_case !== false,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [special(cls), { Sequence: { id: 'A', type_id: 0 } }, special(sep)],
      pair: [
        special(cls),
        { Sequence: { id: 'A', type_id: 0 } },
        special(sep),
        { Sequence: { id: 'B', type_id: 1 } },
        { SpecialToken: { id: sep, type_id: 1 } },
      ],
      special_tokens: Object.fromEntries(
        [cls, sep].map((token) => [token, { id: token, ids: [ids.get(token)!], tokens: [token] }]),
      ),
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: unk,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(ids),
    },
  } as unknown as TokenizerJson
}

function nameOf(token: unknown): string | undefined {
  const content = typeof token === 'object' && token !== null ? (token as { content?: unknown }).content : token
  return typeof content === 'string' ? content : undefined
}
