// What supervised data is after reading, whichever of the field's shapes it came in. Names are those of OpenAI and TRL.

/** A call that the assistant makes. `arguments` is an object, as chat templates expect it. */
export interface ToolCall {
  type: 'function'
  id?: string
  function: { name: string; arguments: Record<string, unknown> }
}

/** A tool that the assistant may call: a JSON Schema of its parameters. */
export interface ToolDefinition {
  type: 'function'
  function: { name: string; description?: string; parameters?: Record<string, unknown> }
}

/** One turn. */
export interface Message {
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool'
  content: string
  name?: string
  tool_calls?: ToolCall[]
  tool_call_id?: string
  reasoning_content?: string
  /** Whether the turn is learnt from; absent means the default: assistants' turns are. */
  isTrained?: boolean
}

/** Text that is continued (string) or a chat that is (messages). */
export type Turns = string | Message[]

/** Supervised fine-tuning on a chat. */
export interface Conversation {
  kind: 'conversation'
  messages: Message[]
  tools?: ToolDefinition[]
}

/** Supervised fine-tuning on a completion. */
export interface PromptCompletion {
  kind: 'prompt-completion'
  prompt: Turns
  completion: Turns
  tools?: ToolDefinition[]
}

/** A better and a worse answer to one prompt (DPO and its kin). */
export interface Preference {
  kind: 'preference'
  prompt: Turns
  chosen: Turns
  rejected: Turns
  tools?: ToolDefinition[]
}

/** An answer and whether it is wanted (KTO). */
export interface LabelledCompletion {
  kind: 'labelled'
  prompt: Turns
  completion: Turns
  label: boolean
  tools?: ToolDefinition[]
}

/** A prompt alone. */
export interface Prompt {
  kind: 'prompt'
  prompt: Turns
  tools?: ToolDefinition[]
}

/** Plain text. */
export interface PlainText {
  kind: 'text'
  text: string
}

/** One supervised example. */
export type Example = Conversation | PromptCompletion | Preference | LabelledCompletion | Prompt | PlainText
