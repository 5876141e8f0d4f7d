// A decoder of any family: embedding → blocks → norm → head, and what the blocks of one call share. What sets the families apart is data
// (config.ts); names are Hugging Face's, so a path here is a name in the checkpoint. What a block computes is block.ts.
// Shapes: B rows, T tokens, D hidden, V vocabulary.
import { UnsupportedError, UsageError } from '../errors.ts'
import { type KeyValueCache, type Mask, makeMask } from '../nn/attention.ts'
import { dropout } from '../nn/dropout.ts'
import { Embedding, type EmbeddingLike } from '../nn/embedding.ts'
import type { InputLayer } from '../nn/input-layer.ts'
import { Layer } from '../nn/layer.ts'
import { Linear, type LinearLike } from '../nn/linear.ts'
import type { Norm } from '../nn/norm.ts'
import { type RotaryTable, RotaryTables } from '../nn/rotary.ts'
import { checkpoint, Generator, ops, scope, Tensor } from '../torch/index.ts'
import { Block, type Call, makeNorm } from './block.ts'
import type { Parameter } from './block-parameters.ts'
import type { DecoderConfig } from './config.ts'
import { modelParameters } from './hf-names.ts'

/** One call of the model. */
export interface DecoderInput {
  /** Token ids [B, T], i64; or give `inputsEmbeds`. */
  inputIds?: Tensor
  /** Embeddings [B, T, D] in place of ids, before any scaling (soft prompts, spliced sequences). */
  inputsEmbeds?: Tensor
  /** Position of each token, [B, T] row-major; default: the cache's, or the place in the row. */
  positionIds?: Int32Array
  /** Document of each token, [B, T]: tokens see their own document only. */
  segmentIds?: Int32Array
  /** Keys and values of earlier tokens, to which this call adds its own: the rows are tokens of the sequences that it was made for. */
  cache?: KeyValueCache
}

/** A causal language model. */
export class Decoder extends Layer {
  /** What the weights are; who changes their shapes or biases sets it anew. */
  config: DecoderConfig
  readonly model: DecoderBody
  /** Null when the head is the embedding (tied). */
  lm_head: LinearLike | null
  /** What the model reads before or in place of ids, such as a soft prompt; null: the embedding alone reads them. */
  prompt_encoder: InputLayer | null = null
  /** Recompute each block in the backward pass instead of keeping its activations. */
  gradientCheckpointing = false
  /** Set while training: dropout draws from it. Null switches dropout off. */
  generator: Generator | null = null
  private readonly tables = new RotaryTables()

  /**
   * A model with weights as Transformers starts them, on the CPU in f32; the same seed gives the same weights.
   *
   * @example
   * const model = Decoder.fresh(readModelConfig({ model_type: 'llama', … }, 'config.json'), { seed: 42 }).trainable()
   */
  static fresh(config: DecoderConfig, { seed = 0 }: { seed?: number } = {}): Decoder {
    return new Decoder(config, initialise(config, new Generator(seed)))
  }

  /** `take(parameter)` gives each parameter: read from a file, or made by `initialise`. */
  constructor(config: DecoderConfig, take: (parameter: Parameter) => Tensor) {
    super()
    this.config = config
    const parameters = new Map(modelParameters(config).map((parameter) => [parameter.path, take(parameter)]))
    const at = (path: string): Tensor => parameters.get(path)!
    this.model = new DecoderBody(config, at, (path) => parameters.get(path) ?? null)
    this.lm_head = config.tieWordEmbeddings || config.labels !== undefined ? null : new Linear(at('lm_head.weight'))
  }

  get device(): string {
    return this.model.embed_tokens.device
  }

  /** The output head: hidden size → vocabulary. */
  get head(): LinearLike {
    return this.lm_head ?? this.model.embed_tokens.head()
  }

  /** Hidden states after the last norm, [B, T, D]. */
  hidden(input: DecoderInput): Tensor {
    const { states, call } = this.enter(input)
    return this.leave(states, call)
  }

  /** What comes after `enter`: all blocks, or those from `from` on, and the last norm, [B, T, D]. */
  leave(states: Tensor, call: Call, from = 0): Tensor {
    return this.model.norm.forward(this.runBlocks(states, call, from))
  }

  /** The first third of `hidden`: what enters block 0, [B, T, D], and what all blocks of the call share. */
  enter(input: DecoderInput): { states: Tensor; call: Call } {
    let x = input.inputsEmbeds ?? this.embed(input.inputIds!)
    const [rows = 0, length = 0] = x.shape
    if (this.config.embeddingScale !== 1) x = x.mul(this.config.embeddingScale)
    const call = this.prepare(input, rows, length)
    if (this.model.embed_positions !== undefined)
      x = x.add(this.model.embed_positions.forward(this.positions(input, rows, length)))
    return { states: dropout(x, this.config.dropout.embedding, this.generator), call }
  }

  /** The second third: `states` [B, T, D] through blocks `from` to `to` (exclusive). In between they can be looked at, kept, changed. */
  runBlocks(states: Tensor, call: Call, from = 0, to: number = this.model.layers.length): Tensor {
    let x = states
    for (let i = from; i < to; i++) {
      const block = this.model.layers[i]!
      const run = (h: Tensor): Tensor => scope(() => block.forward(h, i, call))
      x = this.gradientCheckpointing && call.cache === null ? checkpoint(run, x, this.generator ?? undefined) : run(x)
    }
    return x
  }

