// One text that is being generated: takes token ids one by one, gives text out as it becomes certain, knows when to end.
// What it is not: the model. generation-task.ts hands it logits, a row for each token.

import { UsageError } from '../errors.ts'
import type { FinishReason, GenerationPiece, TokenLogProb, Usage } from '../lm/lm.ts'
import { StopStrings } from '../lm/stop-strings.ts'
import type { StreamDecoder } from '../text/stages/decoder.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { scope, Tensor } from '../torch/index.ts'
import type { GenerationSettings } from './generation-settings.ts'
import { tokenLogProbs } from './log-probs.ts'
import { PromptLookup } from './prompt-lookup.ts'
import { Sampler } from './sample.ts'

/** What a sequence starts from besides its settings. */
export interface SequenceStart {
  promptIds: readonly number[]
  /** Tokens that were made before: the text goes on behind them. */
  resumeIds?: readonly number[]
  contextLength: number
  /** Ids that end the text; they give no text. */
  endTokenIds: readonly number[]
  /** Without one there are ids and no text. */
  tokenizer: Tokenizer | undefined
  /** True if the continuation is a text of its own (a chat turn) and not the rest of the prompt's. */
  isOwnText: boolean
  signal: AbortSignal | undefined
}

/** A text in the making. `choose` or `accept` its tokens one after the other until `finishReason` says why it is over. */
export class Sequence {
  readonly promptIds: readonly number[]
  readonly resumeIds: readonly number[]
  readonly settings: GenerationSettings
  /** Chooses the next id; the caller hands it to `accept`. */
  readonly sampler: Sampler
  /** Tokens that it may still make. */
  readonly limit: number
  /** What `limit` comes from. */
  readonly #limitedBy: 'max_new_tokens' | 'context'
  finishReason: FinishReason | undefined
  /** The newest id. */
  lastId = -1
  /** Of the prompt's tokens, those that were not read again. */
  cachedTokens: number | undefined
  /** For the first piece, where they were asked for. */
  promptLogprobs: readonly (TokenLogProb | null)[] | undefined
  readonly #decoder: StreamDecoder | undefined
  readonly #stops: StopStrings
  readonly #endTokenIds: ReadonlySet<number>
  readonly #stopTokenIds: ReadonlySet<number>
  readonly #signal: AbortSignal | undefined
  #count = 0
  #text = ''
  #newIds: number[] = []
  #newLogprobs: TokenLogProb[] = []
  #stop: string | number | undefined
  /** Made for the first draft: until then the prompt says nothing. */
  #lookup: PromptLookup | undefined
  readonly #made: number[] = []
  /** Tokens to guess the next time: more while guesses come true, fewer while they do not. */
  #guess: number
  #draftTokens = 0
  #acceptedDraftTokens = 0

  constructor(start: SequenceStart, settings: GenerationSettings) {
    this.promptIds = start.promptIds
    this.resumeIds = start.resumeIds ?? []
    this.settings = settings
    this.#guess = settings.promptLookup
    const ownEnds = settings.ignoreEos ? [] : start.endTokenIds
    this.#endTokenIds = new Set(ownEnds)
    this.#stopTokenIds = new Set(settings.stopTokenIds)
    this.sampler = new Sampler(settings, start.promptIds, [...ownEnds, ...settings.stopTokenIds])
    this.limit = Math.min(settings.maxNewTokens, start.contextLength - start.promptIds.length)
    this.#limitedBy = this.limit < settings.maxNewTokens ? 'context' : 'max_new_tokens'
    this.#stops = new StopStrings(settings.stop)
    this.#signal = start.signal
    this.#decoder = start.tokenizer?.streamDecoder({ skipSpecialTokens: settings.skipSpecialTokens })
    // The rest of a text keeps the space that a tokenizer drops at the beginning of one.
    if (!start.isOwnText) for (const id of start.promptIds) this.#decoder?.push(id)
    this.#resume()
  }

