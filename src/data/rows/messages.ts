// Turns of a chat in any of the spellings that data has: OpenAI's {role, content}, ShareGPT's {from, value},
// content in parts [{type: 'text', text}], tool calls as objects or as JSON in a string.

import { InputError } from '../../errors.ts'
import { rememberSpelling } from '../../text/json-spelling.ts'
import type { Message, ToolCall, ToolDefinition, Turns } from './conversation.ts'

type Fields = Record<string, unknown>

/** Where a value stands, for errors: `data.jsonl:7, field 'messages'`. */
export type Place = string

/** Names of the assistant that belong to no format: the models that answered, as dumps of chats have it. */
export const OTHER_ROLE_NAMES: Readonly<Record<string, Message['role']>> = { model: 'assistant', chatgpt: 'assistant' }

const ROLES: Readonly<Record<string, Message['role'] | 'function_call'>> = {
  system: 'system',
  developer: 'developer',
  user: 'user',
  human: 'user',
  assistant: 'assistant',
  gpt: 'assistant',
  tool: 'tool',
  function: 'tool',
  observation: 'tool',
  function_call: 'function_call',
  ...OTHER_ROLE_NAMES,
}

/** Reads a list of turns, or JSON of one as tables have it. Throws InputError, with the field and the value, at one that is none. */
export function readMessages(value: unknown, place: Place): Message[] {
  const list = typeof value === 'string' ? fromJson(value, place) : value
  if (!Array.isArray(list) || list.length === 0) throw wrong(place, 'a list of messages', value)
  return list.map((item, i) => readMessage(item, `${place}[${i}]`))
}

/** Reads a string, a list of turns, or a single turn. A string that is JSON of turns, as tables have it, is these turns. */
export function readTurns(value: unknown, place: Place): Turns {
  if (typeof value === 'string') return isJsonOfTurns(value) ? readMessages(value, place) : value
  if (isFields(value)) return [readMessage(value, place)]
  if (Array.isArray(value)) return readMessages(value, place)
  throw wrong(place, `a text or a list of messages`, value)
}

