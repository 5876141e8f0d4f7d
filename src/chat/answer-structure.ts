// What an answer may be, as a structure: thoughts, text, and calls in the way of the model's family, with arguments that keep to their schemas.

import type { Structure } from '../grammar/grammar.ts'
import type { ToolArguments } from './check-tools.ts'
import type { ReasoningMarks, ToolFamily } from './families.ts'

/** What is asked of an answer. */
export interface AnswerParts {
  reasoning?: { marks: ReasoningMarks; isOpen: boolean }
  tools?: CallParts
  /** What the answer's own text has to be; default: any text. */
  structure?: Structure
}

interface CallParts {
  family: ToolFamily
  /** Those that may be called. */
  callable: readonly ToolArguments[]
  /** A call has to come. */
  isRequired: boolean
  isParallel: boolean
}

const NOTHING: Structure = { text: '' }
const SPACE: Structure = { regex: ' ?' }
const BREAKS: Structure = { regex: '\\n{0,2}' }

/** The structure of an answer. */
export function answerStructure({ reasoning, tools, structure }: AnswerParts): Structure {
  const unlike =
    reasoning === undefined || reasoning.isOpen ? [] : ['', '\n', '\n\n'].map((at) => at + reasoning.marks.open)
  const isFree = structure === undefined && !tools?.isRequired
  const body = tools === undefined ? (structure ?? freeText([], unlike)) : withCalls(tools, structure, unlike)
  if (reasoning === undefined) return body
  const { open, token = open, close } = reasoning.marks
  const thought = [{ until: close }, { token: close }, ...(isFree ? [] : [BREAKS])]
  if (reasoning.isOpen) return { sequence: [...thought, body] }
  return {
    sequence: [
      { any_of: [NOTHING, { sequence: [BREAKS, { token }, { text: open.slice(token.length) }, ...thought] }] },
      body,
    ],
  }
}

function withCalls(tools: CallParts, structure: Structure | undefined, unlike: readonly string[]): Structure {
  if (tools.isRequired) return calls(tools)
  if (structure !== undefined) return { any_of: [structure, calls(tools)] }
  return freeOrCalls(tools, unlike)
}

/** Free text, and calls in it wherever the model opens one. */
function freeOrCalls(tools: CallParts, unlike: readonly string[]): Structure {
  const { open, bare } = tools.family
  const token: Structure = { token: open }
  if (bare === undefined) {
    const call: Structure = { sequence: [token, behindMark(tools), freeText([open], [])] }
    return { sequence: [freeText([open], unlike), { repeat: call, ...howMany(tools, 0) }] }
  }
  const text = freeText([open], [...unlike, ...BARE_BEGINNINGS])
  // Such a call is the last thing in an answer: templates refuse several, and what stands behind one.
  const lead: Structure = { any_of: [SPACE, { sequence: [text, token] }] }
  return { any_of: [text, { sequence: [lead, object(tools)] }] }
}

/** One call or several, and nothing else. */
function calls(tools: CallParts): Structure {
  const { bare, open, form } = tools.family
  if (bare !== undefined) return { sequence: [{ any_of: [NOTHING, { token: open }] }, object(tools)] }
  const block: Structure = { sequence: [{ token: open }, behindMark(tools)] }
  if (form === 'list') return block
  return { repeat: { sequence: [block, { regex: '\\n?' }] }, ...howMany(tools, 1) }
}

/** What stands behind the mark: a call, or a list of them, and what closes it. */
function behindMark(tools: CallParts): Structure {
  const { family, isParallel } = tools
  const gap: Structure = { regex: family.gap }
  const close: readonly Structure[] = family.close === '' ? [] : [gap, { token: family.close }]
  if (family.form === 'named') {
    const [before, behind] = family.nameMarks!
    // The first mark of a family is a part of its text, the second one may be a token.
    const mark: readonly Structure[] = behind === '' ? [] : [{ token: behind }]
    const named = tools.callable.map(
      ({ name, structure }): Structure => ({
        sequence: [{ text: before + name }, ...mark, structure],
      }),
    )
    return { sequence: [gap, { any_of: named }, ...close] }
  }
  const one = object(tools)
  if (family.form === 'object') return { sequence: [gap, one, ...close] }
  const more: Structure = {
    repeat: { sequence: [{ text: ',' }, SPACE, one] },
    max: isParallel ? Number.POSITIVE_INFINITY : 0,
  }
  return { sequence: [gap, { text: '[' }, one, more, { text: ']' }, ...close] }
}

/** `{"name": "…", "arguments": …}` of one of the tools. */
function object({ family: { key }, callable }: CallParts): Structure {
  const named = callable.map(
    ({ name, structure }): Structure => ({
      sequence: [{ text: `${name}",` }, SPACE, { text: `"${key}":` }, SPACE, structure],
    }),
  )
  return { sequence: [{ text: '{"name":' }, SPACE, { text: '"' }, { any_of: named }, { text: '}' }] }
}

function freeText(marks: readonly string[], beginnings: readonly string[]): Structure {
  return { until: marks, ...(beginnings.length > 0 && { unlike: beginnings }) }
}

function howMany({ isParallel }: CallParts, min: number): { min: number; max?: number } {
  return isParallel ? { min } : { min, max: 1 }
}

/** How a call without its mark begins: text that does so is one. */
const BARE_BEGINNINGS = ['', ' ', '\n', '\n\n'].flatMap((space) => [`${space}{"name":"`, `${space}{"name": "`])
