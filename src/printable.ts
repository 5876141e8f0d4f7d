// Text from files and models → text that a terminal shows and does not obey. Whatever is written for people goes through here
// once, where it is written (`describeError`, the command line's output), so no caller has to think of it.

// Control characters but tab and new line, what overrides or isolates a direction (the marks of one character that scripts use stay),
// line separators, lone halves of a pair.
const UNSAFE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|[\u{d800}-\u{dfff}]/gu

/**
 * The text with control characters, direction overrides and lone surrogates written as `\u001b`, so that they are seen.
 *
 * @example
 * printable('a\u001b[2Jb') // 'a\\u001b[2Jb'
 */
export function printable(text: string): string {
  return text.replaceAll(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
