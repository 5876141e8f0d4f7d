// What evaluation, serving, retrieval and prompting may know of a language model: text and ids in, text and numbers out.
// No tensors and no LibTorch, so all of that is built and tested with `fakeLm`. The model that computes is `Engine`.

import type { ChatMessage } from '../text/chat-template.ts'

/** What to continue: a text as it stands, a conversation (rendered with the model's chat template), or token ids. */
export type Prompt =
  | { prompt: string }
  | { messages: readonly ChatMessage[]; tools?: readonly unknown[] }
  | { ids: readonly number[] }

/** How to continue. What is left out comes from the model's generation_config.json; without one, decoding is greedy. */
export interface GenerateOptions {
  /** Tokens to make at most; the model's context ends a text too. Default 256. */
  maxNewTokens?: number
  /** Divides the logits; 0 takes the most probable token. Default 1 where `topK`, `topP` or `minP` is given, else 0. */
  temperature?: number
  /** Draw from the `topK` most probable tokens only; 0 is off. */
  topK?: number
  /** Draw from the smallest set of most probable tokens that holds this much probability, in (0, 1]. */
  topP?: number
  /** Leave out tokens that are less probable than `minP` times the most probable one, in [0, 1]. */
  minP?: number
  /** Above 1 makes tokens of prompt and continuation less likely to come again (arXiv:1909.05858). */
  repetitionPenalty?: number
  /** Same seed, same text, whatever else is generated beside it. Default: another one each time. */
  seed?: number
  /** Texts that end the continuation; neither they nor a part of them is given out. */
  stop?: readonly string[]
  /** Token ids that end the continuation besides the model's own. */
  stopTokenIds?: readonly number[]
  /** Ends the continuation at the next token, with `finishReason: 'aborted'`. */
  signal?: AbortSignal
}

/** What to continue and how. */
export type GenerateRequest = Prompt & GenerateOptions

/** `stop`: an end token or a stop string; `length`: `maxNewTokens` or the context is used up; `aborted`: by the signal. */
export type FinishReason = 'stop' | 'length' | 'aborted'

/** Tokens read and made. */
export interface Usage {
  promptTokens: number
  completionTokens: number
}

/** A part of a continuation as it comes. `text` may be empty: half a character or the beginning of a stop string waits. */
export interface GenerationPiece {
  text: string
  /** The ids made since the last piece, with the one that ended the text. */
  tokenIds: readonly number[]
  /** In the last piece only, as is `usage`. */
  finishReason?: FinishReason
  /** With `length` only: which of the two was used up. */
  limit?: 'max_new_tokens' | 'context'
  usage?: Usage
}

/** A whole continuation; the prompt is not part of it. */
export interface Generation {
  text: string
  tokenIds: readonly number[]
  finishReason: FinishReason
  /** With `length` only: which of the two was used up. */
  limit?: 'max_new_tokens' | 'context'
  usage: Usage
}

/** How long texts are read, and how to hear of it. */
export interface ScoreOptions {
  /** Tokens that the model sees at once, from 2 to its context (the default). Longer texts are read in windows of it. */
  window?: number
  signal?: AbortSignal
  /** Called now and then with the number of tokens that have a score so far, and that will in all. */
  onProgress?: (done: number, total: number) => void
}

/** Natural logarithm of each token's probability given the ones before it in its sequence; null for the first. */
export type TokenLogProbs = readonly (number | null)[]

/** A language model. */
export interface Lm {
  /** Tokens of prompt and continuation together at most. */
  readonly contextLength: number
  /** Ids are below this. */
  readonly vocabSize: number
  /** Whether `messages` can be rendered: the model has a chat template. */
  readonly canChat: boolean
  /** The ids that `generate` would read. Text gets the tokenizer's start token; control tokens in it stay plain text. */
  encode(prompt: Prompt): number[]
  /** Ids as text, control tokens left out. */
  decode(ids: readonly number[]): string
  /** Continues a prompt, piece by piece; the joined texts are the continuation. */
  generate(request: GenerateRequest): AsyncIterable<GenerationPiece>
  /** Continues many prompts together; results are in the order of the requests and those of `generate`. */
  generateAll(requests: readonly GenerateRequest[]): Promise<Generation[]>
  /** Scores token ids as they are: nothing is added. */
  score(sequences: readonly (readonly number[])[], options?: ScoreOptions): Promise<TokenLogProbs[]>
}

/** Waits for a continuation to end and joins its pieces. */
export async function collect(pieces: AsyncIterable<GenerationPiece>): Promise<Generation> {
  let text = ''
  const tokenIds: number[] = []
  for await (const piece of pieces) {
    text += piece.text
    tokenIds.push(...piece.tokenIds)
    const { finishReason, limit, usage } = piece
    if (finishReason !== undefined && usage !== undefined)
      return { text, tokenIds, finishReason, ...(limit !== undefined && { limit }), usage }
  }
  throw new Error('a continuation ended without a finish reason')
}
