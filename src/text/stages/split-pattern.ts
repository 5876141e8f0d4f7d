// Which regular expressions of a tokenizer.json are run, and how they are written for JavaScript.
// A pattern from a stranger can take exponential or quadratic time, and no engine that finds all matches is safe from the
// latter. So a pattern runs only if it is linear by its form. Each alternative must be
//   bounded items, then at most one unbounded run `X+`, then only items that may be empty,
// so that whatever an attempt scans it also consumes; or it is one of the few other alternatives, listed below, that real
// tokenizers use and that are linear for the reason given there. `(a+)+`, `a*b` and back-references are refused.

import { TokenizerError } from '../../errors.ts'

const MAX_PATTERN_LENGTH = 4096
const MAX_BACKTRACKS = 3 // optional or counted items in one alternative, each with at most 9 repeats

const ESCAPE = String.raw`\\(?:[pP]\{\^?[A-Za-z_=]+\}|[nrtfvsSdDwW]|[^A-Za-z0-9])`
const CLASS = String.raw`\[\^?(?:${ESCAPE}|[^\[\]\\])+\]`
const ATOM = String.raw`(?:${ESCAPE}|${CLASS}|[^\\\[\](){}*+?|^$.])`
const GROUP = String.raw`\((?:\?i?:)?${ATOM}+(?:\|${ATOM}+)*\)`
const BOUNDED = String.raw`(?:${ATOM}|${GROUP})(?:\?|\{\d(?:,\d)?\})?`
const RUN = String.raw`${ATOM}(?:\+\+?|\{\d,\})(?:${ATOM}\*|(?:${ATOM}|${GROUP})\?)*`
const LINEAR = new RegExp(`^(?:${BOUNDED})*(?:${RUN})?$`, 'u')

// Letter runs of the o200k family. The first run is scanned twice at most, and the alternative `UPPER+LOWER*`, which must be
// there too, consumes what a failed attempt gave up.
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
const MARK = String.raw`[^\r\n\p{L}\p{N}]?`
const SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
const CASED_WORDS = [`${MARK}${UPPER}*${LOWER}+`, `${MARK}${UPPER}*${LOWER}+${SUFFIX}`]
// A run of white space that fails here is consumed by the `\s+` alternatives that must follow.
const LINE_ENDS = [String.raw`\s*[\r\n]+`, String.raw`\s*[\r\n]`]
const SPACES = [String.raw`\s+(?!\S)`, String.raw`\s+`]
/**
 * Spaces before the end of a line or of the text (DeepSeek LLM). Tried at each of n spaces it takes n² steps, but only the first
 * space of a run can begin a match: it is the longest part of the run that a line's end follows, and nothing is left behind it.
 */
const SPACES_AT_END = String.raw`\s+$`
const LAST_SPACES = /(?<!\p{White_Space})\p{White_Space}+(?=\n|$)/u

/** Alternatives that are rewritten as a whole, because Oniguruma reads them differently from JavaScript. */
const REWRITTEN: ReadonlyMap<string, string> = new Map([
  // A class in a class is a union (Bloom, Poro).
  [String.raw` ?[^(\s|[.,!?…。，、।۔،])]+`, String.raw` ?[^()|\s.,!?…。，、।۔،]+`],
  // Possessive, but the optional character is no letter, so that giving it back never helps.
  [String.raw`[^\r\n\p{L}\p{N}]?+\p{L}+`, String.raw`[^\r\n\p{L}\p{N}]?\p{L}+`],
])

/**
 * Compiles the `pattern` field of a Split or Replace (`{"String": …}` or `{"Regex": …}`) to a global RegExp that never
 * matches the empty string; throws a TokenizerError, naming `where`, for patterns that are not known to take linear time.
 */
export function compileSplitPattern(pattern: unknown, where: string): RegExp {
  const { String: literal, Regex: source } = (pattern ?? {}) as { String?: unknown; Regex?: unknown }
  if (typeof literal === 'string' && literal !== '') return new RegExp(escapeLiteral(literal), 'gu')
  if (typeof source !== 'string' || source === '')
    throw refusal(where, 'a pattern with a String or a Regex', shorten(pattern))
  if (source.length > MAX_PATTERN_LENGTH) {
    throw refusal(where, `at most ${MAX_PATTERN_LENGTH} characters`, `${source.length}`)
  }
  if (source === SPACES_AT_END) return new RegExp(LAST_SPACES.source, 'gu')
  const alternatives = splitAlternatives(source).map((branch) => REWRITTEN.get(branch) ?? branch)
  for (const [index, branch] of alternatives.entries()) {
    const isLineEnd = LINE_ENDS.includes(branch) && SPACES.some((spaces) => alternatives.indexOf(spaces) > index)
    if (!isLineEnd && !SPACES.includes(branch) && !isCasedWord(branch, alternatives) && !isLinear(branch)) {
      throw refusal(where, 'a pattern that is known to take linear time', shorten(branch))
    }
  }
  try {
    const compiled = new RegExp(alternatives.map(toJavaScript).join('|'), 'gu')
    if (!new RegExp(compiled.source, 'u').test('')) return compiled
  } catch (cause) {
    throw refusal(where, 'a valid regular expression', shorten(source), cause)
  }
  throw refusal(where, 'a pattern that needs at least one character', shorten(source))
}

