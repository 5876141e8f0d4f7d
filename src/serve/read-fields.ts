// The body of a request → its values, with what is wrong named by field, and the fields that nobody reads.

import { z } from 'zod'
import { didYouMean } from '../nearest.ts'
import { ApiError } from './api-error.ts'
import { type Fields, REFUSED } from './fields.ts'
import { type Call, tellIgnored } from './service.ts'
import { withoutNulls } from './without-nulls.ts'

/** By their fields: schemas compile themselves when they are first asked. */
const schemas = new WeakMap<object, z.ZodObject>()

/**
 * The fields of a request; those that nobody reads are told in its answer's headers. ApiError 400 for the first field that is wrong, or that
 * asks for what is not done; with `isStrict` for every field that nobody reads.
 */
export function readFields<Request>(fields: Fields<Request>, { body, isStrict, headers }: Call): Request {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new ApiError(400, 'body: expected a JSON object, got another value')
  const given = withoutNulls(body) as Record<string, unknown>
  const known = Object.keys(fields)
  const unknown = Object.keys(given).filter((name) => !known.includes(name))
  for (const name of unknown) refuse(name, given[name])
  if (isStrict && unknown.length > 0)
    throw new ApiError(
      400,
      `${unknown[0]}: expected a field of this request${didYouMean(unknown[0]!, known)}, got one that is not read`,
      { param: unknown[0]!, code: 'unknown_field' },
    )
  const schema = schemas.get(fields) ?? z.object(fields)
  schemas.set(fields, schema)
  const parsed = schema.safeParse(given)
  if (!parsed.success) throw asApiError(parsed.error)
  tellIgnored(headers, unknown)
  return parsed.data as Request
}

/** A value that says what is done anyway is welcome. */
function refuse(name: string, value: unknown): void {
  if (!Object.hasOwn(REFUSED, name)) return
  const { harmless, instead } = REFUSED[name]!
  if (harmless.includes(typeof value === 'object' ? JSON.stringify(value) : value)) return
  throw new ApiError(400, `${name}: expected ${instead}, got a field that this server does not do`, {
    param: name,
    code: 'unsupported_parameter',
  })
}

function asApiError(error: z.ZodError): ApiError {
  const [path, message] = firstOf(error.issues)
  const param = path.reduce<string>(
    (name, key) => (typeof key === 'number' ? `${name}[${key}]` : name === '' ? String(key) : `${name}.${String(key)}`),
    '',
  )
  return new ApiError(400, `${param}: ${message}`, { param })
}

/** By depth, and of the same depth by the place in a list: what is wrong at the second came further than what is wrong at the first. */
function further([a]: [PropertyKey[], string], [b]: [PropertyKey[], string]): number {
  const at = (path: readonly PropertyKey[]): number => (typeof path.at(-1) === 'number' ? (path.at(-1) as number) : -1)
  return a.length - b.length || at(a) - at(b)
}

const isLimit = (message: string): boolean => /(<=|>=)\d+ (items|characters)/.test(message)

/** The place and the words of the first fault; of a union, those of the alternative that came furthest. */
function firstOf(issues: readonly z.core.$ZodIssue[], before: readonly PropertyKey[] = []): [PropertyKey[], string] {
  const [issue] = issues
  const path = [...before, ...(issue?.path ?? [])]
  if (issue?.code === 'invalid_union') {
    const deepest = issue.errors
      .filter((alternative) => alternative.length > 0)
      .map((alternative) => firstOf(alternative, path))
      .sort((a, b) => further(b, a))
    // One that has the right types, and too many of them, came further than any that has not.
    const limit = deepest.find(([, message]) => isLimit(message))
    if (limit !== undefined) return limit
    if (deepest.length > 0 && deepest[0]![0].length > path.length) return deepest[0]!
    const expected = [...new Set(deepest.map(([, message]) => /expected ([^,]+)/.exec(message)?.[1] ?? message))]
    if (expected.length > 0) return [path, `expected ${expected.join(' or ')}`]
  }
  return [path, worded(issue?.message ?? 'expected another value')]
}

/** In the words of all other errors. */
function worded(message: string): string {
  return message
    .replace(/^[A-Z][a-z]+ [a-z]+: (?=expected)/, '')
    .replace(/^Invalid discriminator value\. Expected /, 'expected one of ')
    .replace(/, received undefined$/, ', got nothing')
    .replace(/, received (?=[\w ]+$)/, ', got ')
}
