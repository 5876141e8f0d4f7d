// A model directory for tests that need text: the tiny Llama fixture with a byte-level tokenizer, one token per byte.
// Its weights are random, so what it says is noise, often no UTF-8: a hard case for everything that prints text.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { plainAddedToken } from '../src/text/stages/added-tokens.ts'
import { byteLevelAlphabet } from '../src/text/stages/byte-level.ts'
import { Tokenizer } from '../src/text/tokenizer.ts'

const SPECIAL = ['<unk>', '<s>', '</s>', '<|im_start|>', '<|im_end|>']

/** Says `<|im_start|>role\ncontent<|im_end|>\n` for each message. */
export const TINY_CHAT_TEMPLATE = `{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`

/** Ids 0–4 are special, 5 + b is byte b; the start token comes first. */
export function tinyTokenizer(chatTemplate?: string): Tokenizer {
  const tokens = [...SPECIAL, ...byteLevelAlphabet()]
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, id) => plainAddedToken(id, content)),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges: [] },
  }
  const roles = { bos: '<s>', eos: '</s>', unk: '<unk>' }
  return Tokenizer.fromJson(json, { roles, ...(chatTemplate !== undefined && { chatTemplate }) })
}

/** Writes the directory and returns its path with a function that removes it. */
export async function tinyModelDirectory(
  options: { chatTemplate?: string; generationConfig?: object } = {},
): Promise<{ directory: string; remove: () => void }> {
  const directory = mkdtempSync(join(tmpdir(), 'anneal-tiny-'))
  cpSync(new URL('./fixtures/models/llama', import.meta.url), directory, { recursive: true })
  await tinyTokenizer(options.chatTemplate).save(directory)
  if (options.generationConfig !== undefined)
    writeFileSync(join(directory, 'generation_config.json'), JSON.stringify(options.generationConfig))
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
}
