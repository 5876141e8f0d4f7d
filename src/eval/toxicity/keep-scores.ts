// The scores of a service on disk as they come, so that a run that was stopped goes on behind the last one: each of them costs a request.

import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { hashOf } from '../../files/hash.ts'
import type { ToxicityScorer } from './scorer.ts'

/**
 * The same scorer, whose scores are appended to a file of JSON lines, under a hash of scorer, language and text, and not asked for again.
 * What failed is not kept. `notice` hears how many were known.
 */
export function keepScores(
  scorer: ToxicityScorer,
  file: string,
  notice: (message: string) => void = () => {},
): ToxicityScorer {
  const known = readKept(file)
  if (known.size > 0)
    notice(
      `${known.size.toLocaleString('en')} scores of ${scorer.name} are known from before and not asked for again: ${file}. Remove it to ask anew`,
    )
  mkdirSync(dirname(file), { recursive: true })
  return {
    name: scorer.name,
    measured: scorer.measured,
    score: async (texts, options = {}) => {
      const scores: (number | undefined)[] = []
      for (const text of texts) {
        const key = hashOf(scorer.name, options.language ?? '', text).slice(0, 32)
        const kept = known.get(key)
        const [score] = kept === undefined ? await scorer.score([text], options) : [kept]
        if (kept === undefined && score !== undefined) {
          known.set(key, score)
          appendFileSync(file, `${JSON.stringify({ key, score })}\n`)
        }
        scores.push(score)
      }
      return scores
    },
  }
}

function readKept(file: string): Map<string, number> {
  const known = new Map<string, number>()
  if (!existsSync(file)) return known
  const text = readFileSync(file, 'utf8')
  for (const line of text.split('\n')) {
    try {
      const { key, score } = JSON.parse(line) as { key?: unknown; score?: unknown }
      if (typeof key === 'string' && typeof score === 'number') known.set(key, score)
    } catch {
      // The last line of a run that was killed: it is asked again.
    }
  }
  if (text !== '' && !text.endsWith('\n')) appendFileSync(file, '\n')
  return known
}