  /** The second third block by block: `visit` sees what enters and what leaves each one, [B, T, D]. Returns what leaves the last. */
  eachBlock(states: Tensor, call: Call, visit: (block: number, entering: Tensor, leaving: Tensor) => void): Tensor {
    let x = states
    for (const block of this.model.layers.keys()) {
      const y = this.runBlocks(x, call, block, block + 1)
      visit(block, x, y)
      if (y !== x && x !== states) x.free()
      x = y
    }
    return x
  }

  /** Logits in f32, [B, T, V], of hidden states [B, T, D]. */
  logits(hidden: Tensor): Tensor {
    const logits = this.head.forward(hidden).to('f32')
    const cap = this.config.finalLogitSoftcapping
    return cap === null ? logits : logits.div(cap).tanh().mul(cap)
  }

  /** `logits(hidden(input))`. */
  forward(input: DecoderInput): Tensor {
    return this.logits(this.hidden(input))
  }

  override free(): void {
    super.free()
    this.tables.free()
  }

  /** Ids [B, T] → embeddings [B, T, D], before any scaling. */
  private embed(ids: Tensor): Tensor {
    const words = this.model.embed_tokens
    return this.prompt_encoder?.embed(ids, words, this.config.embeddingScale) ?? words.forward(ids)
  }

  /** Positions of the tokens as a tensor [B or 1, T]. */
  private positions(input: DecoderInput, rows: number, length: number): Tensor {
    const ids = ownPositions(input) ?? Int32Array.from({ length }, (_, n) => n)
    const highest = ids.reduce((a, b) => Math.max(a, b), 0)
    const last = this.config.maxPositionEmbeddings
    if (this.config.hasLearnedPositions && highest >= last) {
      throw new UnsupportedError(
        `sequence: expected at most ${last} tokens (max_position_embeddings), got ${highest + 1}. Use a shorter one`,
      )
    }
    const perRow = ids.length === rows * length ? rows : 1
    if (ids.length !== perRow * length)
      throw new UsageError(`positions: expected one for each of ${rows * length} tokens, got ${ids.length}`)
    return Tensor.from(ids, [perRow, length]).to('i64').to(this.device)
  }

  private prepare(input: DecoderInput, rows: number, length: number): Call {
    const cache = input.cache ?? null
    const own = ownPositions(input)
    const device = this.device
    const highest = own === undefined ? Math.max(1, length) : own.reduce((a, b) => Math.max(a, b), 0) + 1
    const positions = own === undefined ? null : this.positions(input, rows, length)
    const segments = input.segmentIds === undefined ? null : { ids: input.segmentIds, rows }
    // Made here, not on first use: what a block makes dies with the block's scope.
    const masks = new Map<number | null, Mask>()
    const rotary = new Map<string, RotaryTable>()
    for (const block of this.model.layers) {
      const settings = block.self_attn?.settings
      if (settings === undefined) continue
      const { rope, slidingWindow: window } = settings
      if (cache === null && !masks.has(window)) masks.set(window, makeMask({ length, window, segments }, device))
      const name = rope === null ? '' : this.tables.nameOf(rope)
      if (rope === null || rotary.has(name)) continue
      const table = this.tables.rows(rope, highest, highest, device)
      const gather = (all: Tensor): Tensor => {
        if (positions === null) return all.narrow(0, 0, length)
        return ops.embedding(all, cache === null ? positions : positions.view(-1))
      }
      rotary.set(name, { cos: gather(table.cos), sin: gather(table.sin) })
    }
    return {
      rows,
      length,
      cache,
      generator: this.generator,
      rotary: (rope) => rotary.get(this.tables.nameOf(rope))!,
      mask: (window) => masks.get(window)!,
      inputs: cache?.inputs?.concat([...rotary.values()].flatMap(({ cos, sin }) => [cos, sin])) ?? null,
    }
  }
}

const ownPositions = ({ positionIds, cache }: DecoderInput): Int32Array | undefined => positionIds ?? cache?.positions

/** Embedding, blocks, last norm: what Hugging Face calls `model`. */
export class DecoderBody extends Layer {
  readonly embed_tokens: EmbeddingLike
  readonly embed_positions: Embedding | undefined
  layers: Block[]
  readonly norm: Norm

  constructor(config: DecoderConfig, at: (path: string) => Tensor, find: (path: string) => Tensor | null) {
    super()
    this.embed_tokens = new Embedding(at('model.embed_tokens.weight'))
    this.embed_positions = config.hasLearnedPositions ? new Embedding(at('model.embed_positions.weight')) : undefined
    this.layers = config.layers.map((_, i) => new Block(config, i, at, find))
    this.norm = makeNorm(config, 'model.norm', at)
  }
}

/** Fresh weights as Transformers makes them: N(0, initializer_range) for matrices, identity for norms, 0 for biases. */
export function initialise(config: DecoderConfig, generator: Generator): (parameter: Parameter) => Tensor {
  return ({ path, shape }) => {
    if (path.endsWith('.bias')) return ops.zeros(shape, 'f32').keep()
    if (shape.length === 1) return ops.full(shape, config.norm.unitOffset ? 0 : 1, 'f32').keep()
    return ops.normal_(ops.empty(shape, 'f32'), 0, config.initializerRange, generator).keep()
  }
}
