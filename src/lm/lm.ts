// What evaluation, serving, retrieval and prompting may know of a language model: text and ids in, text and numbers out.
// No tensors and no LibTorch, so all of that is built and tested with `fakeLm`. The model that computes is `Engine`.

import type { Structure } from '../grammar/grammar.ts'
import type { ChatMessage } from '../text/chat-template.ts'

/** What to continue: a text as it stands, a conversation (rendered with the model's chat template), or token ids. */
export type Prompt =
  | {
      prompt: string
      /** Whether the tokenizer's start token comes before it, if it has one; default true. False for a text that goes on. */
      addSpecialTokens?: boolean
      /** Control tokens that the text spells are read as such; default false. For texts that a chat template has written. */
      allowSpecial?: boolean
    }
  | ({ messages: readonly ChatMessage[] } & ChatPromptOptions)
  | { ids: readonly number[] }

/** What a chat template is given besides the messages. */
export interface ChatPromptOptions {
  /** JSON schemas of functions that the model may call. */
  tools?: readonly unknown[]
  /** Documents, for templates that have a place for them. */
  documents?: readonly unknown[]
  /** Further variables that the template knows, such as `enable_thinking`. */
  variables?: Readonly<Record<string, unknown>>
  /** End with the beginning of an assistant's turn. Default true where a text is continued, unless `continueFinalMessage`. */
  addGenerationPrompt?: boolean
  /** The last message is not ended: the model goes on with it. */
  continueFinalMessage?: boolean
}

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
  /**
   * Taken off the logit of each token that the continuation has already, in [−2, 2]; above 0 new tokens are likelier. As in the OpenAI
   * API, the prompt's tokens do not count. Default 0.
   */
  presencePenalty?: number
  /** The same for each time that the continuation has the token; [−2, 2], default 0. */
  frequencyPenalty?: number
  /**
   * Added to the logits of these ids, in [−100, 100], before everything else: −100 bans a token, 100 leaves hardly another choice.
   */
  logitBias?: ReadonlyMap<number, number> | Readonly<Record<number, number>>
  /** Which tokens may come next, asked before each one: a grammar, a choice, a list. The others are never chosen. */
  mask?: TokenMask
  /**
   * Asked of each token that was chosen, with those that were made before it: where it says false, the token is no part of the text, and
   * another is chosen among the rest, as if a mask had left it out, without a call of the model; `topK`, `topP` and `minP` cut what is left
   * anew, at each choice or once what they left is used up. What it throws ends the continuation; NoTokenError where it refuses all.
   */
  accept?: (id: number, tokenIds: readonly number[]) => boolean
  /**
   * Looks at tokens of the prompt between two blocks, before those behind are computed, and says whether to go on: what is computed for the look is
   * not computed again, and the text is the same bit for bit. Not together with `maxPromptTokens`.
   */
  inspect?: PromptInspection
  /**
   * Tokens that the continuation begins with, as if the model had made them: they are read and not given out again, and masks, structures,
   * penalties, limits and random numbers go on behind them. A text that was cut goes on as it would have. They count as prompt in `Usage`.
   */
  resumeIds?: readonly number[]
  /**
   * What the text has to be: JSON of a schema, a choice, a regular expression, a grammar. Nothing else can come; what must come is not asked
   * of the model; near `maxNewTokens` the text is brought to its end, so that it is whole even where `finishReason` is `length`.
   */
  structure?: Structure
  /** Same seed, same text, whatever else is generated beside it. Default: another one each time. */
  seed?: number
  /** Texts that end the continuation; neither they nor a part of them is given out. */
  stop?: readonly string[]
  /** Token ids that end the continuation besides the model's own. */
  stopTokenIds?: readonly number[]
  /** Tokens before which neither an end token is chosen nor a stop string looked for. Default 0. */
  minTokens?: number
  /** Goes on behind the model's own end tokens, as if they were tokens like others; stop strings and `stopTokenIds` still end it. */
  ignoreEos?: boolean
  /** Leaves control tokens out of the text; default true. False where they are read as marks, such as those around a tool call. */
  skipSpecialTokens?: boolean
  /** The log-probability of each token made. `topLogprobs` and `logprobTokenIds` imply it. */
  logprobs?: boolean
  /** Besides, so many of the most probable tokens at each place, up to 1024. */
  topLogprobs?: number
  /** Besides, these tokens at each place: a classifier's labels, yes and no. */
  logprobTokenIds?: readonly number[]
  /** The log-probabilities of the prompt's tokens too, with as many `top` and the same `named`, in `Generation.promptLogprobs`. */
  promptLogprobs?: boolean
  /** One of `Lm.adapters`; null or nothing is the model without one. Requests with different ones run side by side. */
  adapter?: string | null
  /**
   * Tokens to guess at most at once from what the text has said before (prompt look-up decoding, Saxena 2023), and to check in one call
   * of the model; fewer while guesses go wrong, 0 is off. The text stays the same, greedy or drawn: where it repeats itself or its prompt,
   * it comes faster. Default 0.
   */
  promptLookup?: number
  /** Texts share cached prompts only with those of the same salt: who shares none cannot tell from the time what others asked. */
  cacheSalt?: string
  /** Reads only so many of the prompt's last tokens (vLLM's `truncate_prompt_tokens`). Default: all, and an error where they are too many. */
  maxPromptTokens?: number
  /** Ends the continuation at the next token, with `finishReason: 'aborted'`. */
  signal?: AbortSignal
}

