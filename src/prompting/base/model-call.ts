// One call of a model, whatever is behind it.

import type { Tool, ToolChoice } from '../../chat/request.ts'
import type { Structure } from '../../grammar/grammar.ts'
import type { ChatMessage } from '../../text/chat-template.ts'

/** How an answer is made. What is left out is the model's own. */
export interface ModelSettings {
  /** Tokens of the answer at most. */
  maxTokens?: number
  temperature?: number
  topP?: number
  /** Same seed, same answer, where the model keeps seeds. Default: one is drawn, and traces tell it. */
  seed?: number
  /** Texts that end the answer. */
  stop?: readonly string[]
  signal?: AbortSignal
}

/** What one call asks. */
export interface ModelCall extends ModelSettings {
  readonly messages: readonly ChatMessage[]
  readonly tools?: readonly Tool[]
  readonly toolChoice?: ToolChoice
  /** What the answer's text has to be. */
  readonly structure?: Structure
}
