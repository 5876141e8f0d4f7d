// What a service streams: lines of events with JSON in them, as they come.

import { ServiceError, streamError } from './dialect.ts'

/** Characters of one line; a service that sends more of it is given up. */
const LONGEST_LINE = 32 * 2 ** 20
/** Characters that an error tells of what came. */
const SHOWN = 300

/**
 * The JSON of `data:` lines, until `[DONE]` or the end. ServiceError where nothing comes for too long (`giveUp` is called then), where a line
 * has no end, and where no event came at all.
 */
export async function* eventsOf(
  response: Response,
  seconds: number,
  giveUp: () => void,
): AsyncGenerator<unknown, void, undefined> {
  const lines = new Lines()
  let beginning = ''
  let hasEvents = false
  let timer: NodeJS.Timeout | undefined
  let isLate = false
  const wind = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      isLate = true
      giveUp()
    }, seconds * 1000)
  }
  wind()
  try {
    for await (const bytes of response.body ?? []) {
      wind()
      for (const line of lines.push(bytes as Uint8Array)) {
        if (!hasEvents && beginning.length < SHOWN) beginning += line.slice(0, SHOWN)
        if (!line.startsWith('data:')) continue
        hasEvents = true
        const data = line.slice(line[5] === ' ' ? 6 : 5)
        if (data === '[DONE]') return
        yield parsed(data)
      }
    }
  } catch (error) {
    if (isLate)
      throw new ServiceError(`${response.url}: expected the next piece within ${seconds} s, got none`, { cause: error })
    throw error
  } finally {
    clearTimeout(timer)
  }
  if (!hasEvents) checkWhole(beginning === '' ? lines.rest : beginning)
}

/** Lines of bytes that come in pieces; only what is new is looked at. */
class Lines {
  readonly #decoder = new TextDecoder()
  /** The line that has not ended. */
  #parts: string[] = []
  #length = 0
  /** A carriage return whose line feed may still come. */
  #held = ''

  /** The lines that are whole now. */
  push(bytes: Uint8Array): string[] {
    const all = (this.#held + this.#decoder.decode(bytes, { stream: true })).split(/\r\n|\n|\r(?!$)/)
    let last = all.pop() ?? ''
    this.#held = last.endsWith('\r') ? '\r' : ''
    if (this.#held !== '') last = last.slice(0, -1)
    const whole = all.map((line) => {
      const made = this.rest + line
      this.#parts = []
      this.#length = 0
      return made
    })
    this.#parts.push(last)
    this.#length += last.length
    if (this.#length > LONGEST_LINE)
      throw new ServiceError(`stream: expected lines of at most ${LONGEST_LINE} characters, got a longer one`)
    return whole
  }

  get rest(): string {
    return this.#parts.join('')
  }
}

/** An answer that is no stream: an error of the service, or a whole answer, which another try would only pay for again. */
function checkWhole(text: string): void {
  if (text.trim() === '') return
  let error: unknown
  try {
    error = (JSON.parse(text) as { error?: unknown } | null)?.error
  } catch {
    // No JSON, or its beginning.
  }
  if (typeof error === 'object' && error !== null) throw streamError(error)
  const shown = text.replaceAll(/\s+/g, ' ').slice(0, SHOWN)
  throw new ServiceError(`stream: expected events, got ${shown}`, /^\s*[{[]/.test(text) ? { status: 400 } : {})
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch (cause) {
    throw new ServiceError(`stream: expected JSON, got ${data.slice(0, 80)}`, { cause })
  }
}
