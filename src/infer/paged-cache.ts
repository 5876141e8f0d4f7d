// Keys and values of every sequence, in blocks of 16 tokens (PagedAttention, arXiv:2309.06180 §4): a sequence is a table of block ids. Blocks
// are shared between sequences that begin alike, found by what they hold, copied before a shared one is written, and freed one by one behind
// a sliding window. The operator that reads and writes them is native/attention.cc.
// A content is named by the name of what comes before it and its own sixteen ids, so equal names mean equal text, without a hash to trust.

import type { KeyValueCache } from '../nn/attention.ts'
import { type DType, ops, Tensor } from '../torch/index.ts'
import { type BlockContent, BlockPool } from './block-pool.ts'
import { ComposedStep } from './composed-attention.ts'

/** Tokens of one block; the kernel's vectors have this many numbers. */
export const BLOCK_TOKENS = 16

/** Blocks of one layer, for the pool's capacity, laid out for the kernel: keys [blocks, heads, D, 16], values [blocks, heads, 16, D filled up to a multiple of 16]; or for operators of LibTorch, both [blocks, 16, heads, D]. */
interface LayerBlocks {
  pool: BlockPool
  heads: number
  width: number
  dtype: DType
  /** How many blocks there is room for. */
  capacity: number
  keys: Tensor
  values: Tensor
}

type EmptyLayer = Omit<LayerBlocks, 'keys' | 'values'> & { keys: null; values: null }

/** One sequence in a cache. */
export interface CachedText {
  /** Tokens whose keys and values are in the cache. */
  readonly length: number
  /** Those tokens. */
  readonly ids: readonly number[]
}

class Text implements CachedText {
  readonly ids: number[] = []
  /** Block ids by pool; −1 behind the window. */
  readonly tables: number[][]
  /** Serial of what comes before block i. */
  readonly parents: (number | string)[]

  constructor(pools: number, salt: string) {
    this.tables = Array.from({ length: pools }, () => [])
    this.parents = [rootOf(salt)]
  }
  get length(): number {
    return this.ids.length
  }
}

/** How large a cache may become, and what it is made of. */
export interface PagedCacheOptions {
  /** How far back the layers see: one entry for each distinct window, null for all of the past. */
  windows: readonly (number | null)[]
  /** Tokens of all sequences together at most. */
  tokens: number
  /** What keys and values are stored as; default: as they come. f16 halves the memory. */
  dtype?: DType | undefined
  /** What they come as, and where: f32 on a CPU has a kernel of its own. Default that. */
  computed?: { dtype: DType; device: string }
}

/** `open` a text, `reserve` room, run the model with `step`, `commit` what it read; `close` gives the blocks back. */
export class PagedCache {
  readonly #pools: BlockPool[]
  readonly #layers = new Map<number, LayerBlocks>()
  readonly #contents = new Map<string, BlockContent>()
  readonly #dtype: DType | undefined
  readonly #device: string
  readonly #hasKernel: boolean
  #serial = 0
  #generation = 0

  constructor({ windows, tokens, dtype, computed = { dtype: 'f32', device: 'cpu' } }: PagedCacheOptions) {
    this.#device = computed.device
    this.#hasKernel = computed.device === 'cpu' && computed.dtype === 'f32'
    const limit = Math.max(1, Math.floor(tokens / BLOCK_TOKENS))
    const forget = ({ key }: BlockContent): void => void this.#contents.delete(key)
    this.#pools = windows.map((window, i) => new BlockPool(i, window, limit, forget))
    this.#dtype = dtype
  }

