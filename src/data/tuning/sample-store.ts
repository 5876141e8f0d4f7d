// Samples in memory: five bytes a token, whatever their number. A label is its token's id or −100, so one byte tells it.

import { UsageError } from '../../errors.ts'
import { IGNORE_INDEX } from '../batch.ts'
import type { Dataset, Sample } from '../sample.ts'

/** A list of samples that grows. Samples come back as they were added; packed ones (`starts`) are not for here. */
export class SampleStore implements Dataset<Sample> {
  private ids = new Int32Array(1 << 16)
  private isLearnt = new Uint8Array(1 << 16)
  private readonly ends: number[] = []

  get length(): number {
    return this.ends.length
  }

  /** Tokens of all samples. */
  get tokens(): number {
    return this.ends.at(-1) ?? 0
  }

  add({ ids, labels }: Sample): void {
    const start = this.tokens
    const end = start + ids.length
    if (end > this.ids.length) this.grow(end)
    this.ids.set(ids, start)
    for (let i = 0; i < labels.length; i++) this.isLearnt[start + i] = labels[i] === IGNORE_INDEX ? 0 : 1
    this.ends.push(end)
  }

  get(index: number): Sample {
    const end = this.ends[index]
    if (end === undefined) throw new UsageError(`sample: expected an index from 0 to ${this.length - 1}, got ${index}`)
    const start = index === 0 ? 0 : this.ends[index - 1]!
    const ids = this.ids.slice(start, end)
    const labels = ids.map((id, i) => (this.isLearnt[start + i] === 1 ? id : IGNORE_INDEX))
    return { ids, labels }
  }

  private grow(needed: number): void {
    const size = Math.max(needed, 2 * this.ids.length)
    const ids = new Int32Array(size)
    const isLearnt = new Uint8Array(size)
    ids.set(this.ids)
    isLearnt.set(this.isLearnt)
    this.ids = ids
    this.isLearnt = isLearnt
  }
}
