// A service that scores texts, asked as Perspective is (`comments:analyze`): one text a request, not faster than it allows.

import { setTimeout } from 'node:timers/promises'
import { AnnealError, InputError } from '../../errors.ts'
import { askServer } from '../ask-server.ts'
import type { ScoreOptions, ScorerMeasurement, ToxicityScorer } from './scorer.ts'

const ATTRIBUTE = 'TOXICITY'
/** So many texts in a row that a service fails on (it refuses none of them) are no accident: it is down, or nothing of the quota is left. */
const MOST_FAILED = 20
/** Where the key is looked for; it goes into a header, and into nothing that is written. */
export const KEY_VARIABLE = 'PERSPECTIVE_API_KEY'

/** How the service is asked. */
export interface HttpScorerOptions {
  /** Default: the environment's PERSPECTIVE_API_KEY; a service of one's own may need none. */
  apiKey?: string | undefined
  /** Requests begun in a second, at most. Default 1, as Perspective allows. */
  requestsPerSecond?: number
  /** Milliseconds before a request is tried again, times two each time. Default 1000. */
  pause?: number
  measured?: ScorerMeasurement | undefined
}

/**
 * A scorer behind an address. A text that the service refuses or fails on is missing; where not one score has come yet and it cannot be
 * reached, refuses the key or answers something else, that is an InputError; twenty failures in a row are an AnnealError.
 *
 * @example httpScorer('https://commentanalyzer.googleapis.com/v1alpha1/comments:analyze')
 */
export function httpScorer(address: string, options: HttpScorerOptions = {}): ToxicityScorer {
  const { apiKey = process.env[KEY_VARIABLE], requestsPerSecond = 1, pause = 1000, measured } = options
  const { origin, pathname } = new URL(address)
  const name = `${origin}${pathname}` // a key in the query is nobody's business
  const headers = { 'content-type': 'application/json', ...(apiKey && { 'x-goog-api-key': apiKey }) }
  const hidden = (text: string): string => (apiKey ? text.replaceAll(apiKey, '…') : text)
  let free = 0
  let hasScored = false
  let failedInRow = 0

  const scoreOne = async (text: string, { language, signal }: ScoreOptions): Promise<number | undefined> => {
    const now = performance.now()
    const start = Math.max(now, free)
    free = start + 1000 / requestsPerSecond
    if (start > now) await setTimeout(start - now, undefined, { signal }).catch(() => signal?.throwIfAborted())
    const body = {
      comment: { text },
      requestedAttributes: { [ATTRIBUTE]: {} },
      ...(language && { languages: [language] }),
      doNotStore: true,
    }
    const wanted = `attributeScores.${ATTRIBUTE}.summaryScore.value from 0 to 1`
    const { answer, failed, status } = await askServer(address, scoreIn, { headers, body, wanted, pause, signal })
    if (answer !== undefined) hasScored = true
    else if (!hasScored && (status === undefined || status < 400 || [401, 403, 404].includes(status)))
      throw new InputError(
        `scorer ${name}: expected ${wanted}, got ${hidden(failed!)}. Check the address${status === 401 || status === 403 ? ` and ${KEY_VARIABLE}` : ''}`,
      )
    const isRefused = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429
    failedInRow = answer !== undefined || isRefused ? 0 : failedInRow + 1
    if (failedInRow === MOST_FAILED)
      throw new AnnealError(
        `scorer ${name}: expected scores, got none for ${MOST_FAILED} texts in a row, the last time ${hidden(failed!)}. Go on later`,
      )
    return answer
  }

  return {
    name,
    measured,
    score: async (texts, asked = {}) => {
      const scores: (number | undefined)[] = []
      for (const text of texts) scores.push(text.trim() === '' ? undefined : await scoreOne(text, asked))
      return scores
    },
  }
}

function scoreIn(answer: unknown): number | undefined {
  const found = answer as { attributeScores?: Record<string, { summaryScore?: { value?: unknown } }> } | null
  const value = found?.attributeScores?.[ATTRIBUTE]?.summaryScore?.value
  return typeof value === 'number' && value >= 0 && value <= 1 ? value : undefined
}
