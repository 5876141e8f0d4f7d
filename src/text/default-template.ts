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

/** What to do where a chat template will not do: where one that does `what` is put. */
export function adviseTemplate(what: string): string {
  return `Put a chat template that ${what} into chat_template.jinja beside tokenizer.json (the model's, or a copy's that tokenizer_name_or_path names)`
}

/** What a run that writes chats says of a tokenizer without a template; undefined where it has one. */
export function fallbackNotice(tokenizer: Tokenizer): string | undefined {
  if (tokenizer.chatTemplate !== undefined) return undefined
  const template = chatTemplateFor(tokenizer)
  const what =
    template === CHATML_TEMPLATE
      ? 'ChatML (<|im_start|>role … <|im_end|>)'
      : `plain turns (<|role|> … ${tokenizer.idToToken(tokenizer.eosTokenId!)})`
  return `the model has no chat template: chats are written as ${what}, and the result is saved with that template. For another, put chat_template.jinja beside tokenizer.json (the model's, or a copy's that tokenizer_name_or_path names)`
}

/**
 * The tokenizer's own template for a chat with these tools; else ChatML where its tokens are known or no token ends a text; else turns
 * that end with that token.
 */
export function chatTemplateFor(tokenizer: Tokenizer, tools?: readonly unknown[]): string {
  const own = tokenizer.chatTemplateFor(tools)
  if (own !== undefined) return own
  const { bosTokenId, eosTokenId } = tokenizer
  if (eosTokenId === undefined || tokenizer.controlTokens.has('<|im_end|>')) return CHATML_TEMPLATE
  if (bosTokenId === undefined || tokenizer.encode('')[0] !== bosTokenId) return END_OF_TEXT_TEMPLATE
  // A token that has no name is not among the names that a template is given.
  const isNamed = tokenizer.namedTokens.bos_token !== undefined
  return `{{- ${isNamed ? 'bos_token' : JSON.stringify(tokenizer.idToToken(bosTokenId))} }}${END_OF_TEXT_TEMPLATE}`
}