/** Which tokens of a prompt are looked at, and after how many blocks. */
export interface PromptInspection {
  /** As in `HiddenOptions`, below the number of blocks. */
  layer: number
  /** The first token, and the one behind the last, of those that `encode` gives. They are computed even where the cache has them. */
  begin: number
  end: number
  /** Is given their vectors, [T · D] row-major, once. False ends the text with nothing made and `finishReason: 'aborted'`. */
  goOn(states: Float32Array): boolean
}

/**
 * Which tokens may come after those that were made so far (the prompt is not among them): a set of bits, id i is bit `i & 31` of word
 * `i >>> 5`, in ⌈vocabSize / 32⌉ words (`tokenBits` makes them); null allows all. The array is read before the next call and may be used again.
 */
export interface TokenMask {
  (tokenIds: readonly number[]): Uint32Array | null
  /** The tokens that must come next, one after another, so that they can be read together; none where there is a choice. */
  forced?(tokenIds: readonly number[]): readonly number[]
}

/** What to continue and how. */
export type GenerateRequest = Prompt & GenerateOptions

/** `stop`: an end token or a stop string; `length`: `maxNewTokens` or the context is used up; `aborted`: by the signal, or by `inspect`. */
export type FinishReason = 'stop' | 'length' | 'aborted'

/** Tokens read and made. */
export interface Usage {
  promptTokens: number
  completionTokens: number
  /** Those of `promptTokens` that were not read again: their keys and values were still there from another text. */
  cachedTokens?: number
  /** With `promptLookup`: tokens that were guessed, and those of them that the model made too. */
  draftTokens?: number
  acceptedDraftTokens?: number
  /** With `accept`: choices that it refused. They took no call of the model. */
  refusedTokens?: number
  /** Where a text was taken back to go on from an earlier place: tokens of `completionTokens` that are no part of it. */
  discardedTokens?: number
}

/** A token, and the natural logarithm of its probability. */
export interface LogProb {
  id: number
  logprob: number
}

/**
 * How probable the model found a token at its place, by its own distribution: before temperature, penalties, bias and mask (vLLM's
 * `raw_logprobs`). The same place has the same number, whether it was read or made, alone or beside others.
 */
export interface TokenLogProb extends LogProb {
  /** The most probable tokens at this place, as many as were asked for, the most probable first. */
  top: readonly LogProb[]
  /** The tokens that were asked for by id, in their order. */
  named?: readonly LogProb[]
}

