// WARC files of web archives (ISO 28500), gzip or not: pages of `response` records as text, text of `conversion` records as it is. A
// record that does not hold what it says is reported and the next one is looked for; a file that is cut gives what is whole.

import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { DataLimits } from '../limits.ts'
import { readMembers } from './gzip-members.ts'
import { decodePage, pageText } from './html.ts'
import type { FileRow, ReadContext } from './read-context.ts'

const HEADER_END = Buffer.from('\r\n\r\n')
const NEXT = Buffer.from('\r\n\r\nWARC/')
const MAX_HEADER_BYTES = 64 * 1024

/** One record of a file; `offset` in bytes of the unpacked file. */
interface WarcRecord {
  headers: Map<string, string>
  content: Buffer
  offset: number
  length: number
}

/** Yields rows `{ text, url, date, title?, extracted? }`; `line` counts records. */
export async function* readWarc(context: ReadContext): AsyncGenerator<FileRow> {
  let line = 0
  for await (const record of recordsOf(context)) {
    line++
    const { offset, length, headers } = record
    const place = { offset, length, line }
    const type = headers.get('warc-type')
    const about = { url: headers.get('warc-target-uri') ?? '', date: headers.get('warc-date') ?? '' }
    if (type === 'conversion') {
      yield { ...place, row: { text: record.content.toString('utf8'), ...about } }
      continue
    }
    if (type !== 'response' || !about.url.startsWith('http')) continue
    let page: Awaited<ReturnType<typeof textOfResponse>>
    try {
      page = await textOfResponse(record.content, context.limits)
    } catch (error) {
      context.bad({ ...place, reason: 'bad-warc', detail: `${about.url}: ${(error as Error).message}`.slice(0, 200) })
      continue
    }
    if (page === 'other') continue
    if (typeof page === 'string') context.bad({ ...place, reason: page, detail: about.url.slice(0, 200) })
    else yield { ...place, row: { ...page, ...about } }
  }
}

async function* recordsOf(context: ReadContext): AsyncGenerator<WarcRecord> {
  let pending = Buffer.alloc(0)
  let offset = 0
  let line = 0
  const take = (bytes: number): void => {
    pending = pending.subarray(bytes)
    offset += bytes
  }
  const bad = (length: number, detail: string): void =>
    context.bad({ reason: 'bad-warc', line, offset, length, detail, bytes: pending.subarray(0, 200) })
  const chunks = readMembers(context)
  let isOver = false
  const more = async (): Promise<boolean> => {
    const next = await chunks.next()
    if (next.done === true) isOver = true
    else pending = Buffer.concat([pending, next.value])
    return !isOver
  }
  for (;;) {
    while (pending.length < 5 && (await more()));
    const blank = /^[\r\n]*/.exec(pending.subarray(0, 16).toString('latin1'))![0].length
    if (blank > 0) {
      take(blank)
      continue
    }
    if (pending.length === 0) return
    line++
    let end = pending.indexOf(HEADER_END)
    while (end === -1 && pending.length < MAX_HEADER_BYTES && (await more())) end = pending.indexOf(HEADER_END)
    const head = end === -1 ? '' : pending.subarray(0, end).toString('utf8')
    const headers = headersOf(head)
    const length = Number(headers.get('content-length') ?? Number.NaN)
    // Versions in the wild are 0.17, 0.18, 1.0 and 1.1.
    if (!head.startsWith('WARC/') || !Number.isSafeInteger(length) || length < 0) {
      const lost = await resync()
      bad(lost, `expected a record that begins with WARC/ and has a Content-Length`)
      if (lost === 0) return
      take(lost)
      continue
    }
    const whole = end + 4 + length
    if (length > context.limits.maxLineBytes) {
      bad(whole, `a record of ${length} bytes, limit ${context.limits.maxLineBytes}`)
      let left = whole
      for (;;) {
        const now = Math.min(left, pending.length)
        take(now)
        left -= now
        if (left === 0) break
        if (!(await more())) return
      }
      continue
    }
    while (pending.length < whole + 4 && (await more()));
    if (pending.length < whole) {
      context.bad({ reason: 'truncated', line, offset, length: pending.length, detail: 'the last record is cut short' })
      return
    }
    const after = pending.subarray(whole, whole + 4)
    if (after.length > 0 && !HEADER_END.subarray(0, after.length).equals(after)) {
      const lost = await resync()
      bad(lost, 'its Content-Length is not the length of what it holds')
      if (lost === 0) return
      take(lost)
      continue
    }
    yield { headers, content: pending.subarray(end + 4, whole), offset, length: whole }
    take(whole)
  }

  /** Bytes up to the next record, or to the end. */
  async function resync(): Promise<number> {
    let from = 5
    for (;;) {
      const next = pending.indexOf(NEXT, from)
      if (next !== -1) return next + 4
      from = Math.max(5, pending.length - NEXT.length)
      if (!(await more())) return pending.length
    }
  }
}

function headersOf(head: string): Map<string, string> {
  const headers = new Map<string, string>()
  for (const line of head.split(/\r?\n/).slice(1)) {
    const colon = line.indexOf(':')
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim())
  }
  return headers
}

/** `other` for what is no page: a picture, a redirection. */
async function textOfResponse(
  bytes: Buffer,
  { maxLineBytes: most, maxDepth }: DataLimits,
): Promise<{ text: string; title?: string; extracted?: number } | 'other' | 'no-article' | 'too-deep'> {
  const end = bytes.indexOf(HEADER_END)
  if (end === -1) throw new Error('expected HTTP headers, got none')
  const head = bytes.subarray(0, end).toString('latin1')
  const status = Number(/^HTTP\/\S+ (\d{3})/.exec(head)?.[1])
  if (!(status >= 200 && status < 300)) return 'other'
  const headers = headersOf(head)
  const type = headers.get('content-type') ?? 'text/html'
  if (!/^(?:text\/html|application\/xhtml|text\/plain)/i.test(type)) return 'other'
  let body: Buffer = bytes.subarray(end + 4)
  if (/chunked/i.test(headers.get('transfer-encoding') ?? '')) body = unchunked(body)
  body = unpacked(body, headers.get('content-encoding') ?? '', most)
  const text = decodePage(body, /charset=["']?([\w-]+)/i.exec(type)?.[1])
  if (/^text\/plain/i.test(type)) return text.trim() === '' ? 'no-article' : { text }
  return pageText(text, maxDepth)
}

/** Archives often keep the header and store the body without chunks: then it is taken as it is. */
function unchunked(body: Buffer): Buffer {
  const pieces: Buffer[] = []
  let at = 0
  while (at < body.length) {
    const end = body.indexOf('\r\n', at)
    const size =
      end === -1 || end - at > 16 ? Number.NaN : Number.parseInt(body.subarray(at, end).toString('latin1'), 16)
    if (!Number.isSafeInteger(size)) return pieces.length === 0 ? body : Buffer.concat(pieces)
    if (size === 0) break
    pieces.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
  return Buffer.concat(pieces)
}

function unpacked(body: Buffer, encoding: string, most: number): Buffer {
  const options = { maxOutputLength: most }
  if (/gzip/i.test(encoding)) return body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body, options) : body
  if (/deflate/i.test(encoding)) return body[0] === 0x78 ? inflateSync(body, options) : body
  if (/\bbr\b/i.test(encoding)) return brotliDecompressSync(body, options)
  return body
}
