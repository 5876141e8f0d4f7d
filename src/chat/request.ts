// What is asked of a conversation: its messages, the tools that may be called, and what the answer has to be.

import type { Structure } from '../grammar/grammar.ts'
import type { GenerateOptions } from '../lm/lm.ts'
import type { ChatMessage } from '../text/chat-template.ts'

/** A function that the model may call, as in the OpenAI API. */
export interface Tool {
  type: 'function'
  function: {
    name: string
    description?: string
    /** JSON Schema of the arguments, an object; without one, any object. */
    parameters?: unknown
    strict?: boolean | null
  }
}

/** Whether tools are called: `none` never, `auto` as the model likes, `required` at least one, `{ name }` this one. */
export type ToolChoice = 'none' | 'auto' | 'required' | { name: string }

/** What to answer, and how. */
export interface ChatRequest extends Omit<GenerateOptions, 'skipSpecialTokens'> {
  messages: readonly ChatMessage[]
  tools?: readonly Tool[]
  /** Default `auto` where there are tools. */
  toolChoice?: ToolChoice
  /** Whether one answer may have several calls; default true. */
  parallelToolCalls?: boolean
  /** What the answer's own text has to be; reasoning before it and tool calls are not bound by it. */
  structure?: Structure
  /** Further variables of the chat template, such as `enable_thinking`. */
  variables?: Readonly<Record<string, unknown>>
  /** Documents for templates that have a place for them. */
  documents?: readonly unknown[]
  /** Default true: the answer begins a turn of the assistant. */
  addGenerationPrompt?: boolean
  /** The last message is the beginning of the answer and is gone on with. */
  continueFinalMessage?: boolean
  /** Numbers in [0, 1) that the ids of calls are drawn with. Default Math.random. */
  random?: () => number
}
