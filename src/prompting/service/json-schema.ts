// A JSON Schema that somebody else wrote, as the schema of a tool: checked by rules of our own, which run no code of theirs.

import { isDeepStrictEqual } from 'node:util'
import { isValid } from '../../grammar/json/is-valid.ts'
import type { Schema, SchemaIssue } from '../base/schema.ts'

type Part = Readonly<Record<string, unknown>>
type Path = readonly (string | number)[]

/** Values inside each other that are followed. */
const DEEPEST = 200
/** Schemas that one check looks at: those that refer to themselves twice would take for ever. */
const MOST_STEPS = 100_000

/**
 * A Standard Schema of a JSON Schema, which it tells as it is written. What it does not know of (formats, references elsewhere, patterns
 * that could take for ever) it lets pass: whoever wrote the schema checks it, too.
 */
export function standardSchema(written: Part): Schema<unknown> {
  const told = (): Record<string, unknown> => ({ ...written })
  return {
    '~standard': {
      version: 1,
      vendor: 'json-schema',
      validate: (value) => {
        const issues = issuesIn(written, value, { root: written, left: MOST_STEPS }, [])
        return issues.length === 0 ? { value } : { issues: issues.slice(0, 10) }
      },
      jsonSchema: { input: told, output: told },
    },
  }
}

/** One check: what references are looked up in, and how many schemas it may still look at. */
interface Check {
  readonly root: Part
  left: number
}

function issuesIn(schema: unknown, value: unknown, check: Check, path: Path, depth = 0): SchemaIssue[] {
  const wrong = (expected: string): SchemaIssue[] => [{ message: `expected ${expected}, got ${brief(value)}`, path }]
  if (schema === false) return wrong('nothing')
  if (typeof schema !== 'object' || schema === null || depth > DEEPEST || --check.left < 0) return []
  const part = schema as Part
  const inner = (one: unknown): SchemaIssue[] => issuesIn(one, value, check, path, depth + 1)
  const { type, enum: values, allOf, anyOf, oneOf } = part
  const types = [type].flat().filter((one) => typeof one === 'string')
  if (types.length > 0 && !types.some((one) => isOf(one, value))) return wrong(types.join(' or '))
  if (Array.isArray(values) && !values.some((one) => isDeepStrictEqual(one, value)))
    return wrong(`one of ${values.map((one) => JSON.stringify(one)).join(', ')}`)
  if ('const' in part && !isDeepStrictEqual(part.const, value)) return wrong(JSON.stringify(part.const))
  const issues = typeof part.$ref === 'string' ? inner(pointed(check.root, part.$ref)) : []
  if (Array.isArray(allOf)) issues.push(...allOf.flatMap(inner))
  for (const any of [anyOf, oneOf]) {
    if (!Array.isArray(any) || any.length === 0) continue
    const found = any.map(inner)
    const fitting = found.filter((one) => one.length === 0).length
    if (fitting === 0) {
      // The one that comes nearest says best what is meant.
      const [nearest] = found.toSorted((a, b) => depthOf(b) - depthOf(a) || a.length - b.length)
      issues.push(...(nearest ?? []))
    } else if (any === oneOf && fitting > 1) issues.push(...wrong(`what fits one of ${any.length} shapes`))
  }
  if ('not' in part && inner(part.not).length === 0) issues.push(...wrong('another value'))
  if (typeof value === 'string') return [...issues, ...stringIssues(part, value, wrong)]
  if (typeof value === 'number') return [...issues, ...numberIssues(part, value, wrong)]
  const child = (key: string | number, one: unknown, given: unknown): SchemaIssue[] =>
    issuesIn(one, given, check, [...path, key], depth + 1)
  if (Array.isArray(value)) return [...issues, ...listIssues(part, value, wrong, child)]
  if (typeof value === 'object' && value !== null) issues.push(...objectIssues(part, value as Part, path, child))
  return issues
}

type Wrong = (expected: string) => SchemaIssue[]
type Child = (key: string | number, schema: unknown, value: unknown) => SchemaIssue[]
const numberIn = (part: Part, key: string): number | undefined =>
  typeof part[key] === 'number' ? (part[key] as number) : undefined

