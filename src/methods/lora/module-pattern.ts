// A key of PEFT's rank_pattern or alpha_pattern → the modules it means: PEFT matches it, as a regular expression, with the end of a
// module's name. What Python reads in another way than JavaScript is refused, and a pattern that would never come to an end.

import { createContext, Script } from 'node:vm'
import { InputError, UnsupportedError } from '../../errors.ts'

/** Far more than any honest pattern takes, on any machine. */
const LIMIT_MS = 2000

const search = new Script('pattern.test(name)')

/**
 * Whether a module's name is meant by `pattern`; `key` is the name in messages (`rank_pattern` with its file). Throws an InputError
 * for what is no regular expression, and an UnsupportedError for one that is read otherwise here than in Python.
 */
export function modulePattern(pattern: string, key: string): (module: string) => boolean {
  const got = JSON.stringify(pattern)
  const compiled = compile(pattern, key, got)
  // Names and alternatives take linear time. Of the rest any may take exponential time, and it comes from a stranger.
  if (!/[*+?{]/.test(pattern)) return (module) => compiled.test(module)
  const context = createContext({ pattern: compiled, name: '' })
  return (module) => {
    context.name = module
    try {
      return search.runInContext(context, { timeout: LIMIT_MS }) as boolean
    } catch (error) {
      // Another realm's error, which is no instance of ours.
      if ((error as { code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      throw new InputError(
        `${key}: expected a regular expression that is soon done with ${JSON.stringify(module)}, got ${got}. Write the names of the modules in its place`,
        { cause: error },
      )
    }
  }
}

function compile(pattern: string, key: string, got: string): RegExp {
  // A group that took part in nothing matches nothing in Python and everything here.
  if (/\\[1-9]|\\k/.test(pattern)) throw otherwise(key, got)
  try {
    // With `u` everything is refused that JavaScript does not know, such as \A, (?P<name>…) and (?i).
    return new RegExp(`^(?:.*\\.)?(?:${pattern})$`, 'u')
  } catch (error) {
    throw otherwise(key, got, error)
  }
}

function otherwise(key: string, got: string, cause?: unknown): UnsupportedError {
  return new UnsupportedError(
    `${key}: expected names of modules or a regular expression that JavaScript reads as Python does, got ${got}. Write the names of the modules in its place`,
    { cause },
  )
}
