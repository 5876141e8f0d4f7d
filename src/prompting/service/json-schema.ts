// A JSON Schema that somebody else wrote, as the schema of a tool: checked by rules of our own, which run no code of theirs.

import { isValid } from '../../grammar/json/is-valid.ts'
import { canonical } from '../base/call-difference.ts'
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
        const issues = issuesIn(written, value, { root: written, left: MOST_STEPS, passed: 0 }, [])
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
  /** How often something was let pass that is not known of: a schema that may not fit then is not taken to fit. */
  passed: number
}

/** What is not looked at. */
const UNKNOWN = ['format', 'unevaluatedProperties', 'unevaluatedItems', '$dynamicRef', '$recursiveRef']

function issuesIn(schema: unknown, value: unknown, check: Check, path: Path, depth = 0): SchemaIssue[] {
  const wrong = (expected: string): SchemaIssue[] => [{ message: `expected ${expected}, got ${brief(value)}`, path }]
  if (schema === false) return wrong('nothing')
  if (schema === true || schema === undefined) return []
  if (typeof schema !== 'object' || schema === null || depth > DEEPEST || --check.left < 0) {
    check.passed++
    return []
  }
  const part = schema as Part
  if (UNKNOWN.some((word) => word in part)) check.passed++
  const inner = (one: unknown): SchemaIssue[] => issuesIn(one, value, check, path, depth + 1)
  const { type, enum: values, allOf, anyOf, oneOf } = part
  const types = [type].flat().filter((one) => typeof one === 'string')
  if (types.length > 0 && !types.some((one) => isOf(one, value))) return wrong(types.join(' or '))
  const text = Array.isArray(values) || 'const' in part ? canonical(value) : ''
  if (Array.isArray(values) && !values.some((one) => canonical(one) === text))
    return wrong(`one of ${values.map((one) => JSON.stringify(one)).join(', ')}`)
  if ('const' in part && canonical(part.const) !== text) return wrong(JSON.stringify(part.const))
  const target = typeof part.$ref === 'string' ? pointed(check.root, part.$ref) : undefined
  if (target === true) check.passed++
  let issues = inner(target)
  if (Array.isArray(allOf)) issues = issues.concat(allOf.flatMap(inner))
  for (const any of [anyOf, oneOf]) {
    if (!Array.isArray(any) || any.length === 0) continue
    const before = check.passed
    const found = any.map(inner)
    const fitting = found.filter((one) => one.length === 0).length
    if (fitting === 0) {
      // The one that comes nearest says best what is meant.
      const [nearest] = found.toSorted((a, b) => depthOf(b) - depthOf(a) || a.length - b.length)
      issues = issues.concat(nearest ?? [])
    } else if (any === oneOf && fitting > 1 && check.passed === before)
      issues.push(...wrong(`what fits one of ${any.length} shapes`))
  }
  const before = check.passed
  if ('not' in part && inner(part.not).length === 0 && check.passed === before) issues.push(...wrong('another value'))
  if ('if' in part) {
    const isSo = inner(part.if).length === 0
    if (check.passed === before || !isSo) issues = issues.concat(inner(isSo ? part.then : part.else))
  }
  if (typeof value === 'string') return [...issues, ...stringIssues(part, value, wrong, check)]
  if (typeof value === 'number') return [...issues, ...numberIssues(part, value, wrong)]
  const child = (key: string | number, one: unknown, given: unknown): SchemaIssue[] =>
    issuesIn(one, given, check, [...path, key], depth + 1)
  if (Array.isArray(value)) return issues.concat(listIssues(part, value, wrong, child))
  if (typeof value !== 'object' || value === null) return issues
  return issues.concat(
    objectIssues(part, value as Part, path, child, check),
    dependentIssues(part, value as Part, path, inner),
  )
}

type Wrong = (expected: string) => SchemaIssue[]
type Child = (key: string | number, schema: unknown, value: unknown) => SchemaIssue[]
const numberIn = (part: Part, key: string): number | undefined =>
  typeof part[key] === 'number' ? (part[key] as number) : undefined

function stringIssues(part: Part, value: string, wrong: Wrong, check: Check): SchemaIssue[] {
  const [least, most] = [numberIn(part, 'minLength'), numberIn(part, 'maxLength')]
  const length = least === undefined && most === undefined ? 0 : [...value].length
  if (least !== undefined && length < least) return wrong(`at least ${least} characters`)
  if (most !== undefined && length > most) return wrong(`at most ${most} characters`)
  if (typeof part.pattern === 'string' && !fits(part.pattern, value, check))
    return wrong(`a text that matches ${part.pattern}`)
  return []
}

