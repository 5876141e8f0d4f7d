// What says in which language a text is: one of our own or a library's. All that curation and commands need to know of it.

/** How an identification is to be made. */
export interface IdentifyOptions {
  /** The only labels that there may be; probabilities are shared out among them. Default: all. InputError for one that is not known. */
  among?: readonly string[] | undefined
  /** A text of fewer letters gets `und`. Default 20 (measured: docs/languages.md). */
  minLetters?: number | undefined
  /** A language less probable than that gets `und`. Default 0.5. */
  minProbability?: number | undefined
}

/** The language of a text. */
export interface Identification {
  /** The label, or `und` (ISO 639's undetermined). */
  language: string
  /** Of the best label, also where the answer is `und`. */
  probability: number
  /** Labels with their probabilities, best first. */
  ranking: readonly { language: string; probability: number }[]
  /** Why it is `und`: too few letters, no label likely enough, or unlike all that the identifier has learnt. */
  undetermined?: 'too short' | 'unsure' | 'unlike anything known'
}

/** Tells languages and varieties apart. Pure: the same text gives the same answer. */
export interface LanguageIdentifier {
  /** `eld`, or the name in the file of one that was trained. */
  readonly name: string
  /** The labels it knows, sorted. */
  readonly labels: readonly string[]
  identify(text: string, options?: IdentifyOptions): Identification
  /**
   * How well `language` explains the text as compared with the label that explains it best, 0 to 1; the question "may this be
   * Danish?" has an answer also for a short text that is good Norwegian too. 0 for what is unlike anything known.
   */
  plausible(text: string, language: string): number
}

export const UNDETERMINED = 'und'
export const MIN_LETTERS = 20
export const MIN_PROBABILITY = 0.5
