// Which blocks of a paged cache are free, in use, or kept because their content may be asked for again: counted references and an order of
// eviction. It knows ids only; the numbers in the blocks belong to paged-cache.ts. One pool serves all layers that see equally far back.

/** What a full block holds, by content: the sixteen ids and all before them. */
export interface BlockContent {
  /** Names the content as the parent of the blocks that follow it. */
  readonly serial: number
  readonly key: string
  /** The block of each pool that holds it, −1 where none does. */
  readonly blocks: number[]
}

/** Blocks `0 … capacity − 1`; the capacity grows up to `limit`. */
export class BlockPool {
  /** Which entry of `BlockContent.blocks` is this pool's. */
  readonly index: number
  /** Tokens that a query sees back, itself included; null: all. */
  readonly window: number | null
  readonly limit: number
  capacity = 0
  readonly #references: number[] = []
  readonly #contents: (BlockContent | undefined)[] = []
  readonly #free: number[] = []
  /** Blocks that nobody uses and whose content is known, the longest unused first. */
  readonly #idle = new Set<number>()
  readonly #onForgotten: (content: BlockContent) => void

  /** `onForgotten` hears of every content that loses its last block. */
  constructor(index: number, window: number | null, limit: number, onForgotten: (content: BlockContent) => void) {
    this.index = index
    this.window = window
    this.limit = limit
    this.#onForgotten = onForgotten
  }

  /** Blocks that some sequence uses. */
  get used(): number {
    return this.capacity - this.#free.length - this.#idle.size
  }

  /** Blocks that can still be taken. */
  get available(): number {
    return this.limit - this.used
  }

  /** A block with one reference; undefined when all of `limit` are in use. Room that there is comes before what is kept, and that before growing. */
  take(): number | undefined {
    const block = this.#free.pop() ?? this.#evict() ?? this.#grow()
    if (block !== undefined) this.#references[block] = 1
    return block
  }

  retain(block: number): void {
    if (this.#references[block]!++ === 0) this.#idle.delete(block)
  }

  release(block: number): void {
    if (--this.#references[block]! > 0) return
    if (this.#contents[block] === undefined) this.#free.push(block)
    else this.#idle.add(block)
  }

  /** True for a block that another sequence uses, too, so that it must not be written. */
  isShared(block: number): boolean {
    return this.#references[block]! > 1
  }

  /** Says what a full block holds, so that it can be found; not if another block is known for that already. */
  publish(block: number, content: BlockContent): void {
    if (content.blocks[this.index] !== -1 || this.#contents[block] !== undefined) return
    content.blocks[this.index] = block
    this.#contents[block] = content
  }

  /** The content is going to change. */
  withdraw(block: number): void {
    const content = this.#contents[block]
    if (content === undefined) return
    this.#contents[block] = undefined
    content.blocks[this.index] = -1
    if (content.blocks.every((other) => other === -1)) this.#onForgotten(content)
  }

  #evict(): number | undefined {
    // What is kept may grow with the pool, to the most that was ever in use at once and a little more.
    if (this.capacity < Math.min(this.limit, KEPT_BLOCKS)) return undefined
    const [oldest] = this.#idle
    if (oldest === undefined) return undefined
    this.#idle.delete(oldest)
    this.withdraw(oldest)
    return oldest
  }

  #grow(): number | undefined {
    if (this.capacity === this.limit) return undefined
    const first = this.capacity
    this.capacity = Math.min(this.limit, Math.max(FIRST_BLOCKS, 2 * first))
    for (let block = this.capacity - 1; block >= first; block--) {
      this.#references[block] = 0
      this.#free.push(block)
    }
    return this.#free.pop()
  }
}

/** 256 tokens: most texts fit, and little is wasted. */
const FIRST_BLOCKS = 16
/** 8,192 tokens: a pool grows to that before it evicts what it keeps. */
const KEPT_BLOCKS = 512
