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
    const message = problem.message.replace(/\.$/, '')
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
    return node === null ? null : node.toJS(document, { maxAliasCount: MAX_ALIASES })
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    // An alias without its anchor, or more than MAX_ALIASES values through aliases.
    throw new ConfigError(`YAML: ${error.message}`, location, { cause: error })
  }
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

// The composer of `yaml` recurses; brackets in plain text are counted too, which only makes the limit stricter.
function checkDepth(text: string, file: string): void {
  let depth = 0
  for (const character of text) {
    if (character === '[' || character === '{') depth++
    else if (character === ']' || character === '}') depth = Math.max(0, depth - 1)
    if (depth > MAX_DEPTH) throw new ConfigError(`YAML: expected at most ${MAX_DEPTH} nested brackets, got more`, file)
  }
}
