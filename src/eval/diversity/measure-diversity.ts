// How much texts differ from each other: what shows that a synthesis says the same again. The compression ratio, self-repetition and
// Self-BLEU together tell most of it (Shaib et al. 2024, arXiv:2403.00553); how texts begin and end is what people see first.

import { gzipSync } from 'node:zlib'
import { UsageError } from '../../errors.ts'
import { PythonRandom } from '../python-random.ts'
import { type Distribution, distributionOf } from './distribution.ts'
import { type PhraseCounts, phraseCounts } from './phrase-counts.ts'
import { selfBleu } from './self-bleu.ts'
import { type CutTexts, cutTexts, type WordRuns, wordRuns } from './word-runs.ts'

/** What is looked at, and how closely. */
export interface DiversityOptions {
  /** Of each text: their spread is told. */
  topics?: readonly string[]
  /** Texts for Self-BLEU at most, drawn without replacement; more references make it higher, so compare equal numbers. Default 1,000. */
  selfBleuTexts?: number
  /** Of that draw. Default 0. */
  seed?: number
  /** Words of openings and closings. Default 3. */
  phraseWords?: number
  /** How many of those are told. Default 10. */
  phrases?: number
}

/**
 * How much texts differ. Words are lower-case runs of letters and digits without signs; of scripts that put no spaces between words, such
 * as Chinese, each character. All but lengths depends on how much text there is: compare sets of about the same size.
 */
export interface Diversity {
  texts: number
  /** Words of all texts. */
  words: number
  /** Bytes of the texts, a line end behind each, divided by those of their gzip (level 9). The higher, the more is said again. */
  compressionRatio: number
  /** Different words and pairs of words, divided by all of them. */
  distinct1: number
  distinct2: number
  /** Runs of four words: the mean over texts of log(1 + Σ over their runs of the other texts that have the run) (Salkar et al. 2022). */
  selfRepetition: number
  /** Texts that have a run of eight words which another text has too, divided by all. */
  sharedRuns: number
  /** In [0, 100], of so many texts. */
  selfBleu: number
  selfBleuTexts: number
  openings: PhraseCounts
  closings: PhraseCounts
  /** Words of a text. */
  lengths: Distribution
  /** −Σ p log2 p over topics, in bits; and divided by the most that so many topics can have, 1 where there is one. */
  topicEntropy?: number
  topicEvenness?: number
}

const RUN = 4
const LONG_RUN = 8

/**
 * Measures texts, such as the turns that a synthesis made.
 *
 * @example
 * const { openings, selfBleu } = measureDiversity(turns)
 */
export function measureDiversity(
  texts: readonly string[],
  { topics, selfBleuTexts = 1000, seed = 0, phraseWords = 3, phrases = 10 }: DiversityOptions = {},
): Diversity {
  if (texts.length === 0) throw new UsageError('texts: expected at least one, got none')
  if (topics !== undefined && topics.length !== texts.length)
    throw new UsageError(`topics: expected one for each of ${texts.length} texts, got ${topics.length}`)
  for (const [name, value] of Object.entries({ selfBleuTexts, phraseWords, phrases }))
    if (!(Number.isInteger(value) && value >= 1))
      throw new UsageError(`${name}: expected a whole number of at least 1, got ${value}`)
  const cut = cutTexts(texts)
  const [ones, twos] = [wordRuns(cut, 1), wordRuns(cut, 2)]
  const drawn = texts.length <= selfBleuTexts ? texts : new PythonRandom(seed).sample(texts, selfBleuTexts)
  const phrase = { length: phraseWords, most: phrases }
  return {
    texts: texts.length,
    words: cut.words.length,
    compressionRatio: compressionRatio(texts),
    distinct1: ones.distinct / ones.total,
    distinct2: twos.distinct / twos.total,
    selfRepetition: meanOf(othersWith(cut, wordRuns(cut, RUN)), (others) => Math.log(1 + others)),
    sharedRuns: meanOf(othersWith(cut, wordRuns(cut, LONG_RUN)), (others) => (others > 0 ? 1 : 0)),
    selfBleu: selfBleu(drawn),
    selfBleuTexts: drawn.length,
    openings: phraseCounts(cut, 'first', phrase),
    closings: phraseCounts(cut, 'last', phrase),
    lengths: distributionOf(texts.map((_, i) => cut.starts[i + 1]! - cut.starts[i]!)),
    ...(topics !== undefined && topicSpread(topics)),
  }
}

function compressionRatio(texts: readonly string[]): number {
  const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''))
  return bytes.length / gzipSync(bytes, { level: 9 }).length
}

/** [texts]: over the runs of a text, each as often as it has it, how many other texts have it. */
function othersWith({ starts }: CutTexts, { runs, distinct }: WordRuns): Float64Array {
  const having = new Int32Array(distinct)
  const last = new Int32Array(distinct).fill(-1)
  const each = (visit: (text: number, run: number) => void): void => {
    for (let text = 0; text + 1 < starts.length; text++)
      for (let at = starts[text]!; at < starts[text + 1]!; at++) if (runs[at] !== -1) visit(text, runs[at]!)
  }
  each((text, run) => {
    if (last[run] !== text) having[run]!++
    last[run] = text
  })
  const others = new Float64Array(starts.length - 1)
  each((text, run) => {
    others[text]! += having[run]! - 1
  })
  return others
}

const meanOf = (values: Float64Array, worth: (value: number) => number): number =>
  values.reduce((sum, value) => sum + worth(value), 0) / values.length

function topicSpread(topics: readonly string[]): { topicEntropy: number; topicEvenness: number } {
  const counts = new Map<string, number>()
  for (const topic of topics) counts.set(topic, (counts.get(topic) ?? 0) + 1)
  let entropy = 0
  for (const count of counts.values()) entropy -= (count / topics.length) * Math.log2(count / topics.length)
  return { topicEntropy: entropy, topicEvenness: counts.size === 1 ? 1 : entropy / Math.log2(counts.size) }
}
