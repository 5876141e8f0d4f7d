// What a request asks of a model: the prompt and its structure, how the answer is read, and what was done that the request does not say.

import { UsageError } from '../errors.ts'
import type { GenerateRequest, Lm, Prompt } from '../lm/lm.ts'
import type { ChatMessage } from '../text/chat-template.ts'
import { rememberSpelling } from '../text/json-spelling.ts'
import type { AnswerParserOptions } from './answer-parser.ts'
import { answerStructure } from './answer-structure.ts'
import { checkTools, toolArguments } from './check-tools.ts'
import { type ReasoningMarks, reasoningMarks, type ToolFamily, toolFamily } from './families.ts'
import type { ChatRequest, Tool } from './request.ts'
import { spellTools } from './spelled-tools.ts'
import { isTextParameter } from './written-arguments.ts'

/** How a request is put and its answer read. */
export interface ChatPlan {
  request: GenerateRequest
  parser: AnswerParserOptions
  /** Stop strings that are looked for in the answer's text alone; where there are none, the model looks for its own. */
  stop: readonly string[]
  notices: readonly string[]
}

/** UsageError for tools that are malformed, or that cannot be kept to. */
export function planChat(lm: Lm, asked: ChatRequest): ChatPlan {
  checkTools(asked)
  const { tools, toolChoice, parallelToolCalls = true, random = Math.random, ...rest } = asked
  const {
    messages,
    structure,
    stop = [],
    continueFinalMessage,
    addGenerationPrompt,
    variables,
    documents,
    ...options
  } = rest
  // As if there were none: the template is not told of tools that may not be called.
  const used = toolChoice === 'none' ? [] : (tools ?? [])
  const template = (used.length > 0 ? lm.toolTemplate : undefined) ?? lm.chatTemplate
  const family = toolFamily(template)
  const given = family.isRendered ? withCallsAsMappings(messages) : spelled(lm, messages, used)
  const prompt = {
    messages: given,
    ...(used.length > 0 && family.isRendered && { tools: used }),
    ...(documents !== undefined && { documents }),
    ...(variables !== undefined && { variables }),
    ...(addGenerationPrompt !== undefined && { addGenerationPrompt }),
    ...(continueFinalMessage !== undefined && { continueFinalMessage }),
  }
  const reasoning = reasoningOf(lm, template, prompt)
  const plain: ChatPlan = {
    request: { ...options, ...prompt, ...(stop.length > 0 && { stop }), ...(structure !== undefined && { structure }) },
    parser: {},
    stop: [],
    notices: given === messages || family.isRendered ? [] : [SPELLED],
  }
  if (used.length === 0 && reasoning === undefined) return plain

  const marks = [...(reasoning === undefined ? [] : [reasoning.marks.open, reasoning.marks.close])]
  if (used.length > 0) marks.push(...marksOf(family))
  const isRaw = marks.some((mark) => isLeftOut(lm, mark))
  const parts = used.length === 0 ? [] : toolArguments(used, family.notation)
  const callable = typeof toolChoice === 'object' ? parts.filter(({ name }) => name === toolChoice.name) : parts
  const isRequired = toolChoice === 'required' || typeof toolChoice === 'object'
  const isStructured = used.length > 0 || structure !== undefined || isRaw
  for (const name of ['mask', 'ignoreEos'] as const)
    if (used.length > 0 && options[name]) throw new UsageError(`tools: expected them without \`${name}\`, got both`)
  const isBound = isStructured && !options.mask && !options.ignoreEos
  const answer = answerStructure({
    ...(reasoning !== undefined && { reasoning }),
    ...(used.length > 0 && { tools: { family, callable, isRequired, isParallel: parallelToolCalls } }),
    ...(structure !== undefined && { structure }),
  })
  return {
    request: {
      ...options,
      ...prompt,
      ...(isBound ? { structure: answer } : structure !== undefined && { structure }),
      ...(isRaw && { skipSpecialTokens: false }),
    },
    parser: {
      ...(reasoning !== undefined && { reasoning }),
      ...(used.length > 0 && {
        tools: {
          family,
          names: new Set(callable.map(({ name }) => name)),
          isFirst: structure !== undefined,
          isText: (tool, parameter) =>
            isTextParameter(callable.find(({ name }) => name === tool)?.schema ?? {}, parameter),
          makeId: () => makeId(family.id, random),
        },
      }),
    },
    stop,
    notices: [
      ...(given === messages || family.isRendered ? [] : [SPELLED]),
      ...callable.flatMap(({ notice }) => notice ?? []),
    ],
  }
}

