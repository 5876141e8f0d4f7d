// One example → the tokens of one sample, and which of them are learnt: what an assistant says with the token that ends its turn, a
// completion with the end-of-text token, or a whole text. Which tokens those are is told by where the template wrote them, never by
// their ids, so any template works, and a pad token that equals the end-of-text token hides nothing.
// What it is not: the reader of files (supervised-files.ts) or the cutting of long samples (overlong.ts).

import { InputError, TokenizerError } from '../../errors.ts'
import { counted } from '../../report/amounts.ts'
import { type EncodedChat, encodeChat, type MessageSpan } from '../../text/chat-encoding.ts'
import type { ChatInput } from '../../text/chat-template.ts'
import { adviseTemplate, chatTemplateFor, fallbackNotice } from '../../text/default-template.ts'
import type { Tokenizer } from '../../text/tokenizer.ts'
import { IGNORE_INDEX } from '../batch.ts'
import type { Example, Message, ToolDefinition } from '../rows/conversation.ts'
import { type Place, wrong } from '../rows/messages.ts'
import type { Sample } from '../sample.ts'
import { SpelledTally, spelledNotices } from '../spelled-tokens.ts'
import { ReasoningTally } from './reasoning.ts'

const NONE = new Int32Array()

/** How examples become samples. */
export interface SupervisedOptions {
  tokenizer: Tokenizer
  /** A Jinja chat template. Default: the tokenizer's own, else one that it can end turns with. */
  chatTemplate?: string
  /** Learns from every turn of the assistant, or from the last of each chat only. Default `all`. */
  turns?: 'all' | 'last'
  /** Reads control tokens that are spelled in prompts, completions and texts, as in data that was rendered before. Chats never do. Default false. */
  allowSpecial?: boolean
}

/** Encodes examples for supervised fine-tuning. */
export class SupervisedEncoder {
  readonly tokenizer: Tokenizer
  /** The template of chats without tools. */
  readonly chatTemplate: string
  /** Whether the reasoning of the answers so far is in what is learnt. */
  readonly reasoning: ReasoningTally = new ReasoningTally()
  /** Texts that spell control tokens, where these are read as text. */
  readonly spelled: SpelledTally
  /** Chats in which what a template writes around a tool's answer is learnt. */
  private untoldFrames = 0
  /** Whether a chat was among the examples so far. */
  hasChats = false
  private readonly options: SupervisedOptions
  /** What the tokenizer puts around a text; the end-of-text token is always there if it has one. */
  private readonly frame: { before: Int32Array; after: Int32Array }

  constructor(options: SupervisedOptions) {
    this.options = options
    this.tokenizer = options.tokenizer
    this.chatTemplate = options.chatTemplate ?? chatTemplateFor(options.tokenizer)
    this.frame = frameOf(options.tokenizer)
    this.spelled = new SpelledTally(options.tokenizer.controlTokens)
  }

  /**
   * Encodes one example; `place`, such as `data.jsonl:7`, is for errors. Throws InputError where there is nothing to learn. With `mayStop`
   * an empty completion is one: to end the text here.
   */
  encode(example: Example, place: Place, mayStop = false): Sample {
    switch (example.kind) {
      case 'conversation':
        return this.chat(example.messages, 0, example.tools, place)
      case 'prompt-completion': {
        const { prompt, completion } = example
        if (typeof prompt === 'string' && typeof completion === 'string')
          return this.text(prompt, completion, place, mayStop)
        if (typeof prompt === 'string' || typeof completion === 'string')
          throw wrong(place, 'prompt and completion in one form, strings or messages', completion)
        return this.chat([...prompt, ...completion], prompt.length, example.tools, place)
      }
      case 'text':
        return this.text('', example.text, place, false)
      default:
        throw new InputError(
          `row in ${place}: expected a conversation, a prompt with its completion, or a text, got a ${example.kind} row. ` +
            (example.kind === 'preference' ? 'Train it with stage: dpo' : 'Give rows with answers to learn from'),
        )
    }
  }

