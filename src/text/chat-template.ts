// Renders chats with the Jinja template that comes with a model, byte for byte as Transformers does.
// Encoding the result so that nobody's message can end a turn is chat-encoding.ts.

import { TokenizerError, UsageError } from '../errors.ts'
import { endOfFinalMessage, markFinalMessage } from './final-message.ts'
import { toValue } from './jinja/convert.ts'
import { TemplateError } from './jinja/errors.ts'
import { type RenderOptions, Template } from './jinja/template.ts'
import type { Value } from './jinja/values.ts'
import { flipArguments } from './tool-arguments.ts'

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
  /**
   * The last message is not ended, whoever's it is, so that its author goes on with it; white space at its end is there where the template
   * keeps it. Default false. Not together with `addGenerationPrompt`.
   */
  continueFinalMessage?: boolean | undefined
  bosToken?: string | undefined
  eosToken?: string | undefined
  /** Further tokens that the tokenizer has a name for, such as `pad_token`. */
  namedTokens?: Readonly<Record<string, string>> | undefined
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

const CACHED_TEMPLATES = 16
const parsed = new Map<string, Template>()

/**
 * Renders a chat; throws a TokenizerError if the template is malformed, refuses the chat or exceeds a limit. Where it fails at the
 * arguments of a tool call because they are a mapping, or a text, they are given the other way.
 */
export function renderChat(template: string, input: ChatInput): string {
  const program = parseTemplate(template)
  const { text } = renderCalls(program, chatVariables(input), input.now)
  return input.continueFinalMessage ? text.slice(0, endOfFinalMessage(text, input.messages)) : text
}

/** Parses a template, or takes one that was parsed lately. */
export function parseTemplate(template: string): Template {
  const known = parsed.get(template)
  if (known !== undefined) return known
  const program = guarded(() => new Template(template))
  if (parsed.size >= CACHED_TEMPLATES) parsed.delete(parsed.keys().next().value!)
  parsed.set(template, program)
  return program
}

/** The names that Transformers gives a template: a token that the tokenizer does not name is undefined there. */
export function chatVariables(input: ChatInput): Map<string, Value> {
  if (input.continueFinalMessage && input.addGenerationPrompt)
    throw new UsageError(
      'continueFinalMessage: expected it without addGenerationPrompt, which begins another message, got both. Leave one out',
    )
  const messages = input.continueFinalMessage ? markFinalMessage(input.messages) : input.messages
  return guarded(() => {
    const variables = new Map<string, Value>()
    const put = (name: string, value: unknown): void => {
      if (value !== undefined) variables.set(name, toValue(value))
    }
    for (const [name, token] of Object.entries(input.namedTokens ?? {})) put(name, token)
    put('bos_token', input.bosToken)
    put('eos_token', input.eosToken)
    for (const [name, value] of Object.entries(input.variables ?? {})) put(name, value)
    put('messages', messages)
    put('tools', input.tools ?? null)
    put('documents', input.documents ?? null)
    put('add_generation_prompt', input.addGenerationPrompt === true)
    return variables
  })
}

/** Renders with variables, turning the template's errors into a TokenizerError. */
export function renderTemplate(
  template: Template,
  variables: ReadonlyMap<string, Value>,
  options: RenderOptions,
): string {
  return guarded(() => template.render(variables, options))
}

/** A text, and the variables that it was rendered with. */
interface RenderedCalls {
  readonly text: string
  readonly variables: Map<string, Value>
}

/** Renders; where that fails and there are tool calls, once more with their arguments as texts, or as mappings. */
export function renderCalls(template: Template, variables: Map<string, Value>, now: Date = new Date()): RenderedCalls {
  try {
    return { text: renderTemplate(template, variables, { now }), variables }
  } catch (error) {
    const messages = flipArguments(variables.get('messages') ?? null)
    if (messages === undefined || !(error instanceof TokenizerError)) throw error
    const flipped = new Map([...variables, ['messages', messages]])
    try {
      return { text: renderTemplate(template, flipped, { now }), variables: flipped }
    } catch {
      throw error // what is wrong with the chat as it was given
    }
  }
}

/** Gives a template's errors as one TokenizerError, on one line; whoever prints it makes it printable. */
function guarded<T>(action: () => T): T {
  try {
    return action()
  } catch (cause) {
    if (!(cause instanceof TemplateError)) throw cause
    throw new TokenizerError(explain(cause), { cause })
  }
}

function explain({ kind, message, line }: TemplateError): string {
  const said = (message.length > 300 ? `${message.slice(0, 300)}…` : message).replaceAll(/[\r\n]+/g, ' ')
  if (kind === 'raised') return `chat template refused the chat: ${said}`
  if (kind === 'limit') return `template limit exceeded: ${said}. Use another chat template or a shorter chat`
  return `chat template failed${line === undefined ? '' : ` in line ${line}`}: ${said}. Use another chat template`
}
