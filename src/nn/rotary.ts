// Cosine and sine tables for rotary position embedding (arXiv:2104.09864), made once per kind of rope and length.
import { ops, Tensor } from '../torch/index.ts'
import { type RopeConfig, ropeFrequencies, ropeLengthClass } from './rope-frequencies.ts'

/** cos and sin [length, R] (or [B, T, R] after gathering positions), f32. */
export interface RotaryTable {
  cos: Tensor
  sin: Tensor
}

/** Tables for all the ropes of a model, grown as longer sequences come. Owned by the model; freed with it. */
export class RotaryTables {
  private readonly tables = new Map<
    string,
    { lengthClass: number; length: number; device: string; table: RotaryTable }
  >()
  private readonly names = new Map<RopeConfig, string>()

  /** Rows 0 … length − 1. `sequenceLength` decides the frequencies of length-dependent ropes. */
  rows(rope: RopeConfig, length: number, sequenceLength: number, device: string): RotaryTable {
    const lengthClass = ropeLengthClass(rope, sequenceLength)
    const name = this.nameOf(rope)
    const known = this.tables.get(name)
    if (known !== undefined && known.lengthClass === lengthClass && known.length >= length && known.device === device)
      return known.table
    known?.table.cos.free()
    known?.table.sin.free()
    // Doubling pays while the frequencies stay; a rope that changes with the length is built to measure each time.
    const grown = known?.lengthClass === lengthClass ? Math.max(length, 2 * known.length) : length
    const table = build(rope, grown, sequenceLength, device)
    this.tables.set(name, { lengthClass, length: grown, device, table })
    return table
  }

  /** Layers with equal settings share one table. */
  nameOf(rope: RopeConfig): string {
    const name = this.names.get(rope) ?? JSON.stringify(rope)
    this.names.set(rope, name)
    return name
  }

  free(): void {
    for (const { table } of this.tables.values()) {
      table.cos.free()
      table.sin.free()
    }
    this.tables.clear()
  }
}

function build(rope: RopeConfig, length: number, sequenceLength: number, device: string): RotaryTable {
  const { inverseFrequencies, attentionFactor } = ropeFrequencies(rope, sequenceLength)
  // Angles are rounded to f32 before cos and sin, as in Transformers.
  const angles = new Float32Array(length * inverseFrequencies.length)
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < inverseFrequencies.length; i++)
      angles[position * inverseFrequencies.length + i] = position * inverseFrequencies[i]!
  }
  const tensor = Tensor.from(angles, [length, inverseFrequencies.length]).to(device)
  const cos = ops.cos(tensor).mul_(attentionFactor).keep()
  const sin = ops.sin(tensor).mul_(attentionFactor).keep()
  return { cos, sin }
}
