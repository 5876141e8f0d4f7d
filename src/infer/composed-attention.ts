// Attention over the blocks of a cache by LibTorch's operators, for devices and types that native/attention.cc has no kernel for. What depends
// on the step alone is made once and used by all layers: on a GPU every small copy costs as much as a layer's arithmetic.
// Shapes: R rows, n sequences of one row, S tokens looked at, H heads, G key/value heads, D head dimension.
import { type AttendCached, attend } from '../nn/attention.ts'
import { ops, Tensor } from '../torch/index.ts'

/** One sequence of a step. */
export interface StepText {
  /** Blocks of its tokens; negative where they were given back. */
  blocks: readonly number[]
  /** Position of its first row, and how many rows there are. */
  start: number
  count: number
}

/** The one row of a text whose blocks follow each other: its keys are a part of the cache, and it sees all of them. */
interface Run {
  start: number
  length: number
}

/** Rows that are attended together. */
interface Group {
  /** Of the step: [n · T] places, or a range. */
  rows: Tensor
  sequences: number
  /** Where in the cache their tokens lie, [n · S]. */
  tokens: Tensor
  /** [n, 1, T, S], true = sees. */
  mask: Tensor
  /** [n, S, 1, 1], true where no row looks, and where anything may stand. */
  unseen: Tensor
}

/** What all layers of one window share in a step. */
export class ComposedStep {
  readonly #device: string
  readonly #window: number | null
  /** Where in the cache each row's token goes, [R]. */
  readonly #places: Tensor
  readonly #groups: Group[] = []
  readonly #run: Run | undefined

  constructor(texts: readonly StepText[], window: number | null, blockTokens: number, device: string) {
    this.#device = device
    this.#window = window
    const place = ({ blocks }: StepText, at: number): number =>
      Math.max(0, blocks[Math.floor(at / blockTokens)]!) * blockTokens + (at % blockTokens)
    this.#run = texts.length === 1 ? runOf(texts[0]!, window, blockTokens) : undefined
    const rowsOf = new Map<StepText, number[]>()
    const places: number[] = []
    for (const text of texts) {
      rowsOf.set(
        text,
        Array.from({ length: text.count }, (_, i) => places.length + i),
      )
      for (let i = 0; i < text.count; i++) places.push(place(text, text.start + i))
    }
    this.#places = this.#index(places)
    if (this.#run !== undefined) return
    const singles = texts.filter(({ count }) => count === 1)
    const groups = [
      ...(singles.length > 0 ? [singles] : []),
      ...texts.filter(({ count }) => count > 1).map((one) => [one]),
    ]
    this.#groups = groups.map((group) => {
      const width = Math.max(...group.map(({ start, count }) => start + count))
      const tokens = group.flatMap((text) =>
        Array.from({ length: width }, (_, at) => (at < text.start + text.count ? place(text, at) : 0)),
      )
      return {
        rows: this.#index(group.flatMap((text) => rowsOf.get(text)!)),
        sequences: group.length,
        tokens: this.#index(tokens),
        ...this.#visibility(group, width),
      }
    })
  }

  /** q [1, R, H, D], k and v [1, R, G, D]; keys and values [blocks, 16, G, D], which get k and v → [1, R, H·D]. */
  attend(q: Tensor, k: Tensor, v: Tensor, keys: Tensor, values: Tensor, how: AttendCached): Tensor {
    const { rotary, scale, softcap } = how
    const [heads = 1, dim = 1] = q.shape.slice(-2)
    const groups = k.size(-2)
    const turn = (x: Tensor): Tensor => (rotary === null ? x : ops.rope(x, rotary.cos, rotary.sin))
    const [query, key] = [turn(q).view(-1, heads, dim), turn(k).view(-1, groups, dim)]
    const [allKeys, allValues] = [keys.view(-1, groups, dim), values.view(-1, groups, dim)]
    ops.indexCopy_(allKeys, 0, this.#places, key.to(keys.dtype))
    ops.indexCopy_(allValues, 0, this.#places, v.reshape(-1, groups, dim).to(values.dtype))
    if (this.#run !== undefined) {
      const { start, length } = this.#run
      const part = (of: Tensor): Tensor =>
        of.narrow(0, start, length).view(1, length, groups, dim).transpose(1, 2).to(q.dtype)
      const options = { mask: 'all', scale, softcap, dropout: 0, generator: null } as const
      return attend(query.view(1, groups, -1, dim), part(allKeys), part(allValues), options).reshape(1, 1, -1)
    }
    const parts = this.#groups.map(({ rows, sequences: n, tokens, mask, unseen }) => {
      const read = (from: Tensor): Tensor => from.indexSelect(0, tokens).view(n, -1, groups, dim).to(q.dtype)
      const known = read(allKeys).transpose(1, 2) // [n, G, S, D]
      const wanted = ops.maskedFill(read(allValues), unseen, 0).transpose(1, 2)
      const options = { mask, scale, softcap, dropout: 0, generator: null }
      const asked = this.#groups.length === 1 ? query : query.indexSelect(0, rows)
      // The heads of a group are rows of one product where there is one row: no copy of keys for each of them.
      if (mask.size(2) === 1) return attend(asked.reshape(n, groups, -1, dim), known, wanted, options).reshape(n, -1)
      const turned = asked.view(n, -1, heads, dim).transpose(1, 2)
      return attend(turned, known, wanted, options)
        .transpose(1, 2)
        .reshape(-1, heads * dim)
    })
    if (parts.length === 1) return parts[0]!.unsqueeze(0)
    const y = ops.empty([query.size(0), heads * dim], q.dtype, null, this.#device)
    for (const [i, part] of parts.entries()) ops.indexCopy_(y, 0, this.#groups[i]!.rows, part)
    return y.unsqueeze(0)
  }

  #index(values: readonly number[]): Tensor {
    return Tensor.from(BigInt64Array.from(values, BigInt)).to(this.#device)
  }

  #visibility(group: readonly StepText[], width: number): Pick<Group, 'mask' | 'unseen'> {
    const { count } = group[0]!
    const window = this.#window ?? Number.POSITIVE_INFINITY
    const sees = new Uint8Array(group.length * count * width)
    const unseen = new Uint8Array(group.length * width).fill(1)
    for (const [i, { start }] of group.entries()) {
      for (let row = 0; row < count; row++) {
        const from = Math.max(0, start + row - window + 1)
        const base = (i * count + row) * width
        sees.fill(1, base + from, base + start + row + 1)
        unseen.fill(0, i * width + from, i * width + start + row + 1)
      }
    }
    const tensor = (values: Uint8Array, shape: number[]): Tensor => Tensor.from(values, shape, 'bool').to(this.#device)
    return {
      mask: tensor(sees, [group.length, 1, count, width]),
      unseen: tensor(unseen, [group.length, width, 1, 1]),
    }
  }
}

/** Where the keys of a text's one row lie, if they lie together. */
function runOf({ blocks, start, count }: StepText, window: number | null, blockTokens: number): Run | undefined {
  const first = window === null ? 0 : Math.max(0, start - window + 1)
  const own = blocks.slice(Math.floor(first / blockTokens), Math.floor(start / blockTokens) + 1)
  if (count !== 1 || own.some((block, i) => block !== own[0]! + i)) return undefined
  return { start: own[0]! * blockTokens + (first % blockTokens), length: start - first + 1 }
}