  /** Takes what was made and given out before. */
  #resume(): void {
    for (const id of this.resumeIds) {
      this.accept(id)
      if (this.finishReason !== undefined)
        throw new UsageError('resumeIds: expected the beginning of a text that goes on, got one that is over')
    }
    this.#text = ''
    this.#newIds = []
  }

  /** Whether the next token needs the whole row (`choose`); else the id of its largest logit is enough (`accept`). Read it at each step. */
  get needsLogits(): boolean {
    return this.settings.logprobs || !this.sampler.isArgmax
  }

  /** Makes the next token from its logits [V], which are overwritten. `kept` [1, V] are the same where the model left them. */
  choose(logits: Float32Array, kept?: Tensor): void {
    scope(() => {
      const before = this.settings.logprobs ? (kept ?? Tensor.from(logits, [1, logits.length])) : undefined
      const id = this.sampler.pick(logits)
      if (before !== undefined) this.#newLogprobs.push(...tokenLogProbs(before, [id], this.settings))
      this.accept(id)
    })
  }

  /** Takes the next token. */
  accept(id: number): void {
    this.lastId = id
    this.sampler.accept(id)
    this.#newIds.push(id)
    this.#count++
    if (this.settings.promptLookup > 0) this.#made.push(id)
    const isStop = this.#stopTokenIds.has(id)
    const isEnd = isStop || this.#endTokenIds.has(id)
    // A character that is unfinished when the text ends stays in the decoder and is not given out.
    const piece = isEnd ? '' : (this.#decoder?.push(id) ?? '')
    const { text, stop } = this.#count <= this.settings.minTokens ? { text: piece } : this.#stops.push(piece)
    this.#text += text
    this.#stop = isStop ? id : stop
    if (isEnd || stop !== undefined) this.#finish('stop')
    else if (this.#count >= this.limit) this.#finish('length')
  }

  /** Tokens that may come next, to be read behind the newest one in the same call of the model; none where nothing is to be guessed. */
  draft(): readonly number[] {
    const room = this.limit - this.#count - 1 // the call makes one more
    const forced = room > 0 ? this.sampler.forced() : []
    if (forced.length > 0) return forced.slice(0, room)
    const most = Math.min(this.#guess, room)
    if (most <= 0) return []
    this.#lookup ??= new PromptLookup(this.promptIds)
    for (const id of this.#made.splice(0)) this.#lookup.push(id)
    return this.#lookup.draft(most)
  }

  /**
   * Makes the tokens of a call that read `draft` behind the newest token. `make(row)` makes one by `choose` or `accept`, from row 0 (the
   * newest token's), 1 (that of `draft[0]`), … as long as the guess was right, so each is what it would be without guessing. Returns how
   * many were made; of the rows read, as many are a part of the text.
   */
  follow(draft: readonly number[], make: (row: number) => void): number {
    let right = 0
    for (;;) {
      make(right)
      if (this.finishReason !== undefined || right === draft.length || this.lastId !== draft[right]) break
      right++
    }
    if (this.settings.promptLookup === 0) return right + 1
    this.#draftTokens += draft.length
    this.#acceptedDraftTokens += right
    // A wrong guess costs a row: text that repeats nothing soon pays for one at a time.
    if (right < draft.length) this.#guess = Math.max(1, right + 1, this.#guess >> 1)
    else if (right > 0) this.#guess = Math.min(this.settings.promptLookup, 4 * this.#guess)
    return right + 1
  }

  /** Ends the text where it is, if it has not ended. */
  abort(): void {
    if (this.finishReason === undefined) this.#finish('aborted')
  }

  /** Ends the text if its signal says so. */
  checkSignal(): void {
    if (this.#signal?.aborted) this.abort()
  }

  /** Tokens made. */
  get tokenCount(): number {
    return this.#count
  }

  /** Whether `take` has something to give. */
  get hasNews(): boolean {
    return this.#newIds.length > 0 || this.finishReason !== undefined
  }

  /** What came since the last call; undefined if that is nothing. */
  take(): GenerationPiece | undefined {
    if (!this.hasNews) return undefined
    const piece: GenerationPiece = { text: this.#text, tokenIds: this.#newIds }
    if (this.settings.logprobs) piece.logprobs = this.#newLogprobs
    if (this.promptLogprobs !== undefined) piece.promptLogprobs = this.promptLogprobs
    this.#text = ''
    this.#newIds = []
    this.#newLogprobs = []
    this.promptLogprobs = undefined
    if (this.finishReason === undefined) return piece
    piece.finishReason = this.finishReason
    if (this.finishReason === 'stop' && this.#stop !== undefined) piece.stop = this.#stop
    if (this.finishReason === 'length') piece.limit = this.#limitedBy
    piece.usage = this.#usage
    return piece
  }

  get #usage(): Usage {
    const resumed = this.resumeIds.length
    const usage: Usage = { promptTokens: this.promptIds.length + resumed, completionTokens: this.#count - resumed }
    if (this.settings.accept !== undefined) usage.refusedTokens = this.sampler.refused
    if (this.cachedTokens !== undefined) usage.cachedTokens = this.cachedTokens
    if (this.settings.promptLookup > 0) {
      usage.draftTokens = this.#draftTokens
      usage.acceptedDraftTokens = this.#acceptedDraftTokens
    }
    return usage
  }

  #finish(reason: FinishReason): void {
    this.finishReason = reason
    this.#text += this.#stops.flush()
  }
}