/** A part of a continuation as it comes. `text` may be empty: half a character or the beginning of a stop string waits. */
export interface GenerationPiece {
  text: string
  /** The ids made since the last piece, with the one that ended the text. */
  tokenIds: readonly number[]
  /** One for each of `tokenIds`, where they were asked for. */
  logprobs?: readonly TokenLogProb[]
  /** In the first piece only, where they were asked for: one for each token of the prompt, null for the first. */
  promptLogprobs?: readonly (TokenLogProb | null)[]
  /** In the last piece only, as is `usage`. */
  finishReason?: FinishReason
  /** With `stop` only: the stop string or the id of `stopTokenIds` that ended the text; absent for the model's own end. */
  stop?: string | number
  /** With `length` only: which of the two was used up. */
  limit?: 'max_new_tokens' | 'context'
  usage?: Usage
}

/** A whole continuation; the prompt is not part of it. */
export interface Generation {
  text: string
  tokenIds: readonly number[]
  /** One for each of `tokenIds`, where they were asked for. */
  logprobs?: readonly TokenLogProb[]
  /** One for each token of the prompt, null for the first, where they were asked for. */
  promptLogprobs?: readonly (TokenLogProb | null)[]
  finishReason: FinishReason
  /** With `stop` only: the stop string or the id of `stopTokenIds` that ended the text; absent for the model's own end. */
  stop?: string | number
  /** With `length` only: which of the two was used up. */
  limit?: 'max_new_tokens' | 'context'
  usage: Usage
}

/** How long texts are read, and how to hear of it. */
export interface ScoreOptions {
  /** Tokens that the model sees at once, from 2 to its context (the default). Longer texts are read in windows of it. */
  window?: number
  /** For each sequence, the first token that is wanted; those before it get null and may come from the cache. Default 1 for all. */
  from?: readonly number[]
  /** One of `Lm.adapters`; null or nothing is the model without one. */
  adapter?: string | null
  /** As in `GenerateOptions`. */
  cacheSalt?: string
  signal?: AbortSignal
  /** Called now and then with the number of tokens that have a score so far, and that will in all. */
  onProgress?: (done: number, total: number) => void
}

/** What to tell of each place besides the token that stands there. */
export interface ScoreTokensOptions extends ScoreOptions {
  /** So many of the most probable tokens, up to 1024; default 0. */
  topLogprobs?: number
  /** These tokens. */
  logprobTokenIds?: readonly number[]
}

/** Which numbers of a text the model gives as its vectors. */
export interface HiddenOptions {
  /**
   * After how many blocks, counted as Hugging Face's `hidden_states`: 0 is what enters the first one, the number of blocks (the default)
   * what leaves the last norm. What comes behind is not computed.
   */
  layer?: number
  /** The last token's vector, the mean of all, or all of them one after the other. Default `last`. */
  pooling?: Pooling
  /** Divides each vector by its length. */
  normalize?: boolean
  adapter?: string | null
  signal?: AbortSignal
}

/** How the vectors of a text's tokens become one; `none` keeps them. */
export type Pooling = 'last' | 'mean' | 'none'

/** Which model it is. */
export interface ModelInfo {
  /** The name it is served under: its repository's, or that of its folder. */
  name: string
  /** Which version of it: a commit, a hash of its weights. */
  revision?: string
}

/** How busy a model is. */
export interface LmLoad {
  waiting: number
  running: number
  /** Blocks of the cache that sequences hold, of `blocks`. */
  usedBlocks: number
  blocks: number
}

/** Natural logarithm of each token's probability given the ones before it in its sequence; null for the first. */
export type TokenLogProbs = readonly (number | null)[]

