// What a typed answer has to be: any Standard Schema (zod, valibot, arktype, …), checked by its own library.

import { messageOf, UsageError } from '../../errors.ts'

/** The part of Standard Schema that is used here (standardschema.dev), so that no library is needed. */
export interface Schema<Output> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
    /** Of libraries that give JSON Schemas. */
    readonly jsonSchema?: {
      readonly input: (options: { target: string }) => Record<string, unknown>
      readonly output?: (options: { target: string }) => Record<string, unknown>
    }
  }
}

/** A value, or what is wrong with it. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** One fault, and where it is. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

const known = new WeakMap<object, Record<string, unknown>>()

/** The JSON Schema of what a model has to write. UsageError where the library gives none. */
export function jsonSchemaOf(schema: Schema<unknown>): Record<string, unknown> {
  const found = known.get(schema)
  if (found !== undefined) return found
  const standard: Schema<unknown>['~standard'] | undefined = (schema as Partial<Schema<unknown>> | null)?.['~standard']
  if (standard === undefined)
    throw new UsageError(
      'schema: expected one of a library, such as z.object({ … }) of zod, got another value. z.fromJSONSchema(…) of zod takes a plain JSON Schema',
    )
  const { vendor, jsonSchema } = standard
  if (jsonSchema === undefined)
    throw new UsageError(
      `as: expected a schema that tells its JSON Schema (zod from 4.2, arktype, valibot with its converter), got one of ${vendor}`,
    )
  const { $schema: _, ...made } = inputSchema(jsonSchema)
  const plain = withoutSpareNames(made) as Record<string, unknown>
  known.set(schema, plain)
  return plain
}

function inputSchema(jsonSchema: {
  input: (options: { target: string }) => Record<string, unknown>
}): Record<string, unknown> {
  try {
    return jsonSchema.input({ target: 'draft-2020-12' })
  } catch (cause) {
    throw new UsageError(
      `as: expected a schema of what JSON can say, got another (${messageOf(cause)}). Take a text or a number in its place, and make the value of it by a transform`,
      { cause },
    )
  }
}

/** Names of formats that are not JSON Schema's, and encodings, say nothing where a pattern says it all (zod's `startsWith`, `uppercase`, `base64`). */
const FORMATS = new Set(['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid'])

function withoutSpareNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSpareNames)
  if (typeof value !== 'object' || value === null) return value
  const part = value as Record<string, unknown>
  const isSpelled = part.type === 'string' && typeof part.pattern === 'string'
  const isSpare = ([name, one]: [string, unknown]): boolean =>
    isSpelled && (name === 'contentEncoding' || (name === 'format' && !FORMATS.has(String(one))))
  return Object.fromEntries(
    Object.entries(part).flatMap((entry): [string, unknown][] => {
      const [name, one] = entry
      if (isSpare(entry)) return []
      // Values are not schemas, whatever they hold.
      return [[name, ['const', 'enum', 'default', 'examples'].includes(name) ? one : withoutSpareNames(one)]]
    }),
  )
}

/** The value of a text of JSON, or what is wrong with it in one line. */
export async function parsedAnswer<Output>(
  schema: Schema<Output>,
  text: string,
): Promise<{ value: Output } | { fault: string }> {
  let json: unknown
  try {
    json = JSON.parse(jsonIn(text))
  } catch (error) {
    return { fault: `no JSON: ${(error as Error).message}` }
  }
  const result = await checkedBy(schema, json)
  if (result === undefined) return { fault: 'lists and objects that are too deep inside each other' }
  if (result.issues === undefined) return { value: result.value }
  return { fault: result.issues.slice(0, 5).map(described).join('; ') }
}

/** What the schema's library says; undefined where it cannot follow the value so deep. */
async function checkedBy<Output>(schema: Schema<Output>, json: unknown): Promise<SchemaResult<Output> | undefined> {
  try {
    return await schema['~standard'].validate(json)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Models that are not bound to JSON like to put it between fences, and some begin with a byte order mark. */
function jsonIn(text: string): string {
  const plain = text.trim()
  const open = /^```(?:json)?[^\S\n]*\n/.exec(plain)?.[0]
  return open !== undefined && plain.endsWith('```') ? plain.slice(open.length, -3) : plain
}

/** A fault in a line, with its place. */
export function described({ message, path = [] }: SchemaIssue): string {
  const at = path.map((key) => String(typeof key === 'object' ? key.key : key)).join('.')
  return at === '' ? message : `${at}: ${message}`
}