/** By an automaton, which no pattern makes try without end; those that it does not know pass. */
function fits(pattern: string, value: string, check: Check): boolean {
  try {
    return isValid({ pattern }, value)
  } catch {
    check.passed++
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
    ...bound('multipleOf', 'that is a multiple of', (step) => isMultiple(value, step)),
  ]
}

/** As decimals have it: 0.3 is three times 0.1, though the quotient of the doubles is not 3. */
function isMultiple(value: number, step: number): boolean {
  const times = value / step
  return !Number.isFinite(times) || Math.abs(times - Math.round(times)) <= 1e-12 * Math.abs(times)
}

function listIssues(part: Part, value: readonly unknown[], wrong: Wrong, child: Child): SchemaIssue[] {
  const [least, most] = [numberIn(part, 'minItems'), numberIn(part, 'maxItems')]
  if (least !== undefined && value.length < least) return wrong(`at least ${least} items`)
  if (most !== undefined && value.length > most) return wrong(`at most ${most} items`)
  if (part.uniqueItems === true && new Set(value.map(canonical)).size < value.length) return wrong('items that differ')
  const { contains } = part
  if (contains !== undefined) {
    const found = value.filter((one, i) => child(i, contains, one).length === 0).length
    const [few, many] = [numberIn(part, 'minContains') ?? 1, numberIn(part, 'maxContains') ?? value.length]
    if (found < few || found > many) return wrong(`${few} to ${many} items of one kind`)
  }
  const isTuple = Array.isArray(part.items)
  const first = ((isTuple ? part.items : part.prefixItems) ?? []) as readonly unknown[]
  const rest = isTuple ? part.additionalItems : part.items
  return value.flatMap((one, i) => child(i, first[i] ?? rest ?? true, one))
}

function objectIssues(part: Part, value: Part, path: Path, child: Child, check: Check): SchemaIssue[] {
  const { properties = {}, patternProperties = {}, additionalProperties = true, required, propertyNames } = part
  const missing = missingIssues(required, value, path)
  const [least, most] = [numberIn(part, 'minProperties'), numberIn(part, 'maxProperties')]
  const { length } = Object.keys(value)
  if (least !== undefined && length < least) missing.push({ message: `expected at least ${least} fields`, path })
  if (most !== undefined && length > most) missing.push({ message: `expected at most ${most} fields`, path })
  if (propertyNames !== undefined)
    missing.push(...Object.keys(value).flatMap((name) => child(name, propertyNames, name)))
  const issues = Object.entries(value).flatMap(([name, one]) => {
    const fitting = [
      ...(Object.hasOwn(properties as Part, name) ? [(properties as Part)[name]] : []),
      ...Object.entries(patternProperties as Part)
        .filter(([pattern]) => fits(pattern, name, check))
        .map(([, schema]) => schema),
    ]
    if (fitting.length > 0) return fitting.flatMap((schema) => child(name, schema, one))
    if (additionalProperties !== false) return child(name, additionalProperties, one)
    const known = Object.keys(properties as Part).join(', ') || 'none'
    return [{ message: `unknown field. There are: ${known}`, path: [...path, name] }]
  })
  return [...missing, ...issues]
}

function missingIssues(required: unknown, value: Part, path: Path): SchemaIssue[] {
  const names = Array.isArray(required) ? required.filter((name) => typeof name === 'string') : []
  return names
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => ({ message: 'expected, got nothing', path: [...path, name] }))
}

/** What has to be there, or to fit, because a field is there. `dependencies` is the older word for both. */
function dependentIssues(
  { dependentRequired, dependentSchemas, dependencies }: Part,
  value: Part,
  path: Path,
  inner: (schema: unknown) => SchemaIssue[],
): SchemaIssue[] {
  const all = [dependentRequired, dependentSchemas, dependencies].flatMap((one) => Object.entries(one ?? {}))
  return all
    .filter(([name]) => Object.hasOwn(value, name))
    .flatMap(([, one]) => (Array.isArray(one) ? missingIssues(one, value, path) : inner(one)))
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

const depthOf = (issues: readonly SchemaIssue[]): number =>
  issues.reduce((deepest, { path = [] }) => Math.max(deepest, path.length), 0)

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