  /** What people should hear of the examples so far, which are from `files`. InputError where all reasoning would be lost. */
  notices(files: string): string[] {
    const count = this.untoldFrames
    const frames = `in ${counted(count, 'chat')} the chat template writes a tool's answer into the turn of its caller in a way that only the answer, and not what stands around it, could be left out of what is learnt`
    const fallback =
      this.hasChats && this.options.chatTemplate === undefined ? fallbackNotice(this.tokenizer) : undefined
    return [
      ...(fallback === undefined ? [] : [fallback]),
      ...this.reasoning.notices(files),
      ...spelledNotices(this.spelled.found()),
      ...(count === 0 ? [] : [`${frames}. ${adviseTemplate('gives answers turns of their own')}`]),
    ]
  }

  /** True for tokens that can end an answer: the end-of-text token and those that only a template can write. */
  isStop(id: number): boolean {
    return id === this.tokenizer.eosTokenId || this.tokenizer.controlTokens.has(this.tokenizer.idToToken(id) ?? '')
  }

  private chat(
    messages: readonly Message[],
    answersFrom: number,
    tools: readonly ToolDefinition[] | undefined,
    place: Place,
  ): Sample {
    this.hasChats = true
    const asked = [...messages.keys()].filter(
      (i) => i >= answersFrom && (messages[i]!.isTrained ?? messages[i]!.role === 'assistant'),
    )
    const turns = this.options.turns === 'last' ? asked.slice(-1) : asked
    if (turns.length === 0) throw nothingToLearn(place, `roles ${messages.map(({ role }) => role).join(', ')}`)
    const input = { messages: messages.map(forTemplate), tools }
    const template = this.options.chatTemplate ?? chatTemplateFor(this.tokenizer, tools)
    const { ids, spans, text } = this.rendered(template, input, place)
    const labels = new Int32Array(ids.length).fill(IGNORE_INDEX)
    let hasUntoldFrame = false
    for (const turn of turns) {
      const span = spans[turn]
      if (span === undefined) {
        throw new InputError(
          `row in ${place}, message ${turn}: expected the chat template to write it, got a rendering without it. ` +
            adviseTemplate('writes every turn of the assistant'),
        )
      }
      const end = this.turnEnd(ids, span)
      const names = messages[turn]!.tool_calls?.map((call) => call.function.name) ?? []
      this.requireNames(
        names,
        names.length === 0 ? '' : this.tokenizer.decode(ids.subarray(span.bodyStart, end)),
        place,
      )
      labels.set(ids.subarray(span.bodyStart, end), span.bodyStart)
      hasUntoldFrame ||= span.hasUntoldFrame
      for (const [from, to] of span.foreign) labels.fill(IGNORE_INDEX, Math.max(from, span.bodyStart), to)
      this.reasoning.add(messages[turn]!, span.text)
    }
    if (hasUntoldFrame) this.untoldFrames++
    this.requireNames(tools?.map((tool) => tool.function.name) ?? [], text, place)
    return checked({ ids, labels }, place)
  }

  /** A template may refuse a chat, such as one with a system turn: which row it was is said. */
  private rendered(template: string, input: ChatInput, place: Place): EncodedChat {
    try {
      return encodeChat(this.tokenizer, template, input)
    } catch (error) {
      if (!(error instanceof TokenizerError)) throw error
      const roles = input.messages.map(({ role }) => role).join(', ')
      throw new TokenizerError(
        `row in ${place}: ${error.message} (roles ${roles}). Leave the row out, or change its turns`,
        {
          cause: error,
        },
      )
    }
  }

  /** Many templates leave out tools that they do not know; the model would then learn to say nothing where it should call one. */
  private requireNames(names: readonly string[], text: string, place: Place): void {
    const missing = names.find((name) => !text.includes(name))
    if (missing === undefined) return
    throw new InputError(
      `row in ${place}: expected the chat template to write the tool or call '${missing}', got a rendering without it. ` +
        `${adviseTemplate('knows tools')}, or remove tools and tool_calls from the data`,
    )
  }