function stringIssues(part: Part, value: string, wrong: Wrong): SchemaIssue[] {
  const [least, most] = [numberIn(part, 'minLength'), numberIn(part, 'maxLength')]
  const length = least === undefined && most === undefined ? 0 : [...value].length
  if (least !== undefined && length < least) return wrong(`at least ${least} characters`)
  if (most !== undefined && length > most) return wrong(`at most ${most} characters`)
  if (typeof part.pattern === 'string' && !fits(part.pattern, value))
    return wrong(`a text that matches ${part.pattern}`)
  return []
}

/** By an automaton, which no pattern makes try without end; those that it does not know pass. */
function fits(pattern: string, value: string): boolean {
  try {
    return isValid({ pattern }, value)
  } catch {
    return true
  }
}

function numberIssues(part: Part, value: number, wrong: Wrong): SchemaIssue[] {
  const bound = (key: string, word: string, holds: (limit: number) => boolean): SchemaIssue[] => {
    const limit = numberIn(part, key)
    return limit === undefined || holds(limit) ? [] : wrong(`a number ${word} ${limit}`)
  }
  return [
    ...bound('minimum', 'of at least', (limit) => value >= limit),
    ...bound('maximum', 'of at most', (limit) => value <= limit),
    ...bound('exclusiveMinimum', 'above', (limit) => value > limit),
    ...bound('exclusiveMaximum', 'below', (limit) => value < limit),
    ...bound('multipleOf', 'that is a multiple of', (step) => Math.abs(value / step - Math.round(value / step)) < 1e-9),
  ]
}

function listIssues(part: Part, value: readonly unknown[], wrong: Wrong, child: Child): SchemaIssue[] {
  const [least, most] = [numberIn(part, 'minItems'), numberIn(part, 'maxItems')]
  if (least !== undefined && value.length < least) return wrong(`at least ${least} items`)
  if (most !== undefined && value.length > most) return wrong(`at most ${most} items`)
  if (part.uniqueItems === true && new Set(value.map((one) => JSON.stringify(one))).size < value.length)
    return wrong('items that differ')
  const isTuple = Array.isArray(part.items)
  const first = ((isTuple ? part.items : part.prefixItems) ?? []) as readonly unknown[]
  const rest = isTuple ? part.additionalItems : part.items
  return value.flatMap((one, i) => child(i, first[i] ?? rest ?? true, one))
}

function objectIssues(part: Part, value: Part, path: Path, child: Child): SchemaIssue[] {
  const { properties = {}, patternProperties = {}, additionalProperties = true, required } = part
  const names = Array.isArray(required) ? required.filter((name) => typeof name === 'string') : []
  const missing = names
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => ({ message: 'expected, got nothing', path: [...path, name] }))
  const issues = Object.entries(value).flatMap(([name, one]) => {
    const fitting = [
      ...(Object.hasOwn(properties as Part, name) ? [(properties as Part)[name]] : []),
      ...Object.entries(patternProperties as Part)
        .filter(([pattern]) => fits(pattern, name))
        .map(([, schema]) => schema),
    ]
    if (fitting.length > 0) return fitting.flatMap((schema) => child(name, schema, one))
    if (additionalProperties !== false) return child(name, additionalProperties, one)
    const known = Object.keys(properties as Part).join(', ') || 'none'
    return [{ message: `unknown field. There are: ${known}`, path: [...path, name] }]
  })
  return [...missing, ...issues]
}

function isOf(type: string, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === type
    default:
      return true
  }
}

const depthOf = (issues: readonly SchemaIssue[]): number => Math.max(0, ...issues.map(({ path = [] }) => path.length))

/** `#/$defs/name`; what is elsewhere passes. */
function pointed(root: Part, ref: string): unknown {
  if (ref !== '#' && !ref.startsWith('#/')) return true
  return ref
    .split('/')
    .slice(1)
    .reduce<unknown>((at, key) => {
      const own = key.replaceAll('~1', '/').replaceAll('~0', '~')
      return typeof at === 'object' && at !== null && Object.hasOwn(at, own) ? (at as Part)[own] : true
    }, root)
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
