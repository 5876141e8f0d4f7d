// Python's regular expressions as JavaScript's: what task files write, `re.sub` and `re.findall`. Classes are Unicode's, as in Python.

import { InputError } from '../errors.ts'
import { SPACE } from './jinja/white-space.ts'
import { limitedMatch } from './limited-match.ts'

const CLASSES: Readonly<Record<string, string>> = {
  d: '\\p{Nd}',
  w: '\\p{L}\\p{M}\\p{N}_',
  s: SPACE.slice(1, -1),
}
/** Escapes that mean the same in both. */
const SAME = /[tnrfv0-9bBxu]/

const known = new Map<string, RegExp>()

/** A pattern of Python's `re` as a global RegExp. Inline flags stand at its start: `(?i)`, `(?s)`, `(?m)`. InputError where it is malformed. */
export function pythonRegex(pattern: string): RegExp {
  const cached = known.get(pattern)
  if (cached !== undefined) {
    cached.lastIndex = 0
    return cached
  }
  const [, letters = '', body = ''] = /^(?:\(\?([aimsux]+)\))?([\s\S]*)$/.exec(pattern)!
  const flags = `gu${letters.replace(/[^ims]/g, '')}`
  try {
    const made = new RegExp(translate(body, flags), flags)
    if (known.size > 200) known.clear()
    known.set(pattern, made)
    return made
  } catch (cause) {
    throw new InputError(
      `regular expression '${pattern}': expected one that Python and JavaScript share, got ${(cause as Error).message}`,
      { cause },
    )
  }
}

/** `re.sub`: `\1`, `\g<1>` and `\g<name>` in `replacement` are groups; `count` 0 replaces all. */
export function pythonSub(pattern: string, replacement: string, text: string, count = 0): string {
  let done = 0
  const regex = pythonRegex(pattern)
  const replaced = (...match: unknown[]): string => {
    if (count > 0 && done >= count) return String(match[0])
    done++
    const last = match.at(-1)
    const groups = typeof last === 'object' && last !== null ? (last as Record<string, string>) : {}
    return replacement.replace(/\\(?:g<(\w+)>|(\d{1,2})|([\s\S]))/g, (_, name, number, other) => {
      if (other !== undefined) return other === 'n' ? '\n' : other === 't' ? '\t' : other
      const key = name ?? number
      return String((/^\d+$/.test(key) ? match[Number(key)] : groups[key]) ?? '')
    })
  }
  return limitedMatch(pattern, () => text.replace(regex, replaced))
}

/** `re.findall`: the matches; where the pattern has groups, what they matched: one text, or a list where there are several. */
export function pythonFindAll(pattern: string, text: string): (string | string[])[] {
  const regex = pythonRegex(pattern)
  return limitedMatch(pattern, () => [...text.matchAll(regex)]).map((match) => {
    if (match.length === 1) return match[0]
    const groups = match.slice(1).map((group) => group ?? '')
    return groups.length === 1 ? groups[0]! : groups
  })
}

/** `re.escape`, for a pattern that `pythonRegex` is to read. */
export function pythonEscape(text: string): string {
  return text.replaceAll(/[-\\^$*+?.()|[\]{}#&~\s]/g, (character) => `\\${character}`)
}

function translate(pattern: string, flags: string): string {
  let out = ''
  let isInClass = false
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]!
    if (character === '\\') {
      const next = pattern[++i]
      if (next === undefined) return `${out}\\`
      out += escaped(next, isInClass)
    } else if (isInClass) {
      if (character === ']') isInClass = false
      out += character === '[' ? '\\[' : character
    } else if (character === '[') {
      isInClass = true
      out += character
      if (pattern[i + 1] === '^') out += pattern[++i]
      if (pattern[i + 1] === ']') out += `\\${pattern[++i]}`
    } else if (character === '.') out += flags.includes('s') ? '.' : '[^\\n]'
    else if (character === '$' && !flags.includes('m')) out += '(?=\\n?(?![\\s\\S]))'
    else if (pattern.startsWith('(?P<', i)) {
      out += '(?<'
      i += 3
    } else if (pattern.startsWith('(?P=', i)) {
      const end = pattern.indexOf(')', i)
      out += `\\k<${pattern.slice(i + 4, end)}>`
      i = end
    } else if ((character === '{' || character === '}') && !isQuantifier(pattern, i)) out += `\\${character}`
    else out += character
  }
  return out
}

/** Whether the brace at `i` is one of `{2}`, `{2,}`, `{,3}`, `{2,3}`. */
function isQuantifier(pattern: string, i: number): boolean {
  const begin = pattern[i] === '{' ? i : pattern.lastIndexOf('{', i)
  return begin >= 0 && /^\{\d+(?:,\d*)?\}/.test(pattern.slice(begin, begin + 12))
}

function escaped(next: string, isInClass: boolean): string {
  const inside = CLASSES[next.toLowerCase()]
  if (inside !== undefined) {
    if (next === next.toLowerCase()) return isInClass ? inside : `[${inside}]`
    if (!isInClass) return `[^${inside}]`
    return next === 'D' ? '\\P{Nd}' : `\\${next}`
  }
  if (next === 'A') return '(?<![\\s\\S])'
  if (next === 'Z') return '(?![\\s\\S])'
  if (SAME.test(next)) return `\\${next}`
  return (isInClass ? /[\^$\\.*+?()[\]{}|/-]/ : /[\^$\\.*+?()[\]{}|/]/).test(next) ? `\\${next}` : next
}