const SPELLED = 'tools: written into the texts of the messages, for the chat template has no place for them'

/** What is done with a request that it does not say: tools in the system text, schemas that are not kept. For headers and logs. */
export function chatNotices(lm: Lm, request: ChatRequest): readonly string[] {
  return planChat(lm, request).notices
}

/** What the model reads of a request: the messages and tools as its template is given them. */
export function chatPrompt(lm: Lm, request: ChatRequest): Extract<Prompt, { messages: unknown }> {
  const asked = planChat(lm, request).request as Extract<Prompt, { messages: unknown }>
  const { messages, tools, documents, variables, addGenerationPrompt, continueFinalMessage } = asked
  const options = { tools, documents, variables, addGenerationPrompt, continueFinalMessage }
  return { messages, ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) }
}

function spelled(lm: Lm, messages: readonly ChatMessage[], tools: readonly Tool[]): readonly ChatMessage[] {
  const isPlain =
    tools.length === 0 && !messages.some(({ role, tool_calls: calls }) => role === 'tool' || calls != null)
  if (isPlain) return messages
  return spellTools(messages, tools, (those) => {
    try {
      lm.encode({ messages: those })
      return false
    } catch {
      return true
    }
  })
}

/**
 * The messages as templates expect them: arguments of calls as mappings (OpenAI's clients send texts, which most templates would write as
 * texts within JSON), and no field for calls where there are none, as templates ask for the field.
 */
function withCallsAsMappings(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  return messages.map((message) => {
    if (!('tool_calls' in message)) return message
    const { tool_calls: calls, ...rest } = message
    if (calls === null || (Array.isArray(calls) && calls.length === 0)) return rest as ChatMessage
    return Array.isArray(calls) ? { ...message, tool_calls: calls.map(withMapping) } : message
  })
}

function withMapping(call: { function?: { arguments?: unknown } }): unknown {
  const given = call?.function?.arguments
  if (typeof given !== 'string') return call
  try {
    const parsed: unknown = given.trim() === '' ? {} : JSON.parse(given)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return call
    rememberSpelling(given, parsed)
    return { ...call, function: { ...call.function, arguments: parsed } }
  } catch {
    return call // cut where an answer was, or no JSON: the template gets the text
  }
}

/** The marks of thoughts that may come, and whether the prompt has opened them; undefined where none are expected. */
function reasoningOf(
  lm: Lm,
  template: string | undefined,
  prompt: Pick<ChatRequest, 'messages' | 'addGenerationPrompt' | 'continueFinalMessage'>,
): { marks: ReasoningMarks; isOpen: boolean } | undefined {
  const marks = reasoningMarks(template)
  if (marks === undefined) return undefined
  const { continueFinalMessage = false, addGenerationPrompt = !continueFinalMessage } = prompt
  const text = (lm.renderChat?.(prompt.messages, { ...prompt, addGenerationPrompt }) ?? '').trimEnd()
  if (continueFinalMessage) {
    const said = String(prompt.messages.at(-1)?.content ?? '')
    const [opened, closed] = [said.lastIndexOf(marks.open), said.lastIndexOf(marks.close)]
    if (opened > closed) return { marks, isOpen: true }
    if (said.trim() !== '') return undefined
  }
  if (text.endsWith(marks.close)) return undefined
  return { marks, isOpen: text.endsWith(marks.open) }
}

/** Marks of calls that may be control tokens. */
function marksOf({ open, close, nameMarks, notation }: ToolFamily): string[] {
  const quote = typeof notation === 'object' ? notation.quote : ''
  return [open, close, nameMarks?.[1] ?? '', quote].filter((mark) => mark !== '')
}

/** Whether a text leaves this token out: one that the tokenizer flags special. */
function isLeftOut(lm: Lm, token: string): boolean {
  const ids = lm.encode({ prompt: token, addSpecialTokens: false, allowSpecial: true })
  return !lm.decode(ids).includes(token)
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

function makeId({ prefix, length }: { prefix: string; length: number }, random: () => number): string {
  return prefix + Array.from({ length }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join('')
}
