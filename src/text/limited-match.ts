// Regular expressions of task files and templates with a limit of time: one such as (.+)+$ tries for ages on some texts, and a run would hang on an answer.
import { createContext, Script } from 'node:vm'
import { InputError } from '../errors.ts'

const LIMIT_MS = 10_000
const room = createContext({ work: undefined as unknown })
const script = new Script('work()')

/** What `work` gives, which matches `pattern`; InputError where it takes longer than ten seconds (`limit`, in milliseconds). */
export function limitedMatch<T>(pattern: string, work: () => T, limit: number = LIMIT_MS): T {
  // One repetition costs at most the square of a text's length; the watch costs more than most matches.
  if ((pattern.match(/[*+}]/g)?.length ?? 0) < 2) return work()
  room.work = work
  try {
    return script.runInContext(room, { timeout: limit }) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    throw new InputError(
      `regular expression '${pattern}': expected it to be done with a text within ${limit / 1000} s, got no end. Write it without a repetition inside a repetition`,
    )
  } finally {
    room.work = undefined
  }
}
