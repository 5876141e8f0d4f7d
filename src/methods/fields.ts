// Building blocks of the configuration's zod schema. The `error` of a field completes "expected …, got …".

import { z } from 'zod'

/** A zod schema for every key of an interface, so that the interface is checked against the schema. */
export type Shape<Keys> = { readonly [Key in keyof Keys]: z.ZodType<Keys[Key]> }

/** Says of a key what was expected and what came. */
export type Complain<Key> = (key: Key, message: string) => void

/** A path or a name: any text but the empty one. */
export const path: z.ZodString = z.string().min(1, { error: 'text that is not empty' })

/** A whole number ≥ 1. */
export const count: z.ZodInt = z.int().min(1)

/** One path or several, always a list afterwards. */
export const paths: z.ZodType<string[], string | string[]> = z
  .union([path, z.array(path).min(1)], { error: 'a path or a list of paths' })
  .transform((value) => (Array.isArray(value) ? value : [value]))

/** An interval or length in steps; below 1 it is a fraction of the whole run, as in Transformers. See `stepsOf`. */
export const steps: z.ZodNumber = z
  .number()
  .positive()
  .refine((value) => value < 1 || Number.isInteger(value), {
    error: 'a whole number of steps, or a fraction of the run below 1',
  })

/** Steps of an interval in a run of `totalSteps`: fractions are rounded up, as Transformers does. */
export function stepsOf(value: number, totalSteps: number): number {
  return value < 1 ? Math.ceil(value * totalSteps) : value
}

/** `q_proj,v_proj` as people write lists, also in brackets: a list. Anything else, such as a regular expression, stays as it is. */
export function namesOf(text: string): string | string[] {
  const names = /^\s*\[?\s*([\w.-]+(?:\s*,\s*[\w.-]+)*)\s*,?\s*(\]?)\s*$/.exec(text)
  if (names === null) return text
  const list = names[1]!.split(/\s*,\s*/)
  return list.length > 1 || names[2] === ']' ? list : text
}
