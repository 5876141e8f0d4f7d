// Texts that a model reads piece by piece through a paged cache, without the scheduler: for measurements and tests of a model.
import type { Decoder } from '../model/decoder.ts'
import { inference, Tensor } from '../torch/index.ts'
import { makeCache } from './model-cache.ts'
import type { CachedText, PagedCache } from './paged-cache.ts'

/** Some texts of one model. */
export class CachedRows {
  readonly cache: PagedCache
  readonly texts: CachedText[]
  readonly #model: Decoder

  /** `count` empty texts. */
  constructor(model: Decoder, count = 1, tokens = 4096) {
    this.#model = model
    this.cache = makeCache(model, tokens)
    this.texts = Array.from({ length: count }, () => this.cache.open([]))
  }

  /** Hidden states [R, D] of the tokens that each text goes on with, one text after the other. */
  hidden(pieces: readonly (readonly number[])[]): Tensor {
    const model = this.#model
    const parts = pieces.map((ids, i) => ({ text: this.texts[i]!, count: ids.length }))
    for (const { text, count } of parts) if (!this.cache.reserve(text, count)) throw new Error('the cache is full')
    const all = pieces.flat()
    const inputIds = Tensor.from(BigInt64Array.from(all, BigInt), [1, all.length]).to(model.device)
    const hidden = inference(() => model.hidden({ inputIds, cache: this.cache.step(parts) }).view(all.length, -1))
    for (const [i, ids] of pieces.entries()) this.cache.commit(this.texts[i]!, ids)
    return hidden
  }

  /** Logits [R, V] of those tokens. */
  forward(pieces: readonly (readonly number[])[]): Tensor {
    return inference(() => this.#model.logits(this.hidden(pieces)))
  }

  free(): void {
    this.cache.free()
  }
}
