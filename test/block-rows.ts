import type { Decoder } from '../src/model/decoder.ts'

/** Rows (tokens) that each block of a decoder computes while `work` runs. */
export async function blockRows<T>(decoder: Decoder, work: () => Promise<T>): Promise<{ value: T; rows: number[] }> {
  const { layers } = decoder.model
  const rows = layers.map(() => 0)
  for (const [i, block] of layers.entries()) {
    const forward = Object.getPrototypeOf(block).forward as (typeof block)['forward']
    block.forward = (x, at, call) => {
      rows[i]! += x.shape[1]!
      return forward.call(block, x, at, call)
    }
  }
  try {
    return { value: await work(), rows }
  } finally {
    for (const block of layers) delete (block as Partial<typeof block>).forward
  }
}
