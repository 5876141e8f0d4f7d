// Text → hole: its name and its type.

import { didYouMean } from '../../../nearest.ts'
import { readExpression, readText } from './read-expression.ts'
import type { Scanner } from './scanner.ts'
import { HOLE_TYPES, type Hole, type HoleType, KEYWORDS } from './syntax.ts'

const MOST_OPTIONS = 1_000

/** A name that is no word of the language. */
export function readName(scanner: Scanner, what: string): string {
  const word = scanner.word()
  if (word === '') scanner.expected(what)
  if (KEYWORDS.has(word)) scanner.fail(`expected ${what}, got the word '${word}', which means something else here`)
  scanner.at += word.length
  return word
}

/** A hole, from behind its `[` at `at`. */
export function readHole(scanner: Scanner, at: number): Hole {
  if (scanner.word() === '') scanner.expected('the name of a hole after [, or \\[ for a plain bracket')
  const name = readName(scanner, 'the name of a hole')
  const type: HoleType = scanner.take(':') ? readType(scanner) : { kind: 'str' }
  scanner.need(']')
  return { kind: 'hole', name, type, at }
}

function readType(scanner: Scanner): HoleType {
  scanner.space()
  const { at } = scanner
  const character = scanner.text[at]
  if (character === '/') return { kind: 'regex', pattern: scanner.pattern() }
  if (character === '"') {
    const options: string[] = []
    do options.push(readOption(scanner))
    while (scanner.take('|'))
    if (options.length > MOST_OPTIONS)
      scanner.fail(`expected at most ${MOST_OPTIONS} choices, got ${options.length}`, at)
    return { kind: 'choice', options }
  }
  const word = scanner.word()
  const kind = HOLE_TYPES.find((one) => one === word)
  if (kind === undefined && word !== 'one') {
    const hint = didYouMean(word, [...HOLE_TYPES, 'one of'])
    scanner.fail(
      `expected a type (${HOLE_TYPES.join(', ')}, "a" | "b", one of LIST, /PATTERN/), got ${scanner.got()}.${hint}`.replace(
        /\.$/,
        '',
      ),
    )
  }
  scanner.at += word.length
  if (kind === undefined) {
    if (!scanner.takeWord('of')) scanner.expected("'of' after 'one'")
    return { kind: 'one of', list: readExpression(scanner) }
  }
  if (kind !== 'json') return { kind }
  scanner.space()
  return scanner.text[scanner.at] === ']' ? { kind } : { kind, schema: scanner.within(() => readSchema(scanner)) }
}

function readOption(scanner: Scanner): string {
  const { at } = scanner
  const parts = readText<never>(scanner, (place) => scanner.fail('expected a choice without holes, got a hole', place))
  if (parts.length === 0) scanner.fail('expected a choice of at least one character, got an empty one', at)
  return parts
    .map((part) =>
      part.kind === 'words'
        ? part.text
        : scanner.fail('expected a choice without values, got a value. For values write `one of LIST`', part.at),
    )
    .join('')
}

/** A JSON Schema as it stands. */
function readSchema(scanner: Scanner): unknown {
  const begin = scanner.at
  const { text } = scanner
  let depth = 0
  let at = begin
  if (text[at] !== '{') scanner.expected('a JSON Schema such as {"type": "object"} or ]')
  for (; at < text.length; at++) {
    const character = text[at]
    if (character === '"') {
      const end = /"(?:[^"\\\n]|\\.)*"/y
      end.lastIndex = at
      const found = end.exec(text)
      if (found === null) scanner.fail('expected a closing " in this line', at)
      at += found[0].length - 1
    } else if (character === '{' || character === '[') {
      if (++depth > 48) scanner.fail('expected at most 48 levels within each other, got more', at)
    } else if ((character === '}' || character === ']') && --depth === 0) break
  }
  scanner.at = Math.min(at + 1, text.length)
  try {
    return JSON.parse(text.slice(begin, scanner.at))
  } catch (error) {
    scanner.fail(`expected JSON, got ${(error as Error).message.replaceAll(/\s+/g, ' ')}`, begin)
  }
}
