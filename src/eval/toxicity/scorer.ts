// What says how toxic a text is: a list of words, a classifier of one's own, a service. All that a task needs to know of it.

/** How well a scorer tells toxic texts from others, measured on texts with labels that it has not learnt from. */
export interface ScorerQuality {
  /** Probability that a toxic text scores higher than another one, a tie counted half. */
  auc: number
  texts: number
}

/** A scorer's quality on all held-out texts together and in each language that they name. */
export interface ScorerMeasurement extends ScorerQuality {
  languages: Readonly<Record<string, ScorerQuality>>
}

/** How texts are to be scored. */
export interface ScoreOptions {
  /** The language that all of them are in, as a tag (`da`); a scorer that knows one language may do without. */
  language?: string | undefined
  signal?: AbortSignal | undefined
}

/** Gives every text a probability of being toxic. The same text gets the same score, but for services, which change. */
export interface ToxicityScorer {
  /** As results name it. */
  readonly name: string
  /** Undefined where nobody measured it; no figure of a scorer means much without. */
  readonly measured?: ScorerMeasurement | undefined
  /** Probabilities in 0 … 1 in the order of the texts; `undefined` where the scorer failed or a text is empty: missing, which is not 0. */
  score(texts: readonly string[], options?: ScoreOptions): Promise<(number | undefined)[]>
}
