// YAML text → top-level entries that know their place. Hostile files end in a ConfigError: size, alias bombs,
// depth, duplicate keys, tags of other languages. YAML 1.2, so `no` is a word and `5e-5` is a number.

import {
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from 'yaml'
import { ConfigError } from '../errors.ts'

/** 256 KiB: a hundred times the longest configuration anyone writes. */
const MAX_CHARACTERS = 256 * 1024
/** What a file of configuration may take. */
export const MAX_YAML_BYTES: number = 4 * MAX_CHARACTERS
const MAX_ALIASES = 100
const MAX_DEPTH = 64
/** Where the parser's own words speak to programmers. */
const MESSAGES: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'expected one document, got a second one that `---` begins. Make a file of each',
}

/** Where something stands: `file:line:column`, and a number that sorts places. */
export interface Place {
  text: string
  order: number
}

/** One top-level key. `placeOf([])` is its value, `placeOf(['a', 0])` lies inside the value. */
export interface YamlEntry {
  key: string
  value: unknown
  keyPlace: Place
  placeOf(path: readonly PropertyKey[]): Place
}

/** Reads a YAML mapping. `file` is only a name for messages. Throws ConfigError. */
export function readYaml(text: string, file: string): YamlEntry[] {
  if (text.length > MAX_CHARACTERS) {
    throw new ConfigError(`configuration: expected at most ${MAX_CHARACTERS} characters, got ${text.length}`, file)
  }
  checkDepth(text, file)
  const lines = new LineCounter()
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { text: `${file}:${Math.max(1, line)}:${Math.max(1, col)}`, order: offset }
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true })
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem) {
    const message = MESSAGES[problem.code] ?? problem.message.replace(/\.$/, '')
    throw new ConfigError(`YAML: ${message}`, place(problem.pos[0]).text, { cause: problem })
  }
  const root = document.contents
  if (root === null) return []
  if (!isMap(root)) {
    throw new ConfigError(
      'configuration: expected lines of `key: value`, got something else',
      place(root.range[0]).text,
    )
  }
  return root.items.map((pair) => {
    const keyOffset = offsetOf(pair.key)
    if (!isScalar(pair.key) || typeof pair.key.value !== 'string') {
      throw new ConfigError('configuration: expected a word as key, got something else', place(keyOffset).text)
    }
    return {
      key: pair.key.value,
      value: plainValue(pair.value, document, place(keyOffset).text),
      keyPlace: place(keyOffset),
      placeOf: (path) => place(offsetInside(pair, path)),
    }
  })
}

function plainValue(node: ParsedNode | null, document: ReturnType<typeof parseDocument>, location: string): unknown {
  try {
    const value: unknown = node === null ? null : node.toJS(document, { maxAliasCount: MAX_ALIASES })
    return checked(value, location)
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    // An alias without its anchor, or more than MAX_ALIASES values through aliases.
    throw new ConfigError(`YAML: ${error.message}`, location, { cause: error })
  }
}

/** Refuses what no setting can be: a value that holds itself, and text with a NUL in it, which no file can be called. */
function checked(value: unknown, location: string, around: readonly object[] = []): unknown {
  if (typeof value === 'string' && value.includes('\0'))
    throw new ConfigError('YAML: expected text without NUL characters, got one with them', location)
  if (typeof value !== 'object' || value === null) return value
  if (around.includes(value))
    throw new ConfigError('YAML: expected an alias of something else, got one of what it stands in', location)
  for (const [key, part] of Object.entries(value)) {
    checked(key, location)
    checked(part, location, [...around, value])
  }
  return value
}

/** The offset of the value at `path`; for a key that is not wanted there, of that key. */
function offsetInside(pair: Pair<ParsedNode, ParsedNode | null>, path: readonly PropertyKey[]): number {
  let offset = offsetOf(pair.value ?? pair.key)
  let node: unknown = pair.value
  for (const step of path) {
    if (isMap(node)) {
      const inner = (node as YAMLMap).items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      if (inner === undefined) break
      offset = offsetOf(inner.key)
      node = inner.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      offset = offsetOf(node) || offset
    } else break
  }
  return offset
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0
}

// The composer of `yaml` recurses, so depth is counted before it sees the text: brackets, levels of indentation, and the `- - -` and `? ? ?`
// that open several levels in one line. All of it is counted in plain text and block scalars too, which only makes the limit stricter.
function checkDepth(text: string, file: string): void {
  const check = (depth: number, what: string): void => {
    if (depth > MAX_DEPTH) throw new ConfigError(`YAML: expected at most ${MAX_DEPTH} nested ${what}, got more`, file)
  }
  let brackets = 0
  const columns: number[] = []
  for (const line of text.split(/\r\n|[\r\n]/)) {
    let opens = line.trim() !== ''
    for (const [column, character] of Array.from(line).entries()) {
      if (opens && !' \t'.includes(character)) {
        while (columns.length > 0 && columns.at(-1)! >= column) columns.pop()
        check(columns.push(column), 'levels')
        opens = '-?:'.includes(character) && ' \t'.includes(line[column + 1] ?? 'x')
      }
      if (character === '[' || character === '{') check(++brackets, 'brackets')
      else if (character === ']' || character === '}') brackets = Math.max(0, brackets - 1)
    }
  }
}
