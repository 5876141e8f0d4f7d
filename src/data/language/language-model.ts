// An identifier of our own: multinomial logistic regression on hashed character n-grams and words, its weights in eight bits.

import { InputError } from '../../errors.ts'
import { didYouMean } from '../../nearest.ts'
import {
  type Identification,
  type IdentifyOptions,
  type LanguageIdentifier,
  MIN_LETTERS,
  MIN_PROBABILITY,
  UNDETERMINED,
} from './identifier.ts'
import { Features, featuresOf, lettersOf } from './ngrams.ts'

/** What a trained identifier consists of. */
export interface LanguageModelParts {
  name: string
  labels: readonly string[]
  /** Rows of the table: 2^bits. */
  bits: number
  /** [2^bits, labels] weights, each in units of its label's `scales`. */
  weights: Int8Array
  scales: Float32Array
  biases: Float32Array
  /** [2^bits] log-frequency of a feature in all training texts, in units of `frequencyScale`. */
  frequencies: Int8Array
  frequencyScale: number
  /** Logits are divided by it: fitted on held-out texts. */
  temperature: number
  /** Held-out texts' mean log-frequency, and its variance `spread[0] + spread[1] / features`. */
  usual: number
  spread: readonly [number, number]
  /** What it was made of, and how it does: free text and figures for people. */
  about: Readonly<Record<string, unknown>>
}

/** A text is cut there: a language shows long before. */
const MAX_CHARACTERS = 4000
/** So many standard deviations below the usual log-frequency, a text is unlike all that was learnt. */
const UNLIKE = 3

/** Answers from weights that `trainLanguageIdentifier` made or `loadLanguageIdentifier` read. */
export class LanguageModel implements LanguageIdentifier {
  readonly parts: LanguageModelParts
  private readonly features = new Features()

  constructor(parts: LanguageModelParts) {
    this.parts = parts
  }

  get name(): string {
    return this.parts.name
  }

  get labels(): readonly string[] {
    return this.parts.labels
  }

  identify(text: string, options: IdentifyOptions = {}): Identification {
    const { among, minLetters = MIN_LETTERS, minProbability = MIN_PROBABILITY } = options
    const chosen = among === undefined ? undefined : indicesOf(among, this.labels, this.name)
    const letters = lettersOf(text.slice(0, MAX_CHARACTERS))
    const count = featuresOf(letters, this.parts.bits, this.features).length
    const logits = this.logits(count)
    const kept = chosen ?? this.labels.map((_, label) => label)
    const probabilities = softmax(kept.map((label) => logits[label]!))
    const ranking = kept
      .map((label, i) => ({ language: this.labels[label]!, probability: probabilities[i]! }))
      .sort((a, b) => b.probability - a.probability)
    const best = ranking[0]!
    const reason =
      letterCount(letters) < minLetters
        ? 'too short'
        : this.isUnlike(count)
          ? 'unlike anything known'
          : best.probability < minProbability
            ? 'unsure'
            : undefined
    const { language, probability } = best
    return reason === undefined
      ? { language, probability, ranking }
      : { language: UNDETERMINED, probability, ranking, undetermined: reason }
  }

  /** Logits of every label, in the order of `labels`, of a text of any length. */
  logitsOf(text: string): number[] {
    return this.logits(featuresOf(lettersOf(text.slice(0, MAX_CHARACTERS)), this.parts.bits, this.features).length)
  }

  plausible(text: string, language: string): number {
    const [label] = indicesOf([language], this.labels, this.name)
    const count = featuresOf(lettersOf(text.slice(0, MAX_CHARACTERS)), this.parts.bits, this.features).length
    if (count === 0 || this.isUnlike(count)) return 0
    const logits = this.logits(count)
    return Math.exp(logits[label!]! - Math.max(...logits))
  }

  /** Of the features in the buffer: evidence adds up with the root of their number, so short texts are less sure. */
  private logits(count: number): number[] {
    const { labels, weights, scales, biases, temperature } = this.parts
    const { ids } = this.features
    const size = labels.length
    const sums = new Int32Array(size)
    for (let i = 0; i < count; i++) {
      const row = ids[i]! * size
      for (let label = 0; label < size; label++) sums[label]! += weights[row + label]!
    }
    const norm = count === 0 ? 0 : 1 / Math.sqrt(count)
    return Array.from(sums, (sum, label) => (sum * scales[label]! * norm + biases[label]!) / temperature)
  }

  private isUnlike(count: number): boolean {
    const { frequencies, frequencyScale, usual, spread } = this.parts
    const mean = meanFrequency(this.features, frequencies) * frequencyScale
    return mean < usual - UNLIKE * Math.sqrt(spread[0] + spread[1] / Math.max(1, count))
  }
}

/** Mean of a table's values at a text's features. */
export function meanFrequency({ ids, length }: Features, frequencies: Int8Array | Float32Array): number {
  let sum = 0
  for (let i = 0; i < length; i++) sum += frequencies[ids[i]!]!
  return length === 0 ? 0 : sum / length
}

/** Letters without the blanks between words. */
export function letterCount(letters: string): number {
  return letters.replaceAll(' ', '').length
}

/** exp(x) / Σ exp(x). */
export function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits)
  const powers = logits.map((logit) => Math.exp(logit - most))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

/** Places of labels in `labels`; InputError for one that is not there. */
export function indicesOf(wanted: readonly string[], labels: readonly string[], name: string): number[] {
  if (wanted.length === 0) throw new InputError('among: expected one label or more, got an empty list')
  return [...new Set(wanted)].map((label) => {
    const index = labels.indexOf(label)
    if (index === -1)
      throw new InputError(
        `language: expected one that ${name} knows (${labels.slice(0, 60).join(', ')}), got '${label}'.${didYouMean(label, labels) || ' Train an identifier on texts of it (anneal language train)'}`,
      )
    return index
  })
}
