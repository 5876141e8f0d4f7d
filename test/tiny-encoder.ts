// Directories of encoders and decoders for tests of stages with a head: the fixtures of 96 rows, with a WordPiece tokenizer of that many.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { plainAddedToken } from '../src/text/stages/added-tokens.ts'

const ENCODERS = fileURLToPath(new URL('./fixtures/encoders', import.meta.url))
const LETTERS = Array.from('abcdefghijklmnopqrstuvwxyz')
const SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
const WORDS = ['sun', 'bus', 'car', 'the', 'and', 'vos', 'tio', 'che', 'ola', 'sol', 'mar', 'luz', 'pan', 'rio']

/** A tokenizer of 96 tokens: letters alone and within words, and some words. */
export function wordPieceJson(): object {
  const tokens = [...SPECIAL, ...LETTERS, ...LETTERS.map((letter) => `##${letter}`), ...WORDS]
  const padded = [...tokens, ...Array.from({ length: 96 - tokens.length }, (_, i) => `[unused${i}]`)]
  const special = (content: string): object => ({
    [content]: { id: content, ids: [padded.indexOf(content)], tokens: [content] },
  })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => plainAddedToken(id, content)),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single: [
        { SpecialToken: { id: '[CLS]', type_id: 0 } },
        { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: '[SEP]', type_id: 0 } },
      ],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { ...special('[CLS]'), ...special('[SEP]') },
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(padded.map((token, id) => [token, id])),
    },
  }
}

/** Copies the fixture `name` of `test/fixtures/encoders` and gives it the tokenizer. */
export function tinyEncoderDirectory(name: string): { directory: string; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'tiny-encoder-'))
  cpSync(join(ENCODERS, name), directory, { recursive: true })
  writeTokenizer(directory)
  return { directory, remove: () => rmSync(directory, { recursive: true }) }
}

/** Writes the tokenizer's files. */
export function writeTokenizer(directory: string): void {
  writeFileSync(join(directory, 'tokenizer.json'), JSON.stringify(wordPieceJson()))
  const names = { pad_token: '[PAD]', unk_token: '[UNK]', cls_token: '[CLS]', sep_token: '[SEP]', mask_token: '[MASK]' }
  writeFileSync(
    join(directory, 'tokenizer_config.json'),
    JSON.stringify({ tokenizer_class: 'BertTokenizerFast', ...names }),
  )
}

/** Two kinds of texts that a small model can tell apart, as rows of `text` and `label`. */
export function labelledRows(count: number): { text: string; label: string }[] {
  const kinds = [
    ['south', ['vos', 'che', 'sol', 'mar']],
    ['north', ['tio', 'bus', 'pan', 'luz']],
  ] as const
  return Array.from({ length: count }, (_, i) => {
    const [label, words] = kinds[i % 2]!
    const own = [words[i % 4]!, words[(i >> 2) % 4]!]
    return {
      text: ['the', ...own, 'and', LETTERS[i % 26]!, LETTERS[(i * 7) % 26]!].slice(0, 4 + (i % 3)).join(' '),
      label,
    }
  })
}