/** A language model. What not every one can do is optional. */
export interface Lm {
  readonly info?: ModelInfo
  /** The names that `adapter` may have. */
  readonly adapters?: readonly string[]
  /** How many blocks it has: the highest `layer` of `hidden`. */
  readonly layers?: number
  /** Tokens of prompt and continuation together at most. */
  readonly contextLength: number
  /** Ids are below this. */
  readonly vocabSize: number
  /** Whether `messages` can be rendered: the model has a chat template. */
  readonly canChat: boolean
  /** The token that a text with nothing before it follows: the tokenizer's start token, or its end token where it has none. */
  readonly prefixTokenId?: number | undefined
  /** A chat as text; with `addGenerationPrompt`, up to where the assistant's turn begins. */
  renderChat?(messages: readonly ChatMessage[], options?: ChatPromptOptions): string
  /** The template that `messages` are rendered with, where there is one and it can be told. */
  readonly chatTemplate?: string | undefined
  /** The one for chats with tools, where that is another. */
  readonly toolTemplate?: string | undefined
  /** The control tokens as texts: what a user's text may spell and is read as plain text, unless `allowSpecial`. */
  readonly controlTokens?: readonly string[]
  /** The names that the tokenizer has for some tokens, such as `bos_token`. */
  readonly namedTokens?: Readonly<Record<string, string>>
  /** The temperature that the makers of the model draw with, 0 for one that is to be greedy; undefined where they say nothing. */
  readonly defaultTemperature?: number | undefined
  /** Sequences that wait and that run, and how full the cache is. */
  readonly load?: LmLoad
  /** The ids that `generate` would read. Text gets the tokenizer's start token; control tokens in it stay plain text. */
  encode(prompt: Prompt): number[]
  /** Ids as text, control tokens left out. */
  decode(ids: readonly number[]): string
  /** The tokens that end a continuation of this prompt, unless `ignoreEos`: the model's own, and behind `messages` that of a turn. */
  endTokenIds?(prompt: Prompt): readonly number[]
  /** What a token stands for: a piece of UTF-8 that may begin or end within a character; a control token's own name. */
  tokenBytes?(id: number): Uint8Array
  /** Continues a prompt, piece by piece; the joined texts are the continuation. */
  generate(request: GenerateRequest): AsyncIterable<GenerationPiece>
  /** Continues many prompts together; results are in the order of the requests and those of `generate`. */
  generateAll(requests: readonly GenerateRequest[]): Promise<Generation[]>
  /** Scores token ids as they are: nothing is added. */
  score(sequences: readonly (readonly number[])[], options?: ScoreOptions): Promise<TokenLogProbs[]>
  /** `score` with the most probable tokens of each place, or those that are named; the numbers are those of `score`. */
  scoreTokens?(
    sequences: readonly (readonly number[])[],
    options?: ScoreTokensOptions,
  ): Promise<(readonly (TokenLogProb | null)[])[]>
  /** A vector of each text, or with `pooling: 'none'` one of each token, [T · D] row-major. The ids are read as they are. */
  hidden?(sequences: readonly (readonly number[])[], options?: HiddenOptions): Promise<Float32Array[]>
  /** A vector of unit length for each text, of the last layer; texts of like meaning have a large inner product. Default `last`. */
  embed?(
    prompts: readonly Prompt[],
    options?: Pick<HiddenOptions, 'pooling' | 'adapter' | 'signal'>,
  ): Promise<Float32Array[]>
  /** Takes another adapter in from its directory, which `adapter` may then name. UsageError where the name is taken. */
  loadAdapter?(name: string, directory: string): Promise<void>
  /** Gives an adapter up; texts that go through it end first. UsageError for a name that there is not. */
  unloadAdapter?(name: string): Promise<void>
}

/** Waits for a continuation to end and joins its pieces. */
export async function collect(pieces: AsyncIterable<GenerationPiece> | Iterable<GenerationPiece>): Promise<Generation> {
  let text = ''
  const tokenIds: number[] = []
  const logprobs: TokenLogProb[] = []
  let promptLogprobs: GenerationPiece['promptLogprobs']
  for await (const piece of pieces) {
    text += piece.text
    tokenIds.push(...piece.tokenIds)
    logprobs.push(...(piece.logprobs ?? []))
    promptLogprobs ??= piece.promptLogprobs
    const { finishReason, stop, limit, usage } = piece
    if (finishReason === undefined || usage === undefined) continue
    return {
      text,
      tokenIds,
      ...(logprobs.length > 0 && { logprobs }),
      ...(promptLogprobs !== undefined && { promptLogprobs }),
      finishReason,
      ...(stop !== undefined && { stop }),
      ...(limit !== undefined && { limit }),
      usage,
    }
  }
  throw new Error('a continuation ended without a finish reason')
}
