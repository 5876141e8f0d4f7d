// The conditions of a hole → constraints and a structure: what can be kept to by masks is, and everything is checked while the text grows.

import type { Structure } from '../../../grammar/grammar.ts'
import type { Constraint } from '../../base/constraint.ts'
import { evaluate, evaluateKnown, type Scope } from './evaluate.ts'
import { exact, grows, type Known, knownFloat, knownInt, rangeOf, UNKNOWN } from './known.ts'
import { printExpression } from './print-script.ts'
import { ScriptError } from './script-error.ts'
import type { ScriptValue } from './script-type.ts'
import { type Comparison, type Expression, eachName, type Hole, type HoleType } from './syntax.ts'

/** What a hole has to be. */
export interface HoleRules {
  readonly constraints: readonly Constraint[]
  /** What its type and conditions say that masks can keep to. */
  readonly structure?: Structure
  /** The same of its value, as a JSON Schema, for services that take one. */
  readonly schema: unknown
  /** The value of a text that was written; undefined for a text that is none. */
  read(text: string): ScriptValue | undefined
}

const INTEGER_LIMIT = 999_999_999_999_999
const FLOAT = '-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,6})?'

/** `conditions`: those that are about this hole, all other names of which have values. */
export function holeRules(hole: Hole, conditions: readonly Expression[], scope: Scope): HoleRules {
  const { type } = hole
  const read = reader(type)
  const constraints = conditions.map((condition) => constraintOf(condition, hole, scope, read))
  const options =
    type.kind === 'choice' ? type.options : type.kind === 'one of' ? optionsOf(type.list, scope) : undefined
  const range = type.kind === 'int' ? rangeOfConditions(hole.name, conditions, scope) : undefined
  const structure =
    structureOf(type, options, range) ??
    conditions.map((one) => structureOfCondition(one, hole.name, scope)).find((one) => one !== undefined)
  return { constraints, ...(structure !== undefined && { structure }), schema: schemaOf(type, options, range), read }
}

/** Text → value, by type. */
function reader(type: HoleType): (text: string) => ScriptValue | undefined {
  switch (type.kind) {
    case 'int':
      return (text) => (/^-?(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined)
    case 'float':
      return (text) => (new RegExp(`^${FLOAT}$`).test(text) ? Number(text) : undefined)
    case 'bool':
      return (text) => (text === 'true' ? true : text === 'false' ? false : undefined)
    case 'json':
      return (text) => {
        try {
          return JSON.parse(text) as ScriptValue
        } catch {
          return undefined
        }
      }
    default:
      return (text) => text
  }
}

/** What is known of a hole's value when this has been written of it. */
export function knownOf(type: HoleType, text: string): Known {
  if (type.kind === 'int') return knownInt(text)
  if (type.kind === 'float') return knownFloat(text)
  return type.kind === 'bool' || type.kind === 'json' ? UNKNOWN : grows(text)
}

function constraintOf(
  condition: Expression,
  { name, type }: Hole,
  scope: Scope,
  read: (text: string) => ScriptValue | undefined,
): Constraint {
  const withHole = (known: Known): Scope => ({
    source: scope.source,
    look: (other) => (other === name ? known : scope.look(other)),
    spend: (amount) => scope.spend(amount),
  })
  return {
    name: printExpression(condition),
    check(text) {
      const value = read(text)
      if (value !== undefined && isTrue(condition, withHole(exact(value)))) return 'holds'
      const known = evaluateKnown(condition, withHole(knownOf(type, text)))
      return known.kind === 'exact' && known.value === false ? 'broken' : 'open'
    },
  }
}

/** Whether it holds of values that are there; one that cannot be found out of them, such as a fourth word of three, does not. */
function isTrue(condition: Expression, scope: Scope): boolean {
  try {
    return evaluate(condition, scope) === true
  } catch (error) {
    if (error instanceof ScriptError) return false
    throw error
  }
}

function optionsOf(list: Expression, scope: Scope): readonly string[] {
  return evaluate(list, scope) as readonly string[]
}

type Range = readonly [low: number, high: number]

function structureOf(
  type: HoleType,
  options: readonly string[] | undefined,
  range: Range | undefined,
): Structure | undefined {
  if (options !== undefined) return { choice: options }
  if (range !== undefined) return { json_schema: { type: 'integer', minimum: range[0], maximum: range[1] } }
  switch (type.kind) {
    case 'float':
      return { regex: FLOAT }
    case 'bool':
      return { choice: ['true', 'false'] }
    case 'json':
      return { json_schema: type.schema ?? true }
    case 'regex':
      return { regex: type.pattern }
    default:
      return undefined
  }
}

function schemaOf(type: HoleType, options: readonly string[] | undefined, range: Range | undefined): unknown {
  if (options !== undefined) return { type: 'string', enum: options }
  if (range !== undefined)
    return {
      type: 'integer',
      ...(range[0] > -INTEGER_LIMIT && { minimum: range[0] }),
      ...(range[1] < INTEGER_LIMIT && { maximum: range[1] }),
    }
  switch (type.kind) {
    case 'float':
      return { type: 'number' }
    case 'bool':
      return { type: 'boolean' }
    case 'json':
      return type.schema ?? {}
    case 'regex':
      return { type: 'string', pattern: `^(?:${type.pattern})$` }
    default:
      return { type: 'string' }
  }
}

/** From where to where a whole number has to be, by what it is compared with. */
function rangeOfConditions(name: string, conditions: readonly Expression[], scope: Scope): Range {
  let [low, high] = [-INTEGER_LIMIT, INTEGER_LIMIT]
  for (const condition of conditions) {
    if (condition.kind !== 'compare') continue
    let left = condition.first
    for (const comparison of condition.rest) {
      const found = boundOf(name, left, comparison, scope)
      if (found !== undefined) [low, high] = [Math.max(low, found[0]), Math.min(high, found[1])]
      left = comparison.right
    }
  }
  return low <= high ? [low, high] : [-INTEGER_LIMIT, INTEGER_LIMIT]
}

const SWAPPED = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '==': '==' } as const

