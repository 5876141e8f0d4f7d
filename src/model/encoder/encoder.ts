// An encoder of any family: embedding → blocks → head. The blocks are those of the decoders (block.ts); what differs is that every
// token sees both ways, and what the embedding adds. What sets the families apart is data (config.ts).
// Shapes: B rows, T tokens, D hidden, V vocabulary, L labels.
import { InputError, UsageError } from '../../errors.ts'
import { type Mask, makeMaskBothWays } from '../../nn/attention.ts'
import { dropout } from '../../nn/dropout.ts'
import { Embedding, type EmbeddingLike } from '../../nn/embedding.ts'
import { Layer } from '../../nn/layer.ts'
import { Linear, type LinearLike } from '../../nn/linear.ts'
import type { Norm } from '../../nn/norm.ts'
import { type RotaryTable, RotaryTables } from '../../nn/rotary.ts'
import { checkpoint, Generator, ops, scope, Tensor } from '../../torch/index.ts'
import { Block, type Call, makeNorm } from '../block.ts'
import type { Parameter } from '../block-parameters.ts'
import type { EncoderConfig } from './config.ts'
import { EncoderHead } from './head.ts'
import { encoderParameters } from './parameters.ts'
import { meanOf, rowsAt } from './pool.ts'

/** Rows of ids; a batch of `src/data` is one. */
export interface EncoderInput {
  rows: number
  length: number
  /** [B, T] row-major. */
  inputIds: Int32Array
  /** 1 for tokens and 0 for padding, [B, T]; absent: no row is padded. A row that is all padding gives numbers that mean nothing. */
  attentionMask?: Uint8Array
  /** Segments, [B, T] row-major: which of two texts a token is of. Absent: all are of the first. A model without segments does not look. */
  tokenTypes?: Int32Array
}

/** A model that reads both ways, with or without a head. */
export class Encoder extends Layer {
  readonly config: EncoderConfig
  readonly model: EncoderBody
  readonly head: EncoderHead | null
  /** Recompute each block in the backward pass instead of keeping its activations. */
  gradientCheckpointing = false
  /** Set while training: dropout draws from it. Null switches dropout off. */
  generator: Generator | null = null
  private readonly tables = new RotaryTables()

  /** A model with weights as Transformers starts them, on the CPU in f32; the same seed gives the same weights. */
  static fresh(config: EncoderConfig, { seed = 0 }: { seed?: number } = {}): Encoder {
    return new Encoder(config, initialiseEncoder(config, new Generator(seed)))
  }

  /** `take(parameter)` gives each parameter: read from a file, or made by `initialiseEncoder`. */
  constructor(config: EncoderConfig, take: (parameter: Parameter) => Tensor) {
    super()
    this.config = config
    const parameters = new Map(encoderParameters(config).map((parameter) => [parameter.path, take(parameter)]))
    const at = (path: string): Tensor => parameters.get(path)!
    const find = (path: string): Tensor | null => parameters.get(path) ?? null
    this.model = new EncoderBody(config, at, find)
    this.head = config.head === null ? null : new EncoderHead(config, config.head, at, find)
  }

  get device(): string {
    return this.model.embed_tokens.device
  }

  /** The longest row that it can read. */
  get window(): number {
    return windowOf(this.config)
  }

  /** Hidden states after the last block (and norm), or after so many `blocks` (before any norm), [B, T, D]. */
  hidden(input: EncoderInput, blocks: number = this.model.layers.length): Tensor {
    const call = this.prepare(input)
    let x = dropout(this.embed(input), this.config.dropout.embedding, this.generator)
    for (const [i, block] of this.model.layers.slice(0, blocks).entries()) {
      const run = (h: Tensor): Tensor => scope(() => block.forward(h, i, call))
      x = this.gradientCheckpointing ? checkpoint(run, x, this.generator ?? undefined) : run(x)
    }
    return this.model.norm === null || blocks < this.model.layers.length ? x : this.model.norm.forward(x)
  }

  /** What the head says in f32: [B, T, V] of a vocabulary, [B, T, L] of tokens, [B, L] of texts, [B, T] of ELECTRA's discriminator. */
  forward(input: EncoderInput): Tensor {
    const { pooling, kind } = this.headConfig
    const hidden = this.hidden(input)
    if (pooling === 'cls') return this.logits(rowsAt(hidden, new Int32Array(input.rows)))
    if (pooling === 'mean') return this.logits(meanOf(hidden, input))
    const logits = this.logits(hidden)
    return kind === 'rtd' ? logits.squeeze(-1) : logits
  }

  /** What the head says of hidden states, [..., D] → [..., outputs] in f32. */
  logits(hidden: Tensor): Tensor {
    void this.headConfig
    return this.head!.forward(hidden, () => this.model.embed_tokens.head(), this.generator)
  }

  override free(): void {
    super.free()
    this.tables.free()
  }

  private get headConfig(): NonNullable<EncoderConfig['head']> {
    if (this.config.head === null) throw new UsageError('encoder: expected one with a head, got the encoder alone')
    return this.config.head
  }

