// One text that is being generated: takes token ids one by one, gives text out as it becomes certain, knows when to end.
// What it is not: the model. decode-batch.ts gives it logits.

import type { FinishReason, GenerationPiece } from '../lm/lm.ts'
import { StopStrings } from '../lm/stop-strings.ts'
import type { StreamDecoder } from '../text/stages/decoder.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import type { GenerationSettings } from './generation-settings.ts'
import { Sampler } from './sample.ts'

/** What a sequence starts from besides its settings. */
export interface SequenceStart {
  promptIds: readonly number[]
  contextLength: number
  /** Ids that end the text; they give no text. */
  endTokenIds: readonly number[]
  /** Without one there are ids and no text. */
  tokenizer: Tokenizer | undefined
  /** True if the continuation is a text of its own (a chat turn) and not the rest of the prompt's. */
  isOwnText: boolean
  signal: AbortSignal | undefined
}

export class Sequence {
  readonly promptIds: readonly number[]
  /** Chooses the next id; the caller hands it to `accept`. */
  readonly sampler: Sampler
  /** Tokens that it may still make. */
  readonly limit: number
  /** What `limit` comes from. */
  readonly #limitedBy: 'max_new_tokens' | 'context'
  finishReason: FinishReason | undefined
  /** The newest id. */
  lastId = -1
  readonly #decoder: StreamDecoder | undefined
  readonly #stops: StopStrings
  readonly #endTokenIds: ReadonlySet<number>
  readonly #signal: AbortSignal | undefined
  #count = 0
  #text = ''
  #newIds: number[] = []

  constructor(start: SequenceStart, settings: GenerationSettings) {
    this.promptIds = start.promptIds
    this.sampler = new Sampler(settings, start.promptIds)
    this.limit = Math.min(settings.maxNewTokens, start.contextLength - start.promptIds.length)
    this.#limitedBy = this.limit < settings.maxNewTokens ? 'context' : 'max_new_tokens'
    this.#stops = new StopStrings(settings.stop)
    this.#endTokenIds = new Set([...start.endTokenIds, ...settings.stopTokenIds])
    this.#signal = start.signal
    this.#decoder = start.tokenizer?.streamDecoder({ skipSpecialTokens: true })
    // The rest of a text keeps the space that a tokenizer drops at the beginning of one.
    if (!start.isOwnText) for (const id of start.promptIds) this.#decoder?.push(id)
  }

  /** Takes the next token. */
  accept(id: number): void {
    this.lastId = id
    this.#newIds.push(id)
    this.#count++
    const isEnd = this.#endTokenIds.has(id)
    // A character that is unfinished when the text ends stays in the decoder and is not given out.
    const { text, isStopped } = this.#stops.push(isEnd ? '' : (this.#decoder?.push(id) ?? ''))
    this.#text += text
    if (isEnd || isStopped) this.#finish('stop')
    else if (this.#count >= this.limit) this.#finish('length')
  }

  /** Ends the text if its signal says so. */
  checkSignal(): void {
    if (this.finishReason === undefined && this.#signal?.aborted) this.#finish('aborted')
  }

  /** What came since the last call; undefined if that is nothing. */
  take(): GenerationPiece | undefined {
    if (this.#newIds.length === 0 && this.finishReason === undefined) return undefined
    const piece: GenerationPiece = { text: this.#text, tokenIds: this.#newIds }
    this.#text = ''
    this.#newIds = []
    if (this.finishReason === undefined) return piece
    const usage = { promptTokens: this.promptIds.length, completionTokens: this.#count }
    const limit = this.finishReason === 'length' && { limit: this.#limitedBy }
    return { ...piece, finishReason: this.finishReason, ...limit, usage }
  }

  #finish(reason: FinishReason): void {
    this.finishReason = reason
    this.#text += this.#stops.flush()
  }
}
