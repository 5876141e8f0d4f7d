// White space as Python has it: JavaScript's \s has U+FEFF, and lacks U+001C to U+001F and U+0085.

/** One character of white space, for regular expressions. */
export const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'

/** Whether a UTF-16 unit is white space. */
export function isSpace(unit: number): boolean {
  if (unit < 0x80) return unit === 0x20 || (unit >= 0x09 && unit <= 0x0d) || (unit >= 0x1c && unit <= 0x1f)
  if (unit < 0x1680) return unit === 0x85 || unit === 0xa0
  return (unit >= 0x2000 && unit <= 0x200a) || [0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000].includes(unit)
}

const RUN = new RegExp(`${SPACE}+`)

/** Python's `re.split(r'\\s+', text)`: white space at an end leaves an empty text there. */
export function splitSpaces(text: string): string[] {
  return text.split(RUN)
}