  private embed({ rows, length, inputIds, tokenTypes }: EncoderInput): Tensor {
    const { config, model } = this
    const wrong = inputIds.find((id) => id < 0 || id >= config.vocabSize)
    if (wrong !== undefined)
      throw new InputError(`ids: expected numbers from 0 to ${config.vocabSize - 1} (vocab_size), got ${wrong}`)
    if (length > this.window)
      throw new InputError(
        `text: expected at most ${this.window} tokens (max_position_embeddings), got ${length}. Cut it`,
      )
    const on = (values: Int32Array): Tensor => Tensor.from(values, [rows, length]).to('i64').to(this.device)
    let x = model.embed_tokens.forward(on(inputIds))
    if (model.embed_types !== null) {
      const { embed_types: table } = model
      const other = tokenTypes?.find((type) => type < 0 || type >= config.typeVocabSize)
      if (other !== undefined)
        throw new InputError(
          `token types: expected numbers from 0 to ${config.typeVocabSize - 1} (type_vocab_size), got ${other}`,
        )
      x = x.add(tokenTypes === undefined ? table.weight.narrow(0, 0, 1) : table.forward(on(tokenTypes)))
    }
    if (model.embed_positions !== null)
      x = x.add(model.embed_positions.forward(on(positionsOf(config, inputIds, length))))
    x = model.embed_norm.forward(x)
    return model.embed_project === null ? x : model.embed_project.forward(x)
  }

  private prepare({ rows, length, attentionMask }: EncoderInput): Call {
    // Made here, not on first use: what a block makes dies with the block's scope.
    const masks = new Map<number | null, Mask>()
    const rotary = new Map<string, RotaryTable>()
    for (const { self_attn } of this.model.layers) {
      if (self_attn === null) continue
      const { slidingWindow: window, rope } = self_attn.settings
      if (!masks.has(window)) masks.set(window, makeMaskBothWays({ rows, length, window, attentionMask }, this.device))
      const name = rope === null ? '' : this.tables.nameOf(rope)
      if (rope === null || rotary.has(name)) continue
      const { cos, sin } = this.tables.rows(rope, length, length, this.device)
      rotary.set(name, { cos: cos.narrow(0, 0, length), sin: sin.narrow(0, 0, length) })
    }
    return {
      rows,
      length,
      cache: null,
      inputs: null,
      generator: this.generator,
      rotary: (rope) => rotary.get(this.tables.nameOf(rope))!,
      mask: (window) => masks.get(window)!,
    }
  }
}

/** Embedding, blocks, and ModernBERT's last norm. */
export class EncoderBody extends Layer {
  readonly embed_tokens: EmbeddingLike
  readonly embed_positions: Embedding | null
  /** Segments: which of two texts a token is of. */
  readonly embed_types: Embedding | null
  readonly embed_norm: Norm
  readonly embed_project: LinearLike | null
  layers: Block[]
  readonly norm: Norm | null

  constructor(config: EncoderConfig, at: (path: string) => Tensor, find: (path: string) => Tensor | null) {
    super()
    const table = (name: string): Embedding | null => {
      const weight = find(`model.${name}.weight`)
      return weight === null ? null : new Embedding(weight)
    }
    const project = find('model.embed_project.weight')
    this.embed_tokens = new Embedding(at('model.embed_tokens.weight'))
    this.embed_positions = table('embed_positions')
    this.embed_types = table('embed_types')
    this.embed_norm = makeNorm(config, 'model.embed_norm', at)
    this.embed_project = project === null ? null : new Linear(project, at('model.embed_project.bias'))
    this.layers = config.layers.map((_, i) => new Block(config, i, at, find))
    this.norm = find('model.norm.weight') === null ? null : makeNorm(config, 'model.norm', at)
  }
}

/** The longest row that an encoder of this description can read. */
export function windowOf({ maxPositionEmbeddings, positionOffset }: EncoderConfig): number {
  return maxPositionEmbeddings - positionOffset
}

/** Rows of the table: 0, 1, … or, where padding keeps a row of its own, so many tokens that are none after the padding's. */
function positionsOf({ positionOffset, padTokenId }: EncoderConfig, ids: Int32Array, length: number): Int32Array {
  const positions = new Int32Array(ids.length)
  for (let i = 0, seen = 0; i < ids.length; i++) {
    if (i % length === 0) seen = 0
    if (positionOffset === 0) positions[i] = i % length
    else positions[i] = ids[i] === padTokenId ? padTokenId! : positionOffset + seen++
  }
  return positions
}

/** Fresh weights as Transformers makes them: N(0, initializer_range) for matrices, identity for norms, 0 for biases. */
export function initialiseEncoder(config: EncoderConfig, generator: Generator): (parameter: Parameter) => Tensor {
  return ({ path, shape }) => {
    if (path.endsWith('.bias')) return ops.zeros(shape, 'f32').keep()
    if (shape.length === 1) return ops.ones(shape, 'f32').keep()
    return ops.normal_(ops.empty(shape, 'f32'), 0, config.initializerRange, generator).keep()
  }
}
