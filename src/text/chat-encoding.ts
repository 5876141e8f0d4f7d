// Encodes chats so that control tokens come from the template only: a message that spells `<|im_end|>` ends nothing, also if
// its parts are joined by the template. For chats without such text the ids are those of the rendered text. Every message
// gets the range of its tokens, so that a loss can be put on what an assistant said.

import { type ChatInput, chatVariables, parseTemplate, renderCalls, renderTemplate } from './chat-template.ts'
import { endOfFinalMessage } from './final-message.ts'
import { generationPrompt } from './generation-prompt.ts'
import type { Template } from './jinja/template.ts'
import type { Value } from './jinja/values.ts'
import { locateMessages, type TextSpan } from './locate-messages.ts'
import { type RegionRendering, renderWithRegions } from './message-regions.ts'
import type { RenderedAgain } from './read-ahead.ts'
import { ContentMask, type MaskExtent, toolTexts } from './stages/content-mask.ts'
import type { Tokenizer } from './tokenizer.ts'

/** Where a message is in the tokens of its chat: header `[start, bodyStart)`, what the author says `[bodyStart, end)`. */
export interface MessageSpan {
  readonly start: number
  /** For an assistant: the first token after the generation prompt, so that the body is what the model is to generate. */
  readonly bodyStart: number
  /** After the last token of the content alone, before what the template writes behind it; `bodyStart` where it is not there as it stands. */
  readonly bodyEnd: number
  /** After the end-of-turn token and whatever the template writes behind it. */
  readonly end: number
  /** Parts of the body that are another's words: what a tool answered, where a template writes it into the turn of its caller. */
  readonly foreign: readonly (readonly [start: number, end: number])[]
  /** True where what the template writes around such words could not be told from the author's own, and is in the body. */
  readonly hasUntoldFrame: boolean
  /** The text from `start` to `end`. */
  readonly text: string
}

/** An encoded chat. */
export interface EncodedChat {
  readonly ids: Int32Array
  readonly text: string
  /** One per message; undefined for a message that is not in the text in one place. */
  readonly spans: readonly (MessageSpan | undefined)[]
}

/** A rendered text and its masked copy, with the masked messages and where the template's loop was at which of them. */
interface Rendering extends RenderedAgain {
  readonly text: string
}

/** Renders and encodes a chat; its named tokens default to the tokenizer's. Errors are those of `renderChat`. */
export function encodeChat(tokenizer: Tokenizer, template: string, input: ChatInput): EncodedChat {
  const { chat, program, mask, rendering, text, masked } = rendered(tokenizer, template, input)
  const end = text.length
  const prompt = generationPrompt(program, chat, tokenizer.controlTokens)
  const located = locateMessages(rendering, { mask, prompt, controlTokens: tokenizer.controlTokens })
  const parts = located.map((part) => part && cutAt(part, end))
  const cuts = [...new Set(parts.flatMap(offsetsOf))].sort((a, b) => a - b)
  const encoded = tokenizer.encodeMasked(text, masked, cuts)
  const tokenAt = new Map(cuts.map((cut, index) => [cut, encoded.cuts[index]!]))
  const at = (offset: number): number => tokenAt.get(offset)!
  const spans = parts.map((part) => {
    if (part === undefined) return undefined
    const foreign = part.foreign.map(([start, end]) => [at(start), at(end)] as const)
    const { start, bodyStart, bodyEnd, end, hasUntoldFrame } = part
    const tokens = { start: at(start), bodyStart: at(bodyStart), bodyEnd: at(bodyEnd), end: at(end), foreign }
    return { ...tokens, hasUntoldFrame, text: text.slice(start, end) }
  })
  return { ids: encoded.ids, text, spans }
}

/**
 * The ids of `encodeChat`, without looking for the messages: where a template writes no control tokens between them, finding them
 * encodes the text again for each, which is too long for whoever wants an answer.
 */
export function encodeChatIds(tokenizer: Tokenizer, template: string, input: ChatInput): Int32Array {
  const { text, masked } = rendered(tokenizer, template, input)
  return tokenizer.encodeMasked(text, masked).ids
}

