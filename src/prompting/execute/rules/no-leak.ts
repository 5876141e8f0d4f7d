// Keeps texts that only the program may know out of what a model says: a canary in its instruction, the instruction itself.

import { UsageError } from '../../../errors.ts'
import type { Rule } from '../rule.ts'
import { letters, viewsOf } from './views.ts'

/** Words of a long text one behind another that count as telling it. */
const RUN = 8

/**
 * An output rule: the texts may not be told, nor eight words of one in a row, plain or in one of the codes that `noInjection` reads. Put a
 * canary, such as a random word of twelve letters, into the instruction and name both.
 */
export function noLeak(secrets: readonly string[]): Rule {
  const needles = secrets.flatMap((secret) => {
    const parts = secret.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
    if (parts.join('').length < 6)
      throw new UsageError(`noLeak: expected texts of at least 6 letters, got ${JSON.stringify(secret)}`)
    if (parts.length <= RUN) return [letters(viewsOf(secret).marks[0]!)]
    return Array.from({ length: parts.length - RUN + 1 }, (_, i) =>
      letters(viewsOf(parts.slice(i, i + RUN).join(' ')).marks[0]!),
    )
  })
  return {
    name: 'no leak',
    check: (text) =>
      viewsOf(text).letters.some((view) => needles.some((needle) => view.includes(needle)))
        ? { refuse: 'tells what only the program may know' }
        : undefined,
  }
}
