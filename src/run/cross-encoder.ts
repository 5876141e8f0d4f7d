// A classifier that reads a query and a document together and says how well they fit: the most exact reranker, and the slowest.
import { stack } from '../data/batches.ts'
import { framedPair } from '../data/tuning/framed-pair.ts'
import { InputError } from '../errors.ts'
import type { Ranking, Reranker } from '../lm/reranker.ts'
import { type Classifier, labelLogits, labelsOf, longestRow, padIdOf } from '../model/any-model.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { noGrad, scope } from '../torch/index.ts'

/** Pairs at once. */
const BATCH_SIZE = 16

/**
 * Scores from 0 to 1: the logistic function of the one label's logit, or of two labels the probability of the second. Documents, and
 * queries beside which nothing else would have room, are cut at the model's window.
 */
export class CrossEncoder implements Reranker {
  readonly model: Classifier
  private readonly tokenizer: Tokenizer

  /** InputError for a classifier of more than two labels. */
  constructor(model: Classifier, tokenizer: Tokenizer) {
    const labels = labelsOf(model)
    if (labels.length > 2)
      throw new InputError(`reranker: expected a classifier of one label or two, got ${labels.length} labels`)
    this.model = model
    this.tokenizer = tokenizer
  }

  async rank(query: string, documents: readonly string[], { signal }: { signal?: AbortSignal } = {}): Promise<Ranking> {
    const { model, tokenizer } = this
    const window = longestRow(model) ?? model.config.maxPositionEmbeddings
    const pairs = documents.map((document) => framedPair(tokenizer, [query, document], window))
    const scores: number[] = Array(documents.length)
    // Pairs of a length share a batch, and little is padded.
    const order = [...pairs.keys()].sort((a, b) => pairs[a]!.ids.length - pairs[b]!.ids.length)
    for (let start = 0; start < order.length; start += BATCH_SIZE) {
      signal?.throwIfAborted()
      const chosen = order.slice(start, start + BATCH_SIZE)
      const batch = stack(
        chosen.map((index) => ({ ids: pairs[index]!.ids, labels: pairs[index]!.ids })),
        padIdOf(model),
      )
      const tokenTypes = new Int32Array(batch.rows * batch.length)
      if (hasSegments(model))
        for (const [row, index] of chosen.entries()) tokenTypes.set(pairs[index]!.types, row * batch.length)
      const logits = noGrad(() => scope(() => labelLogits(model, { ...batch, tokenTypes }).toArray()))
      const count = logits.length / chosen.length
      for (const [row, index] of chosen.entries()) {
        const [first = 0, second] = logits.slice(row * count, (row + 1) * count)
        scores[index] = 1 / (1 + Math.exp(second === undefined ? -first : first - second))
      }
      await new Promise(setImmediate) // signals and other work get their turn
    }
    return { scores, promptTokens: pairs.reduce((sum, { ids }) => sum + ids.length, 0) }
  }

  free(): void {
    this.model.free()
  }
}

/** Of a table with one row, as RoBERTa's, Transformers uses that whatever a tokenizer says. */
const hasSegments = ({ config }: Classifier): boolean => 'typeVocabSize' in config && config.typeVocabSize > 1