/** A chat as text and its masked copy, both up to where they are read. */
function rendered(tokenizer: Tokenizer, template: string, input: ChatInput) {
  const namedTokens = { ...tokenizer.namedTokens, ...input.namedTokens }
  const chat: ChatInput = { ...input, namedTokens, now: input.now ?? new Date() }
  const program = parseTemplate(template)
  const plain = renderCalls(program, chatVariables(chat), chat.now)
  const texts = JSON.stringify([chat.messages, chat.tools, chat.documents, chat.variables, template])
  const mask = ContentMask.for(tokenizer.controlTokens, texts, toolTexts(plain.variables.get('messages')!))
  const rendering = renderMasked(program, { ...plain, trusted: trustedNames(chat) }, mask, chat.now!)
  const end = chat.continueFinalMessage ? endOfFinalMessage(rendering.text, chat.messages) : rendering.text.length
  const [text, masked] = [rendering.text.slice(0, end), rendering.masked.slice(0, end)]
  return { chat, program, mask, rendering, text, masked }
}

/** What of a message's place is before `end`. */
function cutAt(part: TextSpan, end: number): TextSpan {
  const cut = (offset: number): number => Math.min(offset, end)
  const foreign = part.foreign.map(([from, to]) => [cut(from), cut(to)] as const)
  const { start, bodyStart, bodyEnd } = part
  return {
    ...part,
    start: cut(start),
    bodyStart: cut(bodyStart),
    bodyEnd: cut(bodyEnd),
    end: cut(part.end),
    foreign: foreign.filter(([from, to]) => to > from),
  }
}

function offsetsOf(part: TextSpan | undefined): number[] {
  return part === undefined ? [] : [part.start, part.bodyStart, part.bodyEnd, part.end, ...part.foreign.flat()]
}

/**
 * Renders the chat masked. Masking everything shows for each character whose it is, but templates that look into messages
 * (for `</think>`, say) may then write something else; that is noticed, and then only spelled-out tokens are masked.
 */
function renderMasked(
  program: Template,
  plain: { text: string; variables: Map<string, Value>; trusted: ReadonlySet<string> },
  mask: ContentMask,
  now: Date,
): Rendering {
  const attempts: [MaskExtent, boolean][] = [
    ['all', true],
    ['tokens', true],
    ['tokens', false],
  ]
  for (const [extent, withRegions] of attempts) {
    const rendering = tryRender(program, maskVariables(plain, mask, extent), mask, withRegions, now)
    if (rendering?.text === plain.text) return rendering
  }
  // The template treats a broken token differently from a whole one. The broken one is what it gets.
  const variables = maskVariables(plain, mask, 'tokens')
  const masked = renderTemplate(program, variables, { now })
  return { text: mask.restore(masked), masked, messages: messagesOf(variables), regions: [], all: [] }
}

/** The names of tokens, which may be control tokens; a variable of the caller's with such a name is text like any. */
function trustedNames({ namedTokens = {}, variables = {} }: ChatInput): Set<string> {
  const names = ['bos_token', 'eos_token', ...Object.keys(namedTokens)]
  return new Set(names.filter((name) => !Object.hasOwn(variables, name)))
}

function maskVariables(
  { variables, trusted }: { variables: Map<string, Value>; trusted: ReadonlySet<string> },
  mask: ContentMask,
  extent: MaskExtent,
): Map<string, Value> {
  const masked = new Map<string, Value>()
  for (const [name, value] of variables) {
    const isChat = name === 'messages' || name === 'tools' || name === 'documents'
    masked.set(name, trusted.has(name) ? value : mask.mask(value, isChat ? extent : 'tokens'))
  }
  return masked
}

function messagesOf(variables: Map<string, Value>): Value[] {
  const messages = variables.get('messages')
  return Array.isArray(messages) ? messages : []
}

function tryRender(
  program: Template,
  variables: Map<string, Value>,
  mask: ContentMask,
  withRegions: boolean,
  now: Date,
): Rendering | undefined {
  const messages = messagesOf(variables)
  const without = (dropped: ReadonlySet<number>): RegionRendering | undefined => {
    const left = messages.filter((_, index) => !dropped.has(index))
    return tryRender(program, new Map([...variables, ['messages', left]]), mask, true, now)
  }
  try {
    const rendered = withRegions
      ? renderWithRegions(program, variables, mask.marker, now)
      : { masked: renderTemplate(program, variables, { now }), regions: [], all: [] }
    return { text: mask.restore(rendered.masked), messages, without, ...rendered }
  } catch {
    return undefined // the same template has rendered the plain chat; the next attempt is closer to that
  }
}
