// Whether a pattern is in a text that is still being written: a match at its end may be undone by what follows.

/** `never`: not so far; `sofar`: it is, but what follows may undo it; `ever`: it is, whatever follows. */
export type Found = 'never' | 'sofar' | 'ever'

/** What may follow a text, one of each kind that `\b`, `$` and classes tell apart. */
const FOLLOWING = ['a', 'Z', '0', '_', ' ', '\n', '.', '-', 'é', '字']
/** Characters that a look-ahead may look at: behind so many, a match stands. */
const LOOKED_AT = 64

/** Whether `text` has it. */
export function foundIn(text: string, what: string | RegExp): Found {
  if (typeof what === 'string') return text.includes(what) ? 'ever' : 'never'
  // Without the flag g, whose `test` remembers where it was.
  const pattern = what.global ? new RegExp(what.source, what.flags.replace('g', '')) : what
  if (!pattern.test(text)) return 'never'
  if (!/\(\?[=!]/.test(pattern.source)) return FOLLOWING.every((next) => pattern.test(text + next)) ? 'ever' : 'sofar'
  const last = text.length - LOOKED_AT
  const matches = last < 0 ? [] : [...text.matchAll(new RegExp(pattern.source, `${pattern.flags}g`))]
  return matches.some(({ index, 0: { length } }) => index + length <= last) ? 'ever' : 'sofar'
}