function isLinear(branch: string): boolean {
  const backtracks = branch.match(/\?(?![i:])|\{\d/g)?.length ?? 0
  return !branch.includes('&&') && backtracks <= MAX_BACKTRACKS && LINEAR.test(branch)
}

function isCasedWord(branch: string, alternatives: readonly string[]): boolean {
  const consumes = alternatives.some((other) => other.startsWith(`${MARK}${UPPER}+${LOWER}*`))
  return consumes && CASED_WORDS.includes(branch)
}

/** Splits at the `|` that are in no group and no class. */
function splitAlternatives(source: string): string[] {
  const alternatives: string[] = []
  let start = 0
  let groups = 0
  let classes = 0
  for (let i = 0; i < source.length; i++) {
    const char = source[i]
    if (char === '\\') i++
    else if (char === '[') classes++
    else if (char === ']') classes--
    else if (char === '(' && classes === 0) groups++
    else if (char === ')' && classes === 0) groups--
    else if (char === '|' && classes === 0 && groups === 0) {
      alternatives.push(source.slice(start, i))
      start = i + 1
    }
  }
  return [...alternatives, source.slice(start)]
}

const TOKEN = new RegExp(String.raw`\(\?[!:]|\(\?i:|\(|\)|\[|\]|\+\+|${ESCAPE}|[\s\S]`, 'gu')

/** Writes one accepted alternative for JavaScript's `u` mode with the meaning it has in Oniguruma. */
function toJavaScript(branch: string): string {
  let isFolding = false
  let isClass = false
  return branch.replace(TOKEN, (token) => {
    if (token === '[' || token === ']') isClass = token === '['
    if (isClass && (token === '(' || token === ')' || token === '++')) return token
    if (token === '(?i:') isFolding = true
    if (token === ')') isFolding = false
    if (token === '(?i:' || token === '(') return '(?:'
    if (token === '++') return '+'
    if (token.startsWith('\\')) return escapeToJavaScript(token, isClass)
    return isFolding ? foldCase(token, isClass) : token
  })
}

function escapeToJavaScript(sequence: string, isClass: boolean): string {
  const kind = sequence[1]!
  // Oniguruma's \s is Unicode's White_Space; JavaScript's has U+FEFF and lacks U+0085.
  if (kind === 's' || kind === 'S') return `\\${kind === 's' ? 'p' : 'P'}{White_Space}`
  if (kind === 'd' || kind === 'D') return `\\${kind === 'd' ? 'p' : 'P'}{Nd}`
  if (kind === 'w') return isClass ? WORD : `[${WORD}]`
  if (kind === 'W' && !isClass) return `[^${WORD}]`
  if (kind === 'p' || kind === 'P') return propertyToJavaScript(kind, sequence.slice(3, -1))
  if (/[nrtfv]/.test(kind)) return sequence
  return '^$\\.*+?()[]{}|/'.includes(kind) || (isClass && kind === '-') ? sequence : kind
}

// With these six of Latin-1, as Oniguruma has it.
const WORD = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}²³¹¼½¾`
/** `\\w` of Rust's own regular expressions, which the stages with built-in patterns use: with the joiners. */
export const RUST_WORD: string = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}`

function propertyToJavaScript(kind: 'p' | 'P', body: string): string {
  const isNegated = body.startsWith('^')
  const name = isNegated ? body.slice(1) : body
  const sign = isNegated === (kind === 'P') ? 'p' : 'P'
  return isCategory(name) ? `\\${sign}{${name}}` : `\\${sign}{Script=${name}}`
}

function isCategory(name: string): boolean {
  try {
    return new RegExp(`\\p{${name}}`, 'u') instanceof RegExp
  } catch {
    return false
  }
}

/** Spells out a case-insensitive letter with its Unicode variants (`ſ` is an s, the Kelvin sign a k). */
function foldCase(char: string, isClass: boolean): string {
  const lower = char.toLowerCase()
  if (lower === char.toUpperCase()) return char
  const letters = `${lower}${char.toUpperCase()}${lower === 's' ? '\u017f' : lower === 'k' ? '\u212a' : ''}`
  return isClass ? letters : `[${letters}]`
}

function escapeLiteral(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

function shorten(value: unknown): string {
  const shown = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
  return shown.length > 80 ? `${shown.slice(0, 80)}…` : shown
}

function refusal(where: string, expected: string, got: string, cause?: unknown): TokenizerError {
  return new TokenizerError(
    `unsafe or unknown pattern in ${where}: expected ${expected}, got ${got}. Use a tokenizer with a common pre-tokenizer`,
    { cause },
  )
}