function isJsonOfTurns(text: string): boolean {
  if (!/^\s*\[\s*\{\s*"/.test(text)) return false
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) && list.every((item) => isFields(item) && String(item.role ?? item.from) in ROLES)
  } catch {
    return false
  }
}

/** Whether a turn of the assistant says anything, to a person or a tool. */
export function hasAnswer({ role, content, tool_calls, reasoning_content = '' }: Message): boolean {
  return role === 'assistant' && (content.trim() !== '' || tool_calls !== undefined || reasoning_content.trim() !== '')
}

function readMessage(value: unknown, place: Place): Message {
  if (!isFields(value)) throw wrong(place, '{role, content} or {from, value}', value)
  // A column store gives every turn the keys of all: null means absent.
  const isShareGpt = (value.role ?? undefined) === undefined && (value.from ?? undefined) !== undefined
  const [roleKey, contentKey] = isShareGpt ? ['from', 'value'] : ['role', 'content']
  const role = ROLES[String(value[roleKey])]
  if (role === undefined) throw wrong(`${place}.${roleKey}`, Object.keys(ROLES).join(', '), value[roleKey])
  const content = value[contentKey]
  if (role === 'function_call') {
    return { role: 'assistant', content: '', tool_calls: readCalls(content, `${place}.${contentKey}`) }
  }
  const message: Message = {
    role,
    content: readContent(content, `${place}.${contentKey}`, role === 'assistant'),
    ...callsOf(value, place),
  }
  for (const key of ['name', 'tool_call_id'] as const) {
    if (typeof value[key] === 'string') message[key] = value[key]
  }
  const reasoning = value.reasoning_content ?? value.thinking
  if (typeof reasoning === 'string') message.reasoning_content = reasoning
  const weightKey = WEIGHT_KEYS.find((key) => (value[key] ?? undefined) !== undefined)
  const weight = weightKey && value[weightKey]
  // A negative one, counted as 1, would teach what it is to teach against.
  if (weight !== undefined && !(typeof weight === 'boolean' || (typeof weight === 'number' && weight >= 0)))
    throw wrong(`${place}.${weightKey}`, 'true, false or a number of at least 0', weight)
  if (weight !== undefined) message.isTrained = Number(weight) !== 0
  // ms-swift writes loss, torchtune masked. Both only leave turns out: nobody else's words are learnt because of them.
  if (value.loss === false || value.loss === 0 || value.masked === true) message.isTrained = false
  return message
}

/** Keys that say how much a turn is learnt from: LLaMA-Factory 1.0 writes loss_weight, axolotl weight or train. */
export const WEIGHT_KEYS = ['loss_weight', 'weight', 'train'] as const

/** Keys of turns that are read. */
export const READ_KEYS: ReadonlySet<string> = new Set([
  ...['role', 'content', 'from', 'value', 'name', 'tool_calls', 'function_call', 'tool_call_id'],
  ...['reasoning_content', 'thinking', ...WEIGHT_KEYS, 'loss', 'masked'],
])

/** The turns of a field as they stand there: one, a list of them, or JSON of one; none in a text. */
export function turnsIn(value: unknown): unknown[] {
  if (typeof value === 'string') return isJsonOfTurns(value) ? JSON.parse(value) : []
  return Array.isArray(value) ? value : [value]
}

/** The calls of a turn; OpenAI's older form has one, as `function_call`. */
function callsOf(value: Fields, place: Place): Pick<Message, 'tool_calls'> {
  const isThere = (calls: unknown): boolean =>
    calls !== undefined && calls !== null && calls !== '' && !(Array.isArray(calls) && calls.length === 0)
  if (isThere(value.tool_calls)) return { tool_calls: readCalls(value.tool_calls, `${place}.tool_calls`) }
  if (isThere(value.function_call)) return { tool_calls: readCalls(value.function_call, `${place}.function_call`) }
  return {}
}

function readContent(value: unknown, place: Place, mayBeMissing: boolean): string {
  if (typeof value === 'string') return value
  if ((value === null || value === undefined) && mayBeMissing) return ''
  if (!Array.isArray(value)) throw wrong(place, 'a string or a list of text parts', value)
  return value
    .map((part, i) => {
      const text = isFields(part) && part.type === 'text' ? (part.text ?? part.value) : part
      if (typeof text !== 'string') throw wrong(`${place}[${i}]`, `{type: 'text', text}`, part)
      return text
    })
    .join('')
}

/** Reads calls as OpenAI, ShareGPT and Hermes write them: one or a list, wrapped in `function` or not, or JSON of that. */
function readCalls(value: unknown, place: Place): ToolCall[] {
  const parsed = fromJson(value, place)
  const calls = Array.isArray(parsed) ? parsed : [parsed]
  return calls.map((call, i) => {
    const at = `${place}[${i}]`
    const inner = isFields(call) && isFields(call.function) ? call.function : call
    if (!isFields(inner) || typeof inner.name !== 'string') throw wrong(at, '{name, arguments}', call)
    const given = fromJson(inner.arguments ?? inner.parameters ?? {}, `${at}.arguments`)
    if (!isFields(given)) throw wrong(`${at}.arguments`, 'an object', given)
    const id = (call as Fields).id
    const made: ToolCall = { type: 'function', function: { name: inner.name, arguments: given } }
    return typeof id === 'string' ? { ...made, id } : made
  })
}

/** Reads tool definitions, bare or wrapped, or JSON of them; undefined where there are none. */
export function readTools(value: unknown, place: Place): ToolDefinition[] | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const parsed = fromJson(value, place)
  if (!Array.isArray(parsed)) throw wrong(place, 'a list of tools', value)
  const tools = parsed.map((tool, i): ToolDefinition => {
    const inner = isFields(tool) && isFields(tool.function) ? tool.function : tool
    if (!isFields(inner) || typeof inner.name !== 'string')
      throw wrong(`${place}[${i}]`, '{name, description, parameters}', tool)
    return { type: 'function', function: inner as ToolDefinition['function'] }
  })
  return tools.length === 0 ? undefined : tools
}

function fromJson(value: unknown, place: Place): unknown {
  if (typeof value !== 'string') return value
  try {
    const parsed: unknown = JSON.parse(value)
    rememberSpelling(value, parsed)
    return parsed
  } catch (error) {
    const isPython = /^\s*[[{]\s*(\{\s*)?'/.test(value) ? '; this is Python’s notation: write it with json.dumps' : ''
    throw wrong(place, `JSON (${(error as Error).message.slice(0, 80)}${isPython})`, value)
  }
}

/** True for an object with named fields. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The error for a value of the wrong shape. */
export function wrong(place: Place, expected: string, value: unknown): InputError {
  const got = value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value))
  const shown = got.length > 80 ? `${got.slice(0, 80)}…` : got
  const isBare = typeof value === 'number' || typeof value === 'boolean'
  const advice = isBare && /^a (?:text|string)\b/.test(expected) ? `. Write it as text, ${JSON.stringify(got)}` : ''
  return new InputError(`${place}: expected ${expected}, got ${shown}${advice}`)
}
