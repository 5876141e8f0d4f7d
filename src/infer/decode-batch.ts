// Sequences that are decoded together: reads their prompts in chunks, then makes one token each per call of the model.
// Shorter prompts are padded on the left, which the model masks; a sequence that is done leaves the batch. A prefix that all texts share
// (a soft prompt's virtual tokens) is read as a part of each prompt.
// Shapes: B sequences, T tokens of one call, V vocabulary.

import type { Decoder, DecoderInput } from '../model/decoder.ts'
import { noGrad, ops, scope, Tensor } from '../torch/index.ts'
import { chunkLength } from './context.ts'
import { GrowingCache } from './kv-cache.ts'
import { notFinite } from './sample.ts'
import type { Sequence } from './sequence.ts'

/** Slots to allocate for new tokens at first: most continuations fit, and few waste much. */
const ROOM_FOR_NEW_TOKENS = 256

/** Call `advance` until `isDone`, and `free` in a `finally`. */
export class DecodeBatch {
  readonly #model: Decoder
  readonly #cache: GrowingCache
  readonly #prefix: readonly number[]
  /** Length of the longest prompt with the prefix; all sequences are padded to it. */
  readonly #promptLength: number
  #sequences: Sequence[]
  /** First real slot of each sequence; undefined when none is padded. */
  #starts: number[] | undefined

  constructor(model: Decoder, sequences: readonly Sequence[], prefix: readonly number[] = []) {
    this.#model = model
    this.#sequences = [...sequences]
    this.#prefix = prefix
    const longest = Math.max(...sequences.map(({ promptIds }) => promptIds.length))
    this.#promptLength = prefix.length + longest
    const starts = sequences.map(({ promptIds }) => longest - promptIds.length)
    this.#starts = starts.some((start) => start > 0) ? starts : undefined
    const limit = Math.max(...sequences.map((sequence) => sequence.limit))
    this.#cache = new GrowingCache(this.#promptLength + Math.min(limit, ROOM_FOR_NEW_TOKENS))
  }

  get isDone(): boolean {
    return this.#sequences.every(({ finishReason }) => finishReason !== undefined)
  }

  /** Reads the next part of the prompts, or makes one token for each sequence that goes on. */
  advance(): void {
    this.#dropFinished()
    const sequences = this.#sequences
    if (sequences.length === 0) return
    const offset = this.#cache.length
    const length = this.#promptLength
    if (offset >= length) {
      const ids = BigInt64Array.from(sequences, ({ lastId }) => BigInt(lastId))
      this.#run(ids, true)
      return
    }
    const count = chunkLength(this.#model.config, sequences.length, offset, length)
    const ids = new BigInt64Array(sequences.length * count) // padding keeps id 0, which nothing sees
    for (const [row, { promptIds }] of sequences.entries()) {
      const textStart = length - promptIds.length
      const start = textStart - this.#prefix.length
      for (let slot = Math.max(start, offset); slot < offset + count; slot++)
        ids[row * count + slot - offset] = BigInt(
          slot < textStart ? this.#prefix[slot - start]! : promptIds[slot - textStart]!,
        )
    }
    this.#run(ids, offset + count === length)
  }

  free(): void {
    this.#cache.free()
  }

  /** Feeds ids [B, T] row by row; `choosesToken`: the last of them are followed by a new token. */
  #run(ids: BigInt64Array, choosesToken: boolean): void {
    const rows = this.#sequences.length
    noGrad(() =>
      scope(() => {
        const count = ids.length / rows
        const input: DecoderInput = {
          inputIds: Tensor.from(ids, [rows, count]).to(this.#model.device),
          cache: this.#cache,
          ...(this.#starts !== undefined && { starts: this.#starts }),
        }
        const hidden = this.#model.hidden(input) // [B, T, D]
        if (!choosesToken) return
        const last = count === 1 ? hidden : hidden.narrow(1, count - 1, 1)
        this.#choose(this.#model.logits(last).view(rows, -1))
      }),
    )
  }

  /** Hands each sequence its next token, from logits [B, V]. */
  #choose(logits: Tensor): void {
    if (this.#sequences.every(({ sampler }) => sampler.isArgmax)) {
      const [values, indices] = ops.max(logits, 1) // [B]: the logits stay on their device
      const tops = values.data()
      const ids = indices.data()
      for (const [row, sequence] of this.#sequences.entries()) {
        if (!Number.isFinite(Number(tops[row]))) throw notFinite(Number(tops[row]))
        sequence.accept(Number(ids[row]))
      }
      return
    }
    const all = logits.data() as Float32Array
    const width = all.length / this.#sequences.length
    for (const [row, sequence] of this.#sequences.entries())
      sequence.accept(sequence.sampler.pick(all.subarray(row * width, (row + 1) * width)))
  }

  #dropFinished(): void {
    const goesOn = this.#sequences.map(({ finishReason }) => finishReason === undefined)
    if (!goesOn.includes(false)) return
    this.#sequences = this.#sequences.filter((_, row) => goesOn[row])
    this.#starts = this.#starts?.filter((_, row) => goesOn[row])
    const rows = goesOn.flatMap((stays, row) => (stays ? [BigInt(row)] : []))
    if (rows.length > 0)
      noGrad(() => scope(() => this.#cache.selectRows(Tensor.from(BigInt64Array.from(rows)).to(this.#model.device))))
  }
}
