// What a tool over MCP answers, as text for a model: what is no text is named, what is too long is cut, and both are said.

import { isDeepStrictEqual } from 'node:util'

/** A block of an answer, as far as it is read. */
export interface ResultBlock {
  type: string
  text?: string
  data?: string
  mimeType?: string
  uri?: string
  name?: string
  resource?: { uri?: string; mimeType?: string; text?: string; blob?: string }
}

/** The text of an answer, of at most so many characters. */
export function resultText(blocks: readonly ResultBlock[], structured: unknown, maxCharacters: number): string {
  const parts = blocks.map(described)
  // Servers give the value as text, too; those that give another text, or none, have both told.
  if (structured !== undefined && !blocks.some(({ text }) => isSame(text, structured)))
    parts.push(JSON.stringify(structured))
  const text = parts.join('\n')
  if (text === '') return '(no output)'
  if (text.length <= maxCharacters) return text
  const cut = text.slice(0, maxCharacters).toWellFormed()
  return `${cut}\n[cut here: ${text.length - maxCharacters} of ${text.length} characters were left out]`
}

function described({ type, text, data, mimeType, uri, name, resource }: ResultBlock): string {
  switch (type) {
    case 'text':
      return text ?? ''
    case 'image':
    case 'audio':
      return `[${type} of ${mimeType ?? 'an unknown type'}, ${bytesOf(data)} bytes: not shown]`
    case 'resource':
      if (resource?.text !== undefined) return `[${resource.uri}]\n${resource.text}`
      return `[${resource?.uri} of ${resource?.mimeType ?? 'an unknown type'}, ${bytesOf(resource?.blob)} bytes: not shown]`
    case 'resource_link':
      return `[link to ${name ?? 'a resource'}: ${uri}]`
    default:
      return `[${type}: not shown]`
  }
}

/** Of Base64. */
const bytesOf = (data = ''): number => Math.floor((data.replace(/=+$/, '').length * 3) / 4)

function isSame(text: string | undefined, structured: unknown): boolean {
  try {
    return text !== undefined && isDeepStrictEqual(JSON.parse(text), structured)
  } catch {
    return false
  }
}