function boundOf(name: string, left: Expression, { operator, right }: Comparison, scope: Scope): Range | undefined {
  if (!(operator in SWAPPED)) return undefined
  const isLeft = left.kind === 'name' && left.name === name
  const other = isLeft ? right : left
  if ((!isLeft && !(right.kind === 'name' && right.name === name)) || reads(other, name)) return undefined
  const range = rangeOf(evaluateKnown(other, scope))
  if (range === undefined) return undefined
  const [value] = range
  const relation = isLeft ? (operator as keyof typeof SWAPPED) : SWAPPED[operator as keyof typeof SWAPPED]
  const [no, endless] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  if (relation === '==') return [Math.ceil(value), Math.floor(value)]
  if (relation === '<=' || relation === '<') return [no, relation === '<' ? Math.ceil(value) - 1 : Math.floor(value)]
  return [relation === '>' ? Math.floor(value) + 1 : Math.ceil(value), endless]
}

function reads(expression: Expression, name: string): boolean {
  let found = false
  eachName(expression, (other) => {
    found ||= other === name
  })
  return found
}

/** What a mask can keep to of a condition on a text. */
function structureOfCondition(condition: Expression, name: string, scope: Scope): Structure | undefined {
  if (condition.kind === 'call') {
    const [of, ...others] = condition.given
    if (of?.kind !== 'name' || of.name !== name || others.some((other) => reads(other, name))) return undefined
    if (condition.name === 'stops_at') {
      const marks = others.map((other) => evaluate(other, scope) as string)
      const ends = marks.map((text): Structure => ({ text }))
      return marks.includes('') ? undefined : { sequence: [{ until: marks }, { any_of: ends }] }
    }
    return condition.name === 'matches' ? { regex: evaluate(others[0]!, scope) as string } : undefined
  }
  if (condition.kind !== 'compare' || condition.rest.length !== 1) return undefined
  const { first, rest } = condition
  const { operator, right } = rest[0]!
  if (first.kind !== 'name' || first.name !== name || reads(right, name)) return undefined
  const value = operator === '==' || operator === 'in' ? evaluate(right, scope) : undefined
  if (operator === '==') return typeof value === 'string' && value !== '' ? { choice: [value] } : undefined
  const isList =
    Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string' && item !== '')
  return isList ? { choice: value as string[] } : undefined
}
