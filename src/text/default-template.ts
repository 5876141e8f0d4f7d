// Which chat template a model gets that comes without one, as base models do. Its turns have to end with a token that the
// tokenizer has, or nothing that is trained with it ever stops.

import { CHATML_TEMPLATE } from './chat-template.ts'
import type { Tokenizer } from './tokenizer.ts'

/** As Zephyr has it: the roles are plain text, and the end-of-text token ends every turn. */
const END_OF_TEXT_TEMPLATE = `{%- for message in messages %}
{{- '<|' + message.role + '|>\\n' + message.content + eos_token + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|assistant|>\\n' }}
{%- endif %}`

/** The tokenizer's own template; else ChatML where its tokens are known or no token ends a text; else turns that end with that token. */
export function chatTemplateFor(tokenizer: Tokenizer): string {
  const { chatTemplate, bosTokenId, eosTokenId } = tokenizer
  if (chatTemplate !== undefined) return chatTemplate
  if (eosTokenId === undefined || tokenizer.controlTokens.has('<|im_end|>')) return CHATML_TEMPLATE
  const startsTexts = bosTokenId !== undefined && tokenizer.encode('')[0] === bosTokenId
  return startsTexts ? `{{- bos_token }}${END_OF_TEXT_TEMPLATE}` : END_OF_TEXT_TEMPLATE
}
