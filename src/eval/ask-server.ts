// A question to a service in JSON: tried again where the service or the way to it fails, and where it asks to wait.

import { setTimeout } from 'node:timers/promises'
import { retryAfter } from '../retry-after.ts'
import { brief } from './task-config.ts'

const TRIES = 3
/** Seconds that a server is waited for at most when it says how long. */
const LONGEST_WAIT = 120

/** What is sent, and how often it is tried. */
export interface Question {
  headers: Readonly<Record<string, string>>
  body: object
  /** What an answer should have, for what is said where it has not. */
  wanted: string
  /** Milliseconds before a request is tried again, times two each time. */
  pause: number
  signal?: AbortSignal | undefined
}

/** What came: `answer`, or why there is none, with the last HTTP status where there was one. */
export interface Asked<T> {
  answer?: T
  failed?: string
  status?: number
}

/** Posts until `read` makes something of the answer: three times where the server or the way to it fails, once where it refuses. Throws where it is aborted. */
export async function askServer<T>(
  url: string,
  read: (answer: unknown) => T | undefined,
  { headers, body, wanted, pause, signal }: Question,
): Promise<Asked<T>> {
  let failed = ''
  let status: number | undefined
  let asked: number | undefined
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const wait = asked === undefined ? pause * 2 ** attempt : Math.min(asked, LONGEST_WAIT) * 1000
    if (attempt > 0) await setTimeout(wait, undefined, { signal }).catch(() => signal?.throwIfAborted())
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        ...(signal !== undefined && { signal }),
      })
      status = response.status
      if (response.ok) {
        const text = await response.text()
        const json = parsedJson(text)
        const answer = json === undefined ? undefined : read(json)
        if (answer !== undefined) return { answer, status }
        failed = json === undefined ? `expected JSON, got ${brief(text)}` : `an answer without ${wanted}`
        continue
      }
      asked = retryAfter(response.headers)
      failed = `HTTP ${response.status} ${(await response.text()).slice(0, 200)}`.trim()
      if (response.status < 500 && response.status !== 429 && response.status !== 408) break
    } catch (error) {
      signal?.throwIfAborted()
      status = undefined
      failed = reasonOf(error)
    }
  }
  return { failed, ...(status !== undefined && { status }) }
}

/** undefined where a text is no JSON, such as a proxy's page. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Why a connection failed, with what lies under it. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}
