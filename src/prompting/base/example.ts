// A value that keeps to a structure as far as it can be read off: what stands for an answer in a dry run.

import type { Structure } from '../../grammar/grammar.ts'

/** A text of the structure; of one that cannot be read off, a word in brackets. */
export function exampleOf(structure: Structure): string {
  if ('json_schema' in structure) {
    const root: Root = { schema: structure.json_schema, left: MOST_PARTS }
    return JSON.stringify(partValue(root.schema, root, 0))
  }
  if ('choice' in structure) return structure.choice[0] ?? ''
  return '(an answer)'
}

type Part = Record<string, unknown>
/** What references are looked up in, and how many values it may still get: a tree that refers to itself twice has no end. */
interface Root {
  readonly schema: unknown
  left: number
}

const MOST_PARTS = 1000
/** How deep fields are filled in that need not be there. */
const DEEPEST_SPARE = 4

function partValue(schema: unknown, root: Root, depth: number): unknown {
  if (typeof schema !== 'object' || schema === null || depth > 32 || --root.left < 0) return null
  const part = schema as Part
  const inner = (value: unknown): unknown => partValue(value, root, depth + 1)
  if ('const' in part) return part.const
  if (Array.isArray(part.enum)) return part.enum[0]
  if (typeof part.$ref === 'string') return inner(referred(root.schema, part.$ref))
  for (const name of ['anyOf', 'oneOf', 'allOf'])
    if (Array.isArray(part[name]) && part[name].length > 0) return inner(part[name][0])
  const type = Array.isArray(part.type) ? part.type[0] : (part.type ?? (part.properties ? 'object' : 'null'))
  switch (type) {
    case 'object': {
      const { properties = {}, required } = part as { properties?: Part; required?: string[] }
      const names = Object.keys(properties).filter((name) => required?.includes(name) ?? depth < DEEPEST_SPARE)
      return Object.fromEntries(names.map((name) => [name, inner(properties[name])]))
    }
    case 'array':
      return Array.from({ length: Number(part.minItems ?? 0) }, () => inner(part.items))
    case 'string':
      return '(text)'.padEnd(Number(part.minLength ?? 0), '.').slice(0, Number(part.maxLength ?? 64))
    case 'number':
    case 'integer':
      return numberOf(part)
    case 'boolean':
      return false
    default:
      return null
  }
}

function numberOf({ minimum, exclusiveMinimum, maximum }: Part): number {
  if (typeof minimum === 'number') return Math.ceil(minimum)
  if (typeof exclusiveMinimum === 'number') return Math.floor(exclusiveMinimum) + 1
  return typeof maximum === 'number' ? Math.min(0, Math.floor(maximum)) : 0
}

/** `#/$defs/name` within the schema. */
function referred(root: unknown, reference: string): unknown {
  return reference
    .split('/')
    .slice(1)
    .reduce<unknown>(
      (at, key) => (at as Part | undefined)?.[decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~')],
      root,
    )
}
