// How alike a model finds sentences and their translations: cosine of their states, over all layers.
import { InputError, UnsupportedError } from '../../errors.ts'
import { dotProduct } from '../../lm/embedder.ts'
import type { Lm } from '../../lm/lm.ts'

/** Similarity of parallel sentences, mean over the pairs. */
export interface SentenceSimilarity {
  /** Mean over the layers. */
  mean: number
  /** After so many blocks; 0 is what enters the first. */
  layers: number[]
}

/**
 * The cosine of each sentence with its translation, the vector of either being the mean of its tokens' states, after no block (the embeddings), one,
 * … and all: `bilingual_sent_sim.py` of arXiv:2412.14050, whose file calls it retrieval accuracy. InputError where the lists are not of one length.
 */
export async function sentenceSimilarity(
  lm: Lm,
  sentences: readonly string[],
  translations: readonly string[],
  { signal }: { signal?: AbortSignal } = {},
): Promise<SentenceSimilarity> {
  if (sentences.length !== translations.length || sentences.length === 0)
    throw new InputError(
      `parallel sentences: expected as many translations as sentences, got ${translations.length} and ${sentences.length}. Line n of both must say the same`,
    )
  if (lm.hidden === undefined || lm.layers === undefined)
    throw new UnsupportedError(
      'similarity of sentences: expected a model whose hidden states can be read, got one behind an address. Give a directory',
    )
  const ids = [sentences, translations].map((texts) => texts.map((prompt) => lm.encode({ prompt })))
  const layers: number[] = []
  for (let layer = 0; layer <= lm.layers; layer++) {
    const options = { layer, pooling: 'mean', normalize: true, ...(signal && { signal }) } as const
    const [from, to] = [await lm.hidden(ids[0]!, options), await lm.hidden(ids[1]!, options)]
    const sum = from.reduce((total, vector, i) => total + dotProduct(vector, to[i]!), 0)
    layers.push(sum / sentences.length)
  }
  return { mean: layers.reduce((a, b) => a + b) / layers.length, layers }
}
