// A model directory → what scores documents by a query, by what kind of model it is.
import { isEncoderDirectory, loadClassifier, storedLabels } from '../checkpoint/model-directory/classifier-directory.ts'
import { InputError } from '../errors.ts'
import { embeddingReranker, judgeReranker, type Reranker } from '../lm/reranker.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { resolveDevice } from '../torch/index.ts'
import type { Watch } from '../work.ts'
import { CrossEncoder } from './cross-encoder.ts'
import { loadEmbedder } from './load-embedder.ts'
import { loadLm } from './load-lm.ts'
import { isAdapter } from './model-source.ts'
import { resolveModelPath } from './resolve-model.ts'

/** A reranker whose memory can be given back. */
export interface OpenedReranker extends Reranker {
  /** What it goes by. */
  readonly kind: 'cross-encoder' | 'embeddings' | 'judge'
  free(): void
}

/**
 * Opens a reranker from a directory, a GGUF file or by its name on the hub: a classifier of one label or two (…ForSequenceClassification) reads
 * query and document together, an encoder compares vectors, a language model is asked (`JUDGE_PROMPT`).
 *
 * @example
 * const reranker = await openReranker('models/cross-encoder')
 * const { scores } = await reranker.rank('capital of Denmark', ['Copenhagen is …', 'Oslo is …'])
 */
export async function openReranker(
  name: string,
  { device = 'auto' }: { device?: 'auto' | 'cpu' | 'cuda' } = {},
  watch?: Watch,
): Promise<OpenedReranker> {
  const path = await resolveModelPath(name, watch)
  const opened = (kind: OpenedReranker['kind'], reranker: Reranker, model: { free(): void }): OpenedReranker => ({
    kind,
    rank: (...asked) => reranker.rank(...asked),
    free: () => model.free(),
  })
  if (path.endsWith('.gguf') || isAdapter(path)) {
    const lm = await loadLm(path, { device })
    return opened('judge', judgeReranker(lm), lm)
  }
  if (storedLabels(path) !== undefined) {
    const model = loadClassifier(path, { device: resolveDevice(device) })
    try {
      const tokenizer = (await Tokenizer.fromDirectory(path)).fit(model.config.vocabSize)
      if (tokenizer === undefined)
        throw new InputError(`${path}: expected a tokenizer of at most ${model.config.vocabSize} tokens, got more`)
      return opened('cross-encoder', new CrossEncoder(model, tokenizer), model)
    } catch (error) {
      model.free()
      throw error
    }
  }
  if (isEncoderDirectory(path)) {
    const embedder = await loadEmbedder(path, { device })
    return opened('embeddings', embeddingReranker(embedder), embedder)
  }
  const lm = await loadLm(path, { device })
  return opened('judge', judgeReranker(lm), lm)
}
