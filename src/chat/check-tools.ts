// Tools and the choice among them, as requests give them: what is wrong with them, in the words of the OpenAI API.

import { UsageError } from '../errors.ts'
import { compileGrammar, type Structure } from '../grammar/grammar.ts'
import type { ToolFamily } from './families.ts'
import type { ChatRequest, Tool } from './request.ts'
import { type WrittenArguments, writtenArguments } from './written-arguments.ts'

/** Tools that a request may have. */
const MOST_TOOLS = 128
const NAME = /^[a-zA-Z0-9_-]{1,64}$/

/** What the arguments of a tool have to be, and what of its schema is not kept. */
export interface ToolArguments {
  name: string
  /** The schema without its remarks. */
  schema: Readonly<Record<string, unknown>>
  structure: Structure
  notice?: string
}

/** UsageError unless the tools are well-formed, have names of their own, and the choice names one of them. */
export function checkTools({ tools, toolChoice }: Pick<ChatRequest, 'tools' | 'toolChoice'>): void {
  const names = new Set<string>()
  if (tools !== undefined) {
    if (!Array.isArray(tools) || tools.length === 0)
      throw new UsageError(`tools: expected a list of at least one tool, got ${brief(tools)}. Leave it out`)
    if (tools.length > MOST_TOOLS)
      throw new UsageError(
        `tools: expected at most ${MOST_TOOLS}, got ${tools.length}. Give those that the question may need`,
      )
    for (const [i, tool] of tools.entries()) checkTool(tool, i, names)
  }
  const chosen = typeof toolChoice === 'object' && toolChoice !== null ? toolChoice.name : undefined
  const isKnown = toolChoice === undefined || ['none', 'auto', 'required'].includes(toolChoice as string)
  if (chosen === undefined && !isKnown)
    throw new UsageError(`tool_choice: expected none, auto, required or the name of a tool, got ${brief(toolChoice)}`)
  if (tools === undefined && (chosen !== undefined || toolChoice === 'required'))
    throw new UsageError(`tool_choice: expected tools beside it, got ${brief(toolChoice)} alone. Give \`tools\``)
  if (chosen !== undefined && !names.has(chosen))
    throw new UsageError(`tool_choice: expected one of ${[...names].join(', ')}, got ${brief(chosen)}`)
}

function checkTool(tool: unknown, index: number, names: Set<string>): void {
  const at = `tools[${index}]`
  const { type, function: given } = (tool ?? {}) as { type?: unknown; function?: unknown }
  if (type !== 'function') throw new UsageError(`${at}.type: expected "function", got ${brief(type)}`)
  if (typeof given !== 'object' || given === null)
    throw new UsageError(`${at}.function: expected an object with a name, got ${brief(given)}`)
  const { name, description, parameters, strict } = given as Record<string, unknown>
  if (typeof name !== 'string' || !NAME.test(name))
    throw new UsageError(`${at}.function.name: expected 1 to 64 of letters, digits, _ and -, got ${brief(name)}`)
  if (names.has(name)) throw new UsageError(`${at}.function.name: expected a name of its own, got ${name} again`)
  names.add(name)
  if (description != null && typeof description !== 'string')
    throw new UsageError(`${at}.function.description: expected a text, got ${brief(description)}`)
  if (strict != null && typeof strict !== 'boolean')
    throw new UsageError(`${at}.function.strict: expected true or false, got ${brief(strict)}`)
  if (parameters == null) return
  const kind =
    typeof parameters === 'object' && !Array.isArray(parameters) ? (parameters as { type?: unknown }).type : 0
  if (kind !== undefined && kind !== 'object')
    throw new UsageError(
      `${at}.function.parameters: expected a JSON Schema of an object, got ${kind === 0 ? brief(parameters) : `one of type ${brief(kind)}`}`,
    )
}

/** By what a tool says: what was found before. Requests say the same tools again and again. */
const known = new Map<string, ToolArguments>()
const MOST_KNOWN = 512

/**
 * What the arguments of each tool have to be, as a family writes them. A schema that masks cannot keep is refused where the tool is
 * `strict`; else more may come than it allows, and the notice says why.
 */
export function toolArguments(tools: readonly Tool[], notation: ToolFamily['notation']): ToolArguments[] {
  return tools.map((tool, index) => {
    const { name, parameters, strict } = tool.function
    const key = JSON.stringify([name, parameters, strict, notation])
    const found = known.get(key) ?? argumentsOf(tool, index, notation)
    known.delete(key)
    known.set(key, found)
    if (known.size > MOST_KNOWN) known.delete(known.keys().next().value!)
    return found
  })
}

function argumentsOf(
  { function: { name, parameters, strict } }: Tool,
  index: number,
  notation: ToolFamily['notation'],
): ToolArguments {
  const schema = { type: 'object', ...(bareSchema(parameters ?? {}) as object) }
  const loose = { type: 'object', ...(notation === 'xml' && { properties: {} }) }
  const write = (one: Readonly<Record<string, unknown>>): WrittenArguments =>
    notation === 'json' ? { structure: { json_schema: one }, notKept: [] } : writtenArguments(one, notation)
  try {
    const { structure, notKept } = write(schema)
    if (notKept.length > 0 && strict)
      throw new UsageError(`${notKept.join(', ')}: expected keywords that this model's way of writing calls can keep`)
    compileGrammar(structure)
    const notice = `arguments of ${name}: not kept in this model's way of writing calls: ${notKept.join(', ')}`
    return { name, schema, structure, ...(notKept.length > 0 && { notice }) }
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause
    const why = cause.message.replace(/^json_schema /, '')
    if (strict) throw new UsageError(`tools[${index}].function.parameters (${name}): ${why}`, { cause })
    const notice = `arguments of ${name}: any object, not the schema: ${why}`
    return { name, schema, structure: write(loose).structure, notice }
  }
}

const REMARKS = new Set(['title', 'description', 'default', 'example', 'examples', '$comment'])
const BY_NAME = new Set(['properties', 'patternProperties', '$defs', 'definitions'])
const VALUES = new Set(['const', 'enum'])

/** A schema without its remarks: they are for the model, and structures have a size that they may not have. */
function bareSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(bareSchema)
  if (typeof schema !== 'object' || schema === null) return schema
  const inner = (key: string, value: unknown): unknown => {
    if (VALUES.has(key)) return value
    if (!BY_NAME.has(key) || typeof value !== 'object' || value === null || Array.isArray(value))
      return bareSchema(value)
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, bareSchema(one)]))
  }
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => !REMARKS.has(key))
      .map(([key, value]) => [key, inner(key, value)]),
  )
}

const brief = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 60)