  /** The end of what is learnt: after the token that closes the turn. Line breaks behind it are the template's, and never generated. */
  private turnEnd(ids: Int32Array, { bodyStart, end }: MessageSpan): number {
    let last = end
    while (last > bodyStart && this.tokenizer.decode(ids.subarray(last - 1, last)).trim() === '') last--
    return last > bodyStart && this.isStop(ids[last - 1]!) ? last : end
  }

  /** Encoded as one text, as Transformers does; a token that is partly prompt belongs to the completion. */
  private text(prompt: string, completion: string, place: Place, mayStop: boolean): Sample {
    if (completion === '' && !mayStop) throw nothingToLearn(place, 'an empty text')
    const text = prompt + completion
    const controls = this.options.allowSpecial ? text : '\0'.repeat(text.length)
    const { ids: inner, cuts } = this.tokenizer.encodeMasked(text, controls, [prompt.length])
    if (!this.options.allowSpecial) this.spelled.add(text)
    const { before, after, end } = this.options.allowSpecial
      ? this.frameFor(inner)
      : { ...this.frame, end: inner.length }
    const ids = new Int32Array(before.length + inner.length + after.length)
    ids.set(before)
    ids.set(inner, before.length)
    ids.set(after, before.length + inner.length)
    const labels = ids.slice().fill(IGNORE_INDEX, 0, before.length + cuts[0]!)
    labels.fill(IGNORE_INDEX, before.length + end, before.length + inner.length)
    return checked({ ids, labels }, place)
  }

  /**
   * What is put around a text; a text that was rendered before has its own first and last token, which are not doubled. Line breaks
   * from `end` on are the template's, as in a chat.
   */
  private frameFor(inner: Int32Array): { before: Int32Array; after: Int32Array; end: number } {
    const { before, after } = this.frame
    const isBegun = before.length > 0 && before.every((id, i) => inner[i] === id)
    let last = inner.length
    while (last > 0 && this.tokenizer.decode(inner.subarray(last - 1, last)).trim() === '') last--
    const isEnded = after.length > 0 && last > 0 && inner[last - 1] === after.at(-1)
    return { before: isBegun ? NONE : before, after: isEnded ? NONE : after, end: isEnded ? last : inner.length }
  }
}

/** How many tokens of a sample are learnt. */
export function supervisedTokens({ labels }: Sample): number {
  let count = 0
  for (const label of labels) if (label !== IGNORE_INDEX) count++
  return count
}

/** `isTrained` is ours, a template must not see it; reasoning goes by two names, and templates know one or the other. */
export function forTemplate({ isTrained: _, ...message }: Message): Omit<Message, 'isTrained'> & { thinking?: string } {
  const { reasoning_content: thinking } = message
  return thinking === undefined ? message : { ...message, thinking }
}

/** Nothing predicts the first token, so it is never learnt. */
function checked(sample: Sample, place: Place): Sample {
  if (sample.labels.length > 0) sample.labels[0] = IGNORE_INDEX
  if (supervisedTokens(sample) === 0) throw nothingToLearn(place, `${sample.ids.length} tokens, none of them learnt`)
  return sample
}

function nothingToLearn(place: Place, got: string): InputError {
  return new InputError(
    `row in ${place}: expected at least one answer to learn from, got ${got}. Remove the row, or give it a turn of the assistant or a completion`,
  )
}

function frameOf(tokenizer: Tokenizer): { before: Int32Array; after: Int32Array } {
  const plain = tokenizer.encode('a', { addSpecialTokens: false })
  const framed = tokenizer.encode('a')
  const start = framed.findIndex((_, at) => plain.every((id, i) => framed[at + i] === id))
  const after = framed.slice(start + plain.length)
  const { eosTokenId } = tokenizer
  const ends = eosTokenId !== undefined && after.at(-1) !== eosTokenId
  return { before: framed.slice(0, start), after: ends ? Int32Array.of(...after, eosTokenId) : after }
}
