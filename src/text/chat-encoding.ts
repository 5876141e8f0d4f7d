// Encodes chats so that control tokens come from the template only: a message that spells `<|im_end|>` ends nothing, also if
// its parts are joined by the template. For chats without such text the ids are those of the rendered text. Every message
// gets the range of its tokens, so that a loss can be put on what an assistant said.

import { type ChatInput, type ChatMessage, parseTemplate, plainValue, renderProgram } from './chat-template.ts'
import { type MessageRegion, renderWithRegions } from './message-regions.ts'
import { ContentMask, type MaskExtent } from './stages/content-mask.ts'
import type { TemplateNode } from './stages/template-interpreter.ts'
import type { Tokenizer } from './tokenizer.ts'

/** Where a message is in the tokens of its chat: header `[start, bodyStart)`, what the author says `[bodyStart, end)`. */
export interface MessageSpan {
  readonly start: number
  /** For an assistant: the first token after the generation prompt, so that the body is what the model is to generate. */
  readonly bodyStart: number
  /** After the end-of-turn token and whatever the template writes behind it. */
  readonly end: number
}

/** An encoded chat. */
export interface EncodedChat {
  readonly ids: Int32Array
  readonly text: string
  /** One per message; undefined for a message that is not in the text in one place. */
  readonly spans: readonly (MessageSpan | undefined)[]
}

/** A rendered text and its masked copy, with the masked messages and where the template's loop was at which of them. */
interface Rendering {
  readonly text: string
  readonly masked: string
  readonly messages: readonly ChatMessage[]
  readonly regions: readonly MessageRegion[]
}

/** Renders and encodes a chat; `bosToken` and `eosToken` default to the tokenizer's. Errors are those of `renderChat`. */
export function encodeChat(tokenizer: Tokenizer, template: string, input: ChatInput): EncodedChat {
  const chat = withDefaults(tokenizer, input)
  const program = parseTemplate(template)
  const texts = JSON.stringify([chat.messages, chat.tools, chat.documents, chat.variables, template])
  const mask = ContentMask.for(tokenizer.controlTokens, texts)
  const rendering = renderMasked(program, chat, mask)
  const { text, masked } = rendering
  const parts = locate(rendering, generationPrompt(program, chat))
  const offsets = parts.flatMap((part) => (part === undefined ? [] : [part.start, part.bodyStart, part.end]))
  const cuts = [...new Set(offsets)].sort((a, b) => a - b)
  const encoded = tokenizer.encodeMasked(text, masked, cuts)
  const tokenAt = new Map(cuts.map((cut, index) => [cut, encoded.cuts[index]!]))
  const spans = parts.map((part) => {
    if (part === undefined) return undefined
    return { start: tokenAt.get(part.start)!, bodyStart: tokenAt.get(part.bodyStart)!, end: tokenAt.get(part.end)! }
  })
  return { ids: encoded.ids, text, spans }
}

function withDefaults(tokenizer: Tokenizer, input: ChatInput): ChatInput {
  const token = (id: number | undefined): string | undefined => (id === undefined ? undefined : tokenizer.idToToken(id))
  const { messages, tools, documents, variables } = plainValue(input)
  return {
    ...input,
    messages,
    tools,
    documents,
    variables,
    bosToken: input.bosToken ?? token(tokenizer.bosTokenId),
    eosToken: input.eosToken ?? token(tokenizer.eosTokenId),
    now: input.now ?? new Date(),
  }
}

/**
 * Renders the chat masked. Masking everything shows for each character whose it is, but templates that look into messages
 * (for `</think>`, say) may then write something else; that is noticed, and then only spelled-out tokens are masked.
 */
function renderMasked(program: TemplateNode, chat: ChatInput, mask: ContentMask): Rendering {
  const plain = renderProgram(program, chat)
  const attempts: [MaskExtent, boolean][] = [
    ['all', true],
    ['tokens', true],
    ['tokens', false],
  ]
  for (const [extent, withRegions] of attempts) {
    const rendering = tryRender(program, maskInput(chat, mask, extent), mask, withRegions)
    if (rendering?.text === plain) return rendering
  }
  // The template treats a broken token differently from a whole one. The broken one is what it gets.
  const input = maskInput(chat, mask, 'tokens')
  const masked = renderProgram(program, input)
  return { text: mask.restore(masked), masked, messages: input.messages, regions: [] }
}

function maskInput(chat: ChatInput, mask: ContentMask, extent: MaskExtent): ChatInput {
  const { messages, tools, documents, variables } = chat
  return {
    ...chat,
    messages: mask.mask(messages, extent),
    tools: mask.mask(tools, extent),
    documents: mask.mask(documents, extent),
    variables: mask.mask(variables, 'tokens'),
  }
}

function tryRender(
  program: TemplateNode,
  input: ChatInput,
  mask: ContentMask,
  withRegions: boolean,
): Rendering | undefined {
  try {
    const rendered = withRegions
      ? renderWithRegions(program, input, mask.marker)
      : { masked: renderProgram(program, input), regions: [] }
    return { text: mask.restore(rendered.masked), messages: input.messages, ...rendered }
  } catch {
    return undefined // the same template has rendered the plain chat; the next attempt is closer to that
  }
}

/** Start, body and end of every message as offsets in the text. */
function locate({ text, masked, messages, regions }: Rendering, prompt: string): (MessageSpan | undefined)[] {
  const byMessage = new Map(regions.map((region) => [region.message, region]))
  let searchFrom = 0
  return messages.map((message, index) => {
    const region = byMessage.get(index)
    // Masked contents are looked for in the masked text: a user who says "user" is not in the header.
    const content = typeof message.content === 'string' ? message.content.trim() : ''
    if (region !== undefined) {
      const { start, end } = region
      searchFrom = end
      if (message.role === 'assistant') return { start, bodyStart: start + commonPrefix(text, start, end, prompt), end }
      const at = content === '' ? -1 : masked.slice(start, end).indexOf(content)
      return { start, bodyStart: at === -1 ? start : start + at, end }
    }
    // Written outside the loop, such as a system message in front of it.
    const at = content === '' ? -1 : masked.indexOf(content, searchFrom)
    if (at === -1) return undefined
    searchFrom = at + content.length
    return { start: at, bodyStart: at, end: searchFrom }
  })
}

const generationPrompts = new WeakMap<TemplateNode, Map<string, string>>()

/** What the template writes to make the model answer; '' if it has nothing of the kind. */
function generationPrompt(program: TemplateNode, { variables, bosToken, eosToken, now }: ChatInput): string {
  const key = JSON.stringify([variables, bosToken, eosToken])
  const known = generationPrompts.get(program)?.get(key)
  if (known !== undefined) return known
  const probe = { messages: [{ role: 'user', content: '.' }], variables, bosToken, eosToken, now }
  let prompt = ''
  try {
    const without = renderProgram(program, probe)
    const complete = renderProgram(program, { ...probe, addGenerationPrompt: true })
    if (complete.startsWith(without)) prompt = complete.slice(without.length)
  } catch {
    // A template that refuses a lone user message.
  }
  generationPrompts.set(program, new Map([[key, prompt]]))
  return prompt
}

function commonPrefix(text: string, start: number, end: number, prompt: string): number {
  let length = 0
  while (length < prompt.length && start + length < end && text[start + length] === prompt[length]) length++
  return length
}
