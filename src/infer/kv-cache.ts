// Keys and values of every layer, in buffers that double when full.
import type { KeyValueCache } from '../nn/attention.ts'
import { ops, type Tensor } from '../torch/index.ts'

interface LayerBuffers {
  key: Tensor
  value: Tensor
  slots: number
  filled: number
}

/** A growing cache; `free()` it when the sequence is done. */
export class GrowingCache implements KeyValueCache {
  /** By position of the block; blocks without attention have none. */
  private readonly layers = new Map<number, LayerBuffers>()
  private readonly capacity: number

  /** `capacity`: slots to allocate at first. */
  constructor(capacity = 256) {
    this.capacity = capacity
  }

  get length(): number {
    // The least filled: a pass that failed half-way leaves the first layers ahead of the rest.
    let length = Number.POSITIVE_INFINITY
    for (const { filled } of this.layers.values()) length = Math.min(length, filled)
    return this.layers.size === 0 ? 0 : length
  }

  append(layer: number, key: Tensor, value: Tensor): { key: Tensor; value: Tensor } {
    const count = key.shape[2]!
    const buffers = this.room(layer, count, key, value)
    buffers.key.narrow(2, buffers.filled, count).copy_(key)
    buffers.value.narrow(2, buffers.filled, count).copy_(value)
    buffers.filled += count
    return { key: buffers.key.narrow(2, 0, buffers.filled), value: buffers.value.narrow(2, 0, buffers.filled) }
  }

  /** Keeps the first `length` slots only, as when a continuation is thrown away. */
  truncate(length: number): void {
    for (const buffers of this.layers.values()) buffers.filled = Math.min(buffers.filled, length)
  }

  /** Keeps the rows `indices` of the batch, in that order. */
  selectRows(indices: Tensor): void {
    for (const buffers of this.layers.values()) {
      for (const name of ['key', 'value'] as const) {
        const kept = buffers[name].indexSelect(0, indices).keep()
        buffers[name].free()
        buffers[name] = kept
      }
    }
  }

  free(): void {
    for (const { key, value } of this.layers.values()) {
      key.free()
      value.free()
    }
    this.layers.clear()
  }

  private room(layer: number, count: number, key: Tensor, value: Tensor): LayerBuffers {
    const known = this.layers.get(layer)
    const filled = known?.filled ?? 0
    if (known !== undefined && filled + count <= known.slots) return known
    const slots = Math.max(this.capacity, 2 * (known?.slots ?? 0), filled + count)
    const make = (old: Tensor | undefined, like: Tensor): Tensor => {
      const [rows = 1, heads = 1, , dim = 1] = like.shape
      const buffer = ops.empty([rows, heads, slots, dim], like.dtype, null, like.device).keep()
      if (old !== undefined) buffer.narrow(2, 0, filled).copy_(old.narrow(2, 0, filled))
      old?.free()
      return buffer
    }
    const grown = { key: make(known?.key, key), value: make(known?.value, value), slots, filled }
    this.layers.set(layer, grown)
    return grown
  }
}
