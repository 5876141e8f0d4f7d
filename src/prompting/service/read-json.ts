// The JSON that a request brings, where no server has read it before: within limits, and of that type, which forms of other pages cannot send.

import { ServiceFault } from './service-fault.ts'

/** Bytes of a request. */
const MOST_BYTES = 4 * 2 ** 20

const wrong = (status: number, message: string): ServiceFault => new ServiceFault(status, 'invalid_input', message)

/** Reads it. ServiceFault 413 for more than `maxBytes`, 415 for another type, 400 for what is no JSON. */
export async function readJson(request: Request, maxBytes: number = MOST_BYTES): Promise<unknown> {
  const type = request.headers.get('content-type')
  if (type !== null && !/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type))
    throw wrong(415, `content-type: expected application/json, got ${JSON.stringify(type.slice(0, 80))}`)
  const chunks: Uint8Array[] = []
  let length = 0
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = request.body?.getReader()
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
    if (done || value === undefined) break
    length += value.byteLength
    if (length > maxBytes) {
      reader?.cancel().catch(() => undefined)
      throw wrong(413, `body: expected at most ${maxBytes} bytes, got more`)
    }
    chunks.push(value)
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks, length))) as unknown
  } catch (cause) {
    // Its own message quotes the text.
    throw new ServiceFault(400, 'invalid_input', 'body: expected JSON in UTF-8, got something else', { cause })
  }
}