  /** Blocks that sequences use, in the pool where most are. */
  get usedBlocks(): number {
    return Math.max(0, ...this.#pools.map(({ used }) => used))
  }

  /** Another number once the blocks of a layer lie in other tensors. */
  get generation(): number {
    return this.#generation
  }

  /** A text that begins with what is known of `ids`, at most `most` of them, in whole blocks. `salt` keeps apart what equal ids do not make equal. */
  open(ids: readonly number[], most: number = ids.length, salt = ''): CachedText {
    const text = new Text(this.#pools.length, salt)
    const known: BlockContent[] = []
    for (let end = BLOCK_TOKENS; end <= most; end += BLOCK_TOKENS) {
      const content = this.#contents.get(this.#key(known.at(-1)?.serial ?? rootOf(salt), ids, end))
      if (content === undefined) break
      known.push(content)
    }
    let count = known.length
    while (count > 0 && !this.#pools.every((pool) => holdsWhatIsSeen(pool, known, count))) count--
    for (const [i, pool] of this.#pools.entries()) {
      const first = firstSeenBlock(pool, count * BLOCK_TOKENS)
      for (let block = 0; block < count; block++) {
        const id = block < first ? -1 : known[block]!.blocks[i]!
        if (id >= 0) pool.retain(id)
        text.tables[i]!.push(id)
      }
    }
    for (const { serial } of known.slice(0, count)) text.parents.push(serial)
    for (const id of ids.slice(0, count * BLOCK_TOKENS)) text.ids.push(id)
    return text
  }

  /** Makes room for `count` more tokens; false, and nothing changed, when there are not enough blocks. */
  reserve(text: CachedText, count: number): boolean {
    const { tables, length } = text as Text
    const needed = Math.ceil((length + count) / BLOCK_TOKENS)
    const last = length % BLOCK_TOKENS === 0 ? -1 : Math.floor(length / BLOCK_TOKENS)
    const copies = (pool: BlockPool, table: number[]): boolean => last >= 0 && pool.isShared(table[last]!)
    const fits = this.#pools.every((pool, i) => {
      const table = tables[i]!
      return needed - table.length + (copies(pool, table) ? 1 : 0) <= pool.available
    })
    if (!fits) return false
    for (const [i, pool] of this.#pools.entries()) {
      const table = tables[i]!
      if (copies(pool, table)) {
        const own = pool.take()!
        this.#copy(pool, table[last]!, own)
        pool.release(table[last]!)
        table[last] = own
      } else if (last >= 0) pool.withdraw(table[last]!)
      while (table.length < needed) table.push(pool.take()!)
    }
    return true
  }

  /** A call of the model that reads `count` tokens more of each text, the rows of one text after the other: inputIds [1, Σ count]. */
  step(texts: readonly { text: CachedText; count: number }[]): KeyValueCache {
    const rows = new Int32Array(2 * texts.reduce((sum, { count }) => sum + count, 0))
    let row = 0
    for (const [sequence, { text, count }] of texts.entries())
      for (let i = 0; i < count; i++) {
        rows[row++] = sequence
        rows[row++] = text.length + i
      }
    const tablesOf = (pool: BlockPool): number[][] => texts.map(({ text }) => (text as Text).tables[pool.index]!)
    for (const [layer, blocks] of this.#layers) this.#grow(layer, blocks)
    const inputs: Tensor[] = []
    const attentions = new Map(
      this.#pools.map((pool) => [
        pool.window,
        this.#hasKernel
          ? this.#kernel(pool, rows, tablesOf(pool), inputs)
          : this.#composed(pool, texts, tablesOf(pool)),
      ]),
    )
    return {
      positions: rows.filter((_, i) => i % 2 === 1),
      inputs: this.#hasKernel ? inputs : null,
      attend: (layer, q, k, v, how) => attentions.get(how.window)!(layer, q, k, v, how),
    }
  }

  /** The model has read `ids` of `text`: full blocks can be found from now on, and what no later token sees is given back. */
  commit(text: CachedText, ids: readonly number[]): void {
    const { tables, parents, ids: all } = text as Text
    for (const id of ids) all.push(id)
    for (let block = parents.length - 1; (block + 1) * BLOCK_TOKENS <= all.length; block++) {
      const key = this.#key(parents[block]!, all, (block + 1) * BLOCK_TOKENS)
      let content = this.#contents.get(key)
      if (content === undefined) {
        content = { serial: this.#serial++, key, blocks: this.#pools.map(() => -1) }
        this.#contents.set(key, content)
      }
      parents.push(content.serial)
      for (const [i, pool] of this.#pools.entries())
        if (tables[i]![block]! >= 0) pool.publish(tables[i]![block]!, content)
    }
    for (const [i, pool] of this.#pools.entries())
      this.#releaseRange(pool, tables[i]!, 0, firstSeenBlock(pool, all.length))
  }

  /** A second text with the same tokens; blocks are shared until one of the two writes. */
  fork(text: CachedText): CachedText {
    const { tables, parents, ids } = text as Text
    const copy = new Text(tables.length, '')
    for (const [i, pool] of this.#pools.entries())
      for (const block of tables[i]!) {
        if (block >= 0) pool.retain(block)
        copy.tables[i]!.push(block)
      }
    copy.parents.splice(0, 1, ...parents)
    for (const id of ids) copy.ids.push(id)
    return copy
  }

  /** Takes back the last tokens, so that at most `length` are left; none are where a window has given back what the rest would need. */
  truncate(text: CachedText, length: number): void {
    const { tables, parents, ids } = text as Text
    if (length > 0 && length >= ids.length) return
    const isWhole = this.#pools.every((pool, i) =>
      tables[i]!.slice(firstSeenBlock(pool, length), Math.ceil(length / BLOCK_TOKENS)).every((block) => block >= 0),
    )
    const kept = isWhole ? length : 0
    const blocks = Math.ceil(kept / BLOCK_TOKENS)
    for (const [i, pool] of this.#pools.entries()) {
      this.#releaseRange(pool, tables[i]!, blocks, tables[i]!.length)
      tables[i]!.length = blocks
    }
    parents.length = Math.floor(kept / BLOCK_TOKENS) + 1
    ids.length = kept
  }

  /** Gives the blocks back; what they hold can still be found until their place is needed. */
  close(text: CachedText): void {
    this.truncate(text, 0)
  }

  free(): void {
    for (const { keys, values } of this.#layers.values()) {
      keys.free()
      values.free()
    }
    this.#layers.clear()
  }

  #key(parent: number | string, ids: readonly number[], end: number): string {
    return `${parent}|${ids.slice(end - BLOCK_TOKENS, end).join()}`
  }

  /** The last first, so that the end of a text is forgotten before its beginning. */
  #releaseRange(pool: BlockPool, table: number[], begin: number, end: number): void {
    for (let block = Math.min(end, table.length) - 1; block >= begin && table[block]! >= 0; block--) {
      pool.release(table[block]!)
      table[block] = -1
    }
  }

  /** The tables as tensors, made before the layers' scopes begin. */
  #kernel(
    pool: BlockPool,
    rows: Int32Array,
    blocks: readonly (readonly number[])[],
    inputs: Tensor[],
  ): KeyValueCache['attend'] {
    const width = Math.max(1, ...blocks.map(({ length }) => length))
    const table = new Int32Array(blocks.length * width)
    for (const [at, ids] of blocks.entries()) table.set(ids, at * width)
    const tables = Tensor.from(table, [blocks.length, width])
    const places = Tensor.from(rows, [rows.length / 2, 2])
    inputs.push(tables, places)
    return (layer, q, k, v, { rotary, scale, window, softcap }) => {
      const { keys, values } = this.#blocksOf(layer, pool, k)
      const [cos, sin] = [rotary?.cos ?? null, rotary?.sin ?? null]
      return ops.pagedAttention(q, k, v, cos, sin, keys, values, tables, places, scale, window ?? 0, softcap ?? 0)
    }
  }

