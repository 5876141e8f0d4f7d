// What a request asks of a model: the prompt and its structure, how the answer is read, and what was done that the request does not say.

import { UsageError } from '../errors.ts'
import type { GenerateRequest, Lm, Prompt } from '../lm/lm.ts'
import type { ChatMessage } from '../text/chat-template.ts'
import type { AnswerParserOptions } from './answer-parser.ts'
import { answerStructure } from './answer-structure.ts'
import { withCallsAsMappings } from './call-history.ts'
import { checkTools, toolArguments } from './check-tools.ts'
import { expectedThoughts } from './expected-thoughts.ts'
import { GENERIC, type ToolFamily, toolFamily } from './families.ts'
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
  const { messages, structure, stop = [], ...options } = rest
  // As if there were none: the template is not told of tools that may not be called.
  const used = toolChoice === 'none' ? [] : (tools ?? [])
  const template = (used.length > 0 ? lm.toolTemplate : undefined) ?? lm.chatTemplate
  const family = familyOf(lm, template, used)
  const given = family.isRendered ? withCallsAsMappings(messages) : spelled(lm, messages, used)
  const prompt = { ...options, messages: given, ...(used.length > 0 && family.isRendered && { tools: used }) }
  const reasoning = expectedThoughts(lm, template, prompt)
  const notices = given === messages || family.isRendered ? [] : [SPELLED]
  const bound = structure !== undefined && { structure }
  if (used.length === 0 && reasoning === undefined)
    return { request: { ...prompt, ...(stop.length > 0 && { stop }), ...bound }, parser: {}, stop: [], notices }

  for (const name of ['mask', 'ignoreEos'] as const)
    if (used.length > 0 && options[name]) throw new UsageError(`tools: expected them without \`${name}\`, got both`)
  const marks = reasoning === undefined ? [] : [reasoning.marks.open, reasoning.marks.close]
  if (used.length > 0) marks.push(...marksOf(family))
  // Marks that a text leaves out have to be in it; then the structure keeps other control tokens from coming.
  const isRaw = marks.some((mark) => isLeftOut(lm, mark))
  const needsStructure = used.length > 0 || structure !== undefined || isRaw
  const parts = used.length === 0 ? [] : toolArguments(used, family.notation)
  const callable = typeof toolChoice === 'object' ? parts.filter(({ name }) => name === toolChoice.name) : parts
  const isRequired = toolChoice === 'required' || typeof toolChoice === 'object'
  const isParallel = parallelToolCalls && !family.isSingle
  const told = reasoning !== undefined && { reasoning }
  const answer = answerStructure({
    ...told,
    ...(used.length > 0 && {
      tools: { family, callable, isRequired, isParallel },
    }),
    ...bound,
  })
  const read: AnswerParserOptions['tools'] = {
    family,
    names: new Set(callable.map(({ name }) => name)),
    isFirst: structure !== undefined,
    ...(!isParallel && { most: 1 }),
    isText: (tool, parameter) => isTextParameter(callable.find(({ name }) => name === tool)?.schema ?? {}, parameter),
    makeId: () => makeId(family.id, random),
  }
  return {
    request: {
      ...prompt,
      ...(needsStructure && !options.mask && !options.ignoreEos ? { structure: answer } : bound),
      ...(isRaw && { skipSpecialTokens: false }),
    },
    parser: { ...told, ...(used.length > 0 && { tools: read }) },
    stop,
    notices: [...notices, ...callable.flatMap(({ notice }) => notice ?? [])],
  }
}

/** By model: the templates that write the tools they are given. */
const writing = new WeakMap<Lm, Map<string | undefined, boolean>>()

/** How tools are told and called: the template's own way, where it writes them. */
function familyOf(lm: Lm, template: string | undefined, tools: readonly Tool[]): ToolFamily {
  const family = toolFamily(template)
  if (!family.isRendered || tools.length === 0 || lm.renderChat === undefined) return family
  const known = writing.get(lm) ?? new Map<string | undefined, boolean>()
  writing.set(lm, known)
  let isWriting = known.get(template)
  if (isWriting === undefined) {
    const probe = [{ role: 'user', content: '.' }]
    try {
      isWriting = lm.renderChat(probe, { tools }) !== lm.renderChat(probe)
    } catch {
      isWriting = true // what is wrong with the tools is told where they are rendered
    }
    known.set(template, isWriting)
  }
  return isWriting ? family : GENERIC
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
