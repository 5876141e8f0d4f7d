// What one rendering may use. A chat template comes with a model, so it is a stranger's program: every loop, call and
// operation pays for its size, and what does not fit ends the rendering with an error. Rendering is synchronous, so the budget
// in use is kept here and need not be handed through every function.

import { TemplateError } from './errors.ts'

/** Limits of one template and one rendering. */
export const LIMITS: Readonly<
  Record<'source' | 'nesting' | 'steps' | 'calls' | 'output' | 'items' | 'range' | 'depth', number>
> = {
  /** Characters of a template. */
  source: 256 * 1024,
  /** Expressions in expressions, blocks in blocks. */
  nesting: 200,
  /** Evaluated nodes; long strings and lists count for more than one. */
  steps: 1_000_000,
  /** Macros in macros, and recursive loops. Python stops at about as many. */
  calls: 160,
  /** Characters of any one string, the output among them. */
  output: 8 * 1024 * 1024,
  /** Entries of any one list or mapping. */
  items: 100_000,
  /** Numbers in a range, as Jinja's sandbox has it. */
  range: 100_000,
  /** Lists in lists, for what a caller passes in. */
  depth: 64,
}

// Outside of a rendering nothing is counted.
let steps = Number.NEGATIVE_INFINITY
let calls = 0

/** The error for a template that asks for more than it may use. */
export function limitError(what: string, limit: number): TemplateError {
  return new TemplateError('limit', `${what}: expected at most ${limit}`)
}

/** Pays for work. */
export function spend(count: number): void {
  steps += count
  if (steps > LIMITS.steps) throw limitError('steps', LIMITS.steps)
}

/** Checks the length of a text before, or while, it is made. */
export function checkLength(length: number): void {
  if (!(length <= LIMITS.output)) throw limitError('output', LIMITS.output)
}

/** Checks and pays for a list or mapping of a size, before or as it is made. */
export function checkSize(size: number): void {
  if (!(size <= LIMITS.items)) throw limitError('items', LIMITS.items)
  spend(size / 4)
}

/** A text, checked and paid for. */
export function checked(text: string): string {
  checkLength(text.length)
  spend(text.length / 256)
  return text
}

/** Runs a macro or a recursive loop one level deeper. */
export function nested<T>(action: () => T): T {
  if (++calls > LIMITS.calls) throw limitError('depth', LIMITS.calls)
  try {
    return action()
  } finally {
    calls--
  }
}

/** Runs one rendering with a fresh budget. */
export function withBudget<T>(action: () => T): T {
  const outer = [steps, calls] as const
  steps = 0
  calls = 0
  try {
    return action()
  } catch (error) {
    // Values can be nested deeper than the stack is: `x = [x]` in a loop, printed.
    if (error instanceof RangeError) throw limitError('depth', LIMITS.calls)
    throw error
  } finally {
    ;[steps, calls] = outer
  }
}
