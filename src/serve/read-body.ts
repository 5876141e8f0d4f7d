// The JSON that a request brings, within limits. What is refused is told by its place, never by its contents: bodies are people's texts,
// and errors end up in logs.

import { rememberSpelling } from '../text/json-spelling.ts'
import { ApiError, brief } from './api-error.ts'

/** How much a request may bring, and how slowly. */
export interface BodyLimits {
  /** Default 4 MiB. */
  maxBytes?: number
  /** Lists and objects inside each other. Default 128: a schema of depth 32 in a request takes fewer. */
  maxDepth?: number
  /** For the whole of it. Default 30. */
  timeoutSeconds?: number
}

/**
 * Reads the body of a request as JSON. ApiError 400 for what is no UTF-8 or no JSON, is too deep or names a `__proto__`; 408 for one
 * that does not come to its end in time; 413 for one that is too large, however its length was announced; 415 for another type. Forms
 * of web pages, which may post anywhere, cannot send this type; a body without a type passes.
 */
export async function readBody(request: Request, limits: BodyLimits = {}): Promise<unknown> {
  const { maxBytes = 4 * 2 ** 20, maxDepth = 128, timeoutSeconds = 30 } = limits
  checkType(request.headers)
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const bytes = await readBytes(request, maxBytes, timeoutSeconds)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ApiError(400, 'body: expected UTF-8, got bytes that are none', { cause })
  }
  return parse(text, maxDepth)
}

function checkType(headers: Headers): void {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase()
  if (encoding && encoding !== 'identity')
    throw new ApiError(415, 'content-encoding: expected none. Send the body as it is')
  const type = headers.get('content-type')
  if (type === null) return
  const [essence = '', ...parameters] = type.split(';').map((part) => part.trim().toLowerCase())
  const charset = parameters.find((part) => part.startsWith('charset='))?.slice('charset='.length)
  const isJson = /^application\/([\w.-]+\+)?json$/.test(essence)
  if (!isJson || (charset !== undefined && !/^"?utf-?8"?$/.test(charset)))
    throw new ApiError(415, `content-type: expected application/json in UTF-8, got ${brief(type)}`)
}

const tooLarge = (maxBytes: number): ApiError =>
  // What is left of the body is not read, so nothing can follow it on this connection.
  new ApiError(413, `body: expected at most ${maxBytes} bytes, got more`, { headers: { connection: 'close' } })

async function readBytes(request: Request, maxBytes: number, timeoutSeconds: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array()
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader()
  const { signal } = request
  signal.throwIfAborted()
  let timer: NodeJS.Timeout | undefined
  let onAbort = (): void => {}
  const interrupted = new Promise<never>((_, reject) => {
    const slow = new ApiError(408, `body: expected the whole of it within ${timeoutSeconds} s`, {
      headers: { connection: 'close' },
    })
    timer = setTimeout(() => reject(slow), timeoutSeconds * 1000)
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  const chunks: Uint8Array[] = []
  let length = 0
  let isWhole = false
  try {
    for (;;) {
      const { done, value } = await Promise.race([readNext(reader), interrupted])
      if (done) break
      length += value.byteLength
      if (length > maxBytes) throw tooLarge(maxBytes)
      chunks.push(value)
    }
    isWhole = true
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    // Not awaited: a source that never answers would hold us here.
    if (!isWhole) reader.cancel().catch(() => {})
  }
  return Buffer.concat(chunks, length)
}

/** A connection that breaks is the client's doing, whatever the error that tells of it. */
async function readNext(reader: ReadableStreamDefaultReader<Uint8Array>) {
  try {
    return await reader.read()
  } catch (cause) {
    throw new ApiError(400, 'body: expected the whole of it, the connection ended before', { cause })
  }
}

function parse(text: string, maxDepth: number): unknown {
  checkDepth(text, maxDepth)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Its message quotes the text; ours has the place.
    throw new ApiError(400, `body: expected JSON, got ${text.trim() === '' ? 'nothing' : placeOfFault(text)}`)
  }
  if (MAY_NAME_PROTO.test(text)) refuseProto(value)
  // Templates write the schemas of tools as Python would: 1.0 is not 1 there.
  rememberSpelling(text, value)
  return value
}

/** Before anything is parsed: what is a hundred thousand lists deep needs no closing bracket to fill the memory. */
function checkDepth(text: string, maxDepth: number): void {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === QUOTE) i = endOfString(text, i)
    else if (unit === OPEN_BRACKET || unit === OPEN_BRACE) {
      if (++depth > maxDepth)
        throw new ApiError(400, `body: expected at most ${maxDepth} lists and objects inside each other, got more`)
    } else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) depth--
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** Where the string that begins at `start` has its last quote; the text's length if nowhere. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === BACKSLASH) i++
    else if (unit === QUOTE) return i
  }
  return text.length
}

const MAY_NAME_PROTO = /__proto__|\\u00[2-7]/i

/** As a key it is a plain property of what `JSON.parse` makes, but sets the prototype of what it is copied into by assignment. */
function refuseProto(value: unknown): void {
  const left = [value]
  while (left.length > 0) {
    const one = left.pop()
    if (typeof one !== 'object' || one === null) continue
    if (Object.hasOwn(one, '__proto__')) throw new ApiError(400, "body: expected no key named '__proto__'")
    for (const inner of Object.values(one)) if (typeof inner === 'object') left.push(inner)
  }
}

/** `something else at line 3, column 7`: the first place where the text stops being JSON. */
function placeOfFault(text: string): string {
  const index = faultIn(text)
  if (index >= text.length) return `no more of it after ${text.length} characters`
  const before = text.slice(0, index)
  const line = before.split('\n').length
  return `something else at line ${line}, column ${index - before.lastIndexOf('\n')}`
}

const SPACE = /[ \t\n\r]*/y
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])|(?:true|false|null)(?!\w)/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y

/** The index of the first character that cannot stand where it does; the length of a text that only breaks off. */
function faultIn(text: string): number {
  const open: number[] = []
  let at = 0
  const matches = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    if (!pattern.test(text)) return false
    at = pattern.lastIndex
    return true
  }
  const next = (): number => {
    matches(SPACE)
    return text.charCodeAt(at)
  }
  /** Past a string; false at its fault. */
  const passString = (): boolean => {
    if (text.charCodeAt(at) !== QUOTE) return false
    for (at++; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      if (unit === QUOTE) return ++at > 0
      if (unit < 0x20 || (unit === BACKSLASH && !matches(ESCAPE))) return false
      if (unit === BACKSLASH) at--
    }
    return false
  }
  const passKey = (): boolean => {
    next()
    if (!passString() || next() !== 0x3a) return false
    at++
    return true
  }
  for (;;) {
    // A value begins here.
    const unit = next()
    if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      at++
      const close = unit + 2
      if (next() !== close) {
        open.push(close)
        if (unit === OPEN_BRACE && !passKey()) return at
        continue
      }
      at++
    } else if (unit === QUOTE ? !passString() : !matches(SCALAR)) return at
    // A value has ended here.
    for (;;) {
      const after = next()
      const close = open.at(-1)
      if (close === undefined) return at
      if (after === 0x2c) {
        at++
        if (close === CLOSE_BRACE && !passKey()) return at
        break
      }
      if (after !== close) return at
      at++
      open.pop()
    }
  }
}
