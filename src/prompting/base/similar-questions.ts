// Questions that were answered, by what they mean: their vectors side by side, one index for each system prompt and settings.

import { FlatVectors } from '../../retrieve/flat-vectors.ts'
import { type Embed, unitVectors } from './embed.ts'
import { differingFact, type QuestionFact, questionFacts } from './question-facts.ts'

/** How like questions are told from others. */
export interface SimilarQuestionsOptions {
  embed: Embed
  /** Cosine from which on two questions are alike. */
  threshold: number
  /** What has to be the same besides. */
  exact: readonly QuestionFact[]
  /** Questions at most; those that were asked first go first. */
  maxQuestions: number
}

/** A question that is alike. */
export interface SimilarQuestion {
  key: string
  question: string
  similarity: number
}

/** Nearest questions that are looked at: more that are alike and differ in a fact are not expected. */
const NEAREST = 16

/** The questions of a cache. */
export class SimilarQuestions {
  readonly #options: SimilarQuestionsOptions
  /** By key, in the order in which they came. */
  readonly #questions = new Map<string, { scope: string; question: string }>()
  readonly #scopes = new Map<string, { vectors?: FlatVectors; waiting: Set<string> }>()

  constructor(options: SimilarQuestionsOptions) {
    this.#options = options
  }

  add(key: string, scope: string, question: string): void {
    if (this.#questions.has(key)) return
    this.#questions.set(key, { scope, question })
    const found = this.#scopes.get(scope) ?? { waiting: new Set() }
    this.#scopes.set(scope, found)
    found.waiting.add(key) // its vector is made when somebody asks, together with others
    for (const oldest of this.#questions.keys()) {
      if (this.#questions.size <= this.#options.maxQuestions) break
      this.remove(oldest)
    }
  }

  remove(key: string): void {
    const { scope } = this.#questions.get(key) ?? {}
    if (scope === undefined) return
    this.#questions.delete(key)
    const found = this.#scopes.get(scope)!
    found.waiting.delete(key)
    found.vectors?.remove(key)
    if (found.waiting.size === 0 && (found.vectors?.size ?? 0) === 0) this.#scopes.delete(scope)
  }

  /** Those that are alike, the most alike first. */
  async find(scope: string, question: string, signal?: AbortSignal): Promise<SimilarQuestion[]> {
    const found = this.#scopes.get(scope)
    if (found === undefined) return []
    const { embed, threshold, exact } = this.#options
    const waiting = [...found.waiting]
    const texts = waiting.map((key) => this.#questions.get(key)!.question)
    const [vector, ...others] = await unitVectors(embed, [question, ...texts], signal)
    found.vectors ??= new FlatVectors({ dimensions: vector!.length })
    for (const [i, key] of waiting.entries()) {
      if (!found.waiting.delete(key)) continue // somebody else was quicker, or it is gone
      // A text without a direction is like no other.
      if (hasDirection(others[i]!)) found.vectors.add(key, others[i]!)
    }
    if (!hasDirection(vector!)) return []
    const facts = questionFacts(question)
    return found.vectors
      .search(vector!, { k: NEAREST })
      .filter(({ id, score }) => score >= threshold && this.#questions.has(id))
      .map(({ id, score }) => ({ key: id, question: this.#questions.get(id)!.question, similarity: score }))
      .filter((like) => differingFact(facts, questionFacts(like.question), exact) === undefined)
  }
}

const hasDirection = (vector: Float32Array): boolean => vector.some((value) => value !== 0)
