// Finds which part of a rendered chat belongs to which message, for any template that loops over them: the loops of its
// syntax tree are made to write a marker where an iteration over a message begins and ends.

import { type ChatInput, renderProgram } from './chat-template.ts'
import type { TemplateNode } from './stages/template-interpreter.ts'

/** The text `[start, end)` that the template wrote while its loop was at one message. */
export interface MessageRegion {
  readonly message: number
  readonly start: number
  readonly end: number
}

// Names that no template can spell.
const BEGIN = '\0begin'
const END = '\0end'

/** Renders with a marker, a character that nothing else writes, at both ends of every iteration: `m12<m` and `m12>m`. */
export function renderWithRegions(
  program: TemplateNode,
  input: ChatInput,
  marker: string,
): { masked: string; regions: MessageRegion[] } {
  const indexes = new Map<unknown, number>()
  const remember = (list: unknown): void => {
    for (const [index, message] of (list as { value: unknown }[]).entries()) indexes.set(message.value, index)
  }
  const mark = (sign: string) => (value: unknown) => {
    const index = indexes.get(value)
    return index === undefined ? '' : `${marker}${index}${sign}${marker}`
  }
  const hooks = { [BEGIN]: mark('<'), [END]: mark('>') }
  return takeMarkers(renderProgram(instrumented(program), input, hooks, remember), marker)
}

const instrumentedPrograms = new WeakMap<TemplateNode, TemplateNode>()

/** A copy of the tree whose loops call BEGIN and END with their variable. */
function instrumented(program: TemplateNode): TemplateNode {
  const known = instrumentedPrograms.get(program)
  if (known !== undefined) return known
  const copy = copyNode(program) as TemplateNode
  instrumentedPrograms.set(program, copy)
  return copy
}

function copyNode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyNode)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [copyNode(key), copyNode(item)]))
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.assign(Object.create(Object.getPrototypeOf(value)), value) as Record<string, unknown>
  for (const key of Object.keys(copy)) copy[key] = copyNode(copy[key])
  const variable = copy.loopvar as TemplateNode | undefined
  if (copy.type === 'For' && variable?.type === 'Identifier') {
    const call = (name: string): unknown => ({
      type: 'CallExpression',
      callee: { type: 'Identifier', value: name },
      args: [{ type: 'Identifier', value: variable.value }],
    })
    copy.body = [call(BEGIN), ...(copy.body as unknown[]), call(END)]
  }
  return copy
}

/** Cuts the markers out of a text and returns it with the largest region of each message. */
function takeMarkers(output: string, marker: string): { masked: string; regions: MessageRegion[] } {
  const parts = output.split(marker)
  const regions = new Map<number, MessageRegion>()
  const open = new Map<number, number>()
  let text = ''
  for (const [index, part] of parts.entries()) {
    // Text and marker bodies alternate.
    if (index % 2 === 0) {
      text += part
      continue
    }
    const message = Number.parseInt(part, 10)
    if (part.endsWith('<')) {
      open.set(message, text.length)
      continue
    }
    const start = open.get(message) ?? text.length
    const known = regions.get(message)
    if (text.length > start && (known === undefined || text.length - start > known.end - known.start)) {
      regions.set(message, { message, start, end: text.length })
    }
  }
  return { masked: text, regions: [...regions.values()] }
}
