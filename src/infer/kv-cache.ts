// Keys and values of every layer, in buffers that double when full.
import type { KeyValueCache } from '../nn/attention.ts'
import { ops, type Tensor } from '../torch/index.ts'

interface LayerBuffers {
  key: Tensor
  value: Tensor
  filled: number
}

/** A growing cache; `free()` it when the sequence is done. */
export class GrowingCache implements KeyValueCache {
  private readonly layers: LayerBuffers[] = []
  private readonly capacity: number

  /** `capacity`: slots to allocate at first. */
  constructor(capacity = 256) {
    this.capacity = capacity
  }

  get length(): number {
    return this.layers.at(-1)?.filled ?? 0
  }

  append(layer: number, key: Tensor, value: Tensor): { key: Tensor; value: Tensor } {
    const [rows = 1, heads = 1, count = 0, dim = 1] = key.shape
    const buffers = this.room(layer, [rows, heads, count, dim], key)
    buffers.key.narrow(2, buffers.filled, count).copy_(key)
    buffers.value.narrow(2, buffers.filled, count).copy_(value)
    buffers.filled += count
    return { key: buffers.key.narrow(2, 0, buffers.filled), value: buffers.value.narrow(2, 0, buffers.filled) }
  }

  /** Keeps the first `length` slots only, as when a continuation is thrown away. */
  truncate(length: number): void {
    for (const buffers of this.layers) buffers.filled = Math.min(buffers.filled, length)
  }

  /** Keeps the rows `indices` of the batch, in that order. */
  selectRows(indices: Tensor): void {
    for (const buffers of this.layers) {
      for (const name of ['key', 'value'] as const) {
        const kept = buffers[name].indexSelect(0, indices).keep()
        buffers[name].free()
        buffers[name] = kept
      }
    }
  }

  free(): void {
    for (const { key, value } of this.layers) {
      key.free()
      value.free()
    }
    this.layers.length = 0
  }

  private room(layer: number, [rows, heads, count, dim]: [number, number, number, number], like: Tensor): LayerBuffers {
    const known = this.layers[layer]
    const slots = known?.key.size(2) ?? 0
    if (known !== undefined && known.filled + count <= slots) return known
    const wanted = Math.max(this.capacity, 2 * slots, (known?.filled ?? 0) + count)
    const make = (old: Tensor | undefined): Tensor => {
      const buffer = ops.empty([rows, heads, wanted, dim], like.dtype, null, like.device).keep()
      if (old !== undefined) buffer.narrow(2, 0, known!.filled).copy_(old.narrow(2, 0, known!.filled))
      old?.free()
      return buffer
    }
    const grown = { key: make(known?.key), value: make(known?.value), filled: known?.filled ?? 0 }
    this.layers[layer] = grown
    return grown
  }
}