  #composed(
    pool: BlockPool,
    texts: readonly { text: CachedText; count: number }[],
    blocks: readonly (readonly number[])[],
  ): KeyValueCache['attend'] {
    const parts = texts.map(({ text, count }, i) => ({ blocks: blocks[i]!, start: text.length, count }))
    const step = new ComposedStep(parts, pool.window, BLOCK_TOKENS, this.#device)
    return (layer, q, k, v, how) => {
      const { keys, values } = this.#blocksOf(layer, pool, k)
      return step.attend(q, k, v, keys, values, how)
    }
  }

  /** Keys tell of the layer's heads when it is first seen. */
  #blocksOf(layer: number, pool: BlockPool, key: Tensor): LayerBlocks {
    const known = this.#layers.get(layer)
    if (known !== undefined) return known
    const [heads = 1, width = 1] = key.shape.slice(-2)
    const empty = { capacity: 0, pool, heads, width, dtype: this.#dtype ?? key.dtype, keys: null, values: null }
    return this.#grow(layer, empty)
  }

  /** Room for all blocks of the layer's pool. */
  #grow(layer: number, known: LayerBlocks | EmptyLayer): LayerBlocks {
    const { pool, heads, width, dtype, capacity } = known
    if (known.keys !== null && capacity >= pool.capacity) return known
    const grown = (shape: number[], old: Tensor | null): Tensor => {
      const blocks = ops.empty([pool.capacity, ...shape], dtype, null, this.#device).keep()
      if (old !== null) blocks.narrow(0, 0, capacity).copy_(old)
      old?.free()
      return blocks
    }
    const padded = Math.ceil(width / BLOCK_TOKENS) * BLOCK_TOKENS
    const rows = [BLOCK_TOKENS, heads, width]
    const made = {
      ...known,
      capacity: pool.capacity,
      keys: grown(this.#hasKernel ? [heads, width, BLOCK_TOKENS] : rows, known.keys),
      values: grown(this.#hasKernel ? [heads, BLOCK_TOKENS, padded] : rows, known.values),
    }
    this.#generation++
    this.#layers.set(layer, made)
    return made
  }

  #copy(pool: BlockPool, from: number, to: number): void {
    for (const [layer, blocks] of this.#layers) {
      if (blocks.pool !== pool) continue
      const { keys, values } = this.#grow(layer, blocks)
      for (const tensor of [keys, values]) tensor.select(0, to).copy_(tensor.select(0, from))
    }
  }
}

/** What the first block of a text follows: no number, so never the serial of a content. */
const rootOf = (salt: string): string => `salt ${salt}`

/** The first block that a token at `position` sees. */
function firstSeenBlock({ window }: BlockPool, position: number): number {
  return window === null ? 0 : Math.floor(Math.max(0, position - window + 1) / BLOCK_TOKENS)
}

function holdsWhatIsSeen(pool: BlockPool, known: readonly BlockContent[], count: number): boolean {
  return known.slice(firstSeenBlock(pool, count * BLOCK_TOKENS), count).every(({ blocks }) => blocks[pool.index] !== -1)
}
