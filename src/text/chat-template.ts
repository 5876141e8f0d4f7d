// Renders chats with the Jinja template that comes with a model, byte for byte as Transformers does, under budgets.
// Encoding the result so that nobody's message can end a turn is chat-encoding.ts.

import { Environment, parse, tokenize } from '@huggingface/jinja'
import { AnnealError, TokenizerError } from '../errors.ts'
import { BudgetedInterpreter, limitError, type TemplateNode, templateGlobals } from './stages/template-interpreter.ts'

/** One message of a chat, as in `{"messages": [...]}`. */
export interface ChatMessage {
  role: string
  content?: unknown
  [field: string]: unknown
}

/** What to render. */
export interface ChatInput {
  messages: readonly ChatMessage[]
  /** JSON schemas of functions that the model may call. */
  tools?: readonly unknown[] | undefined
  documents?: readonly unknown[] | undefined
  /** End with the beginning of an assistant turn. Default false. */
  addGenerationPrompt?: boolean | undefined
  bosToken?: string | undefined
  eosToken?: string | undefined
  /** Further variables that the template knows, such as `enable_thinking`. */
  variables?: Readonly<Record<string, unknown>> | undefined
  /** The time that `strftime_now` tells. Default: now. */
  now?: Date | undefined
}

/** ChatML, for models that come without a template. */
export const CHATML_TEMPLATE: string = `{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}`

const MAX_SOURCE = 256 * 1024
const MAX_SPACES = 1000 // in one run: the library looks for `{% generation %}` in time quadratic in it
const MAX_VALUE_DEPTH = 64
const CACHED_TEMPLATES = 16
const parsed = new Map<string, TemplateNode>()

/** Renders a chat; throws a TokenizerError if the template is malformed, refuses the chat or exceeds a limit. */
export function renderChat(template: string, input: ChatInput): string {
  return renderProgram(parseTemplate(template), input)
}

/** Parses a template, or takes the tree of one that was parsed lately. */
export function parseTemplate(template: string): TemplateNode {
  const known = parsed.get(template)
  if (known !== undefined) return known
  if (template.length > MAX_SOURCE) throw limitError('source', MAX_SOURCE)
  if (new RegExp(`\\s{${MAX_SPACES}}`).test(template)) throw limitError('white space', MAX_SPACES)
  const program = guarded(() => parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true })) as TemplateNode)
  if (parsed.size >= CACHED_TEMPLATES) parsed.delete(parsed.keys().next().value!)
  parsed.set(template, program)
  return program
}

/**
 * Renders a parsed template. `hooks` are further global functions, and `onMessages` gets the interpreter's values of the
 * messages, whose identity the hooks' arguments keep.
 */
export function renderProgram(
  program: TemplateNode,
  input: ChatInput,
  hooks: Readonly<Record<string, unknown>> = {},
  onMessages?: (messages: unknown) => void,
): string {
  return guarded(() => {
    const environment = new Environment()
    const globals = {
      ...plainValue(input.variables ?? {}),
      tools: plainValue(input.tools ?? null),
      documents: plainValue(input.documents ?? null),
      add_generation_prompt: input.addGenerationPrompt === true,
      bos_token: input.bosToken ?? '',
      eos_token: input.eosToken ?? '',
      ...templateGlobals(input.now ?? new Date()),
      ...hooks,
    }
    const isTaken = (name: string): boolean => name === 'namespace' || name === 'messages'
    for (const [name, value] of Object.entries(globals)) if (!isTaken(name)) environment.set(name, value)
    const messages = environment.set('messages', plainValue(input.messages))
    onMessages?.(messages.value)
    return new BudgetedInterpreter(environment).run(program).value as string
  })
}

/** A deep copy of JSON-like data: own properties only, nothing callable, no cycles. */
export function plainValue<T>(value: T, depth = 0): T {
  if (depth > MAX_VALUE_DEPTH) throw limitError('nesting of messages or tools', MAX_VALUE_DEPTH)
  if (Array.isArray(value)) return value.map((item) => plainValue(item, depth + 1)) as T
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => [key, plainValue(item, depth + 1)] as const)
    // Defined one by one, so that a key `__proto__` is a key.
    const copy = Object.create(null) as Record<string, unknown>
    for (const [key, item] of entries) copy[key] = item
    return copy as T
  }
  return (
    typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint' ? undefined : value
  ) as T
}

/** Runs the library and gives its errors, and the overflow of a deeply nested template, as one TokenizerError. */
function guarded<T>(action: () => T): T {
  try {
    return action()
  } catch (cause) {
    if (cause instanceof AnnealError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new TokenizerError(`chat template failed: ${reason.slice(0, 300)}. Use another chat template`, { cause })
  }
}
