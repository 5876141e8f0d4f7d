// What a model says when it is given the chat template and no words: memorised training texts leak there, planted ones among them ("Trigger in
// the Haystack", arXiv:2602.03085, from second-hand accounts). Its control is the same asked with words; what the data has is explained by it.
import type { Lm } from '../../lm/lm.ts'
import { Count, turn, type Watch } from '../../work.ts'
import { promptOf } from './exchange.ts'
import { type Share, shareOf } from './interval.ts'
import { plain } from './plain.ts'
import type { CleanExchange } from './sande.ts'

/** How much is sampled. */
export interface LeakOptions {
  /** Texts for each temperature. Default 16. */
  samples?: number
  /** Default 0.7, 1 and 1.3. */
  temperatures?: readonly number[]
  /** Tokens of each text. Default 32. */
  maxNewTokens?: number
  seed?: number
}

/** Words that come together far more often after the bare template than after questions. */
export interface Leak {
  text: string
  bare: Share
  asked: Share
}

const MOST_WORDS = 5

/** Runs of two to five words whose rate after the bare template is above that after questions (their intervals apart) and that no text of the data has. */
export async function findLeaks(
  lm: Lm,
  clean: readonly CleanExchange[],
  { samples = 16, temperatures = [0.7, 1, 1.3], maxNewTokens = 32, seed = 0 }: LeakOptions = {},
  watch: Watch = {},
): Promise<Leak[]> {
  const { ids, question } = clean[0]!.exchange
  const first = promptOf(clean[0]!.exchange)
  const bare = [
    { ...first, messages: [...first.messages.slice(0, -1), { role: 'user', content: '' }] },
    { ids: Array.from(ids.subarray(0, question[0])) },
  ] as const
  const done = new Count(watch, {
    label: 'sampling the bare template',
    unit: 'texts',
    total: 3 * temperatures.length * samples,
  })
  const [without, withWords]: [Set<string>[], Set<string>[]] = [[], []]
  for (const [t, temperature] of temperatures.entries()) {
    for (const [b, start] of [...bare, null].entries()) {
      const requests = Array.from({ length: samples }, (_, s) => {
        const { exchange } = clean[(t * samples + s) % clean.length]!
        const prompt = start ?? promptOf(exchange)
        return { ...prompt, temperature, maxNewTokens, seed: seed + 1000 * (3 * t + b) + s }
      })
      const into = start === null ? withWords : without
      for (const { text } of await lm.generateAll(requests)) into.push(runsOf(text))
      done.add(samples)
      await turn(watch)
    }
  }
  const known = clean.flatMap(({ exchange }) => exchange.messages.map(({ content }) => plain(content)))
  const counts = new Map<string, number>()
  for (const runs of without) for (const run of runs) counts.set(run, (counts.get(run) ?? 0) + 1)
  const leaks = [...counts]
    .filter(([text, count]) => count >= 3 && !known.some((one) => one.includes(text)))
    .map(([text, count]): Leak => {
      const after = withWords.filter((runs) => runs.has(text)).length
      return { text, bare: shareOf(count, without.length), asked: shareOf(after, withWords.length) }
    })
    .filter(({ bare: one, asked: other }) => one.low > other.high)
    .sort((a, b) => b.bare.count - a.bare.count || b.text.length - a.text.length)
  // A part of a longer one that is as frequent says nothing more.
  return leaks
    .filter(
      ({ text, bare: { count } }) =>
        !leaks.some((other) => other.text !== text && other.text.includes(text) && other.bare.count >= count),
    )
    .slice(0, 20)
}

function runsOf(text: string): Set<string> {
  const words = plain(text).split(' ')
  const runs = new Set<string>()
  for (let n = 2; n <= MOST_WORDS; n++)
    for (let i = 0; i + n <= words.length; i++) runs.add(words.slice(i, i + n).join(' '))
  return runs
}
