// One JSON row from its bytes, strictly: what JSON.parse lets pass silently (bytes that are not UTF-8, a key given
// twice, half a surrogate pair, depth that overflows the next stack) is a fault here, not a row.

import { isUtf8 } from 'node:buffer'
import { rememberSpelling } from '../../../text/json-spelling.ts'
import type { DataLimits } from '../limits.ts'
import type { BadReason } from '../quarantine.ts'
import type { FileRow } from './read-context.ts'

/** A row, or why there is none. */
export type ParsedRow = { row: FileRow['row'] } | { reason: BadReason; detail?: string }

/** Parses one row: an object, or a string in a list of strings. Never throws. */
export function parseJsonRow(bytes: Buffer, limits: DataLimits): ParsedRow {
  if (!isUtf8(bytes)) return { reason: 'invalid-utf8' }
  if (bytes.includes(0)) return { reason: 'nul' }
  const text = bytes.toString('utf8')
  let row: unknown
  try {
    row = JSON.parse(text)
  } catch (error) {
    return { reason: 'bad-json', detail: (error as Error).message.slice(0, 120) }
  }
  if (typeof row !== 'string' && (typeof row !== 'object' || row === null || Array.isArray(row))) {
    return { reason: 'not-a-row', detail: `expected an object or a string, got ${text.slice(0, 40)}` }
  }
  const { numKeys, depth } = measureJson(text)
  if (depth > limits.maxDepth) return { reason: 'too-deep', detail: `nested ${depth} deep, limit ${limits.maxDepth}` }
  if (numKeys > limits.maxColumns) {
    return { reason: 'too-many-columns', detail: `${numKeys} keys, limit ${limits.maxColumns}` }
  }
  const { numDistinctKeys, fault } = inspect(row, /\\u(?:0000|d[89a-f])/i.test(text))
  if (fault !== undefined) return { reason: fault }
  if (numKeys !== numDistinctKeys) return { reason: 'duplicate-key' }
  rememberSpelling(text, row)
  return { row: row as FileRow['row'] }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const SPACE = 0x20

/** Counts the keys and the nesting of a text that is known to be valid JSON. */
function measureJson(text: string): { numKeys: number; depth: number } {
  let numKeys = 0
  let depth = 0
  let deepest = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) {
      i = closingQuote(text, i)
      if (isKey(text, i + 1)) numKeys++
      continue
    }
    // Brackets differ from braces by one bit.
    const bracket = code | 0x20
    if (bracket === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (bracket === 0x7d) depth--
  }
  return { numKeys, depth: deepest }
}

function closingQuote(text: string, openingQuote: number): number {
  let quote = text.indexOf('"', openingQuote + 1)
  while (isEscaped(text, quote)) quote = text.indexOf('"', quote + 1)
  return quote
}

function isEscaped(text: string, index: number): boolean {
  let backslash = index
  while (text.charCodeAt(backslash - 1) === BACKSLASH) backslash--
  return (index - backslash) % 2 === 1
}

/** A string is a key when a colon follows. */
function isKey(text: string, afterString: number): boolean {
  let i = afterString
  while (text.charCodeAt(i) <= SPACE) i++
  return text.charCodeAt(i) === COLON
}

/** Counts the keys that JSON.parse kept; where escapes may hide bad characters it looks at the strings too. */
function inspect(row: unknown, looksAtStrings: boolean): { numDistinctKeys: number; fault?: BadReason } {
  let numDistinctKeys = 0
  const open: unknown[] = [row]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value === 'string') {
      if (!looksAtStrings) continue
      if (value.includes('\0')) return { numDistinctKeys, fault: 'nul' }
      if (!value.isWellFormed()) return { numDistinctKeys, fault: 'lone-surrogate' }
    } else if (Array.isArray(value)) {
      for (const item of value) open.push(item)
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) {
        numDistinctKeys++
        if (looksAtStrings) open.push(key)
        open.push(item)
      }
    }
  }
  return { numDistinctKeys }
}
