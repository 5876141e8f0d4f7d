// What is given a format as a whole: all matrices of a layer, as in the paper, or every matrix for itself.
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { Linear } from '../../nn/linear.ts'
import type { FormatGranularity } from './choices.ts'

/** Matrices that share a format. */
export interface FormatUnit {
  /** Such as `layer 3`, or the matrix's path. */
  readonly name: string
  /** Index of the block it lies in. */
  readonly block: number
  /** Paths such as `model.layers.3.self_attn.q_proj`. */
  readonly paths: readonly string[]
}

/** The weight matrices of the model's blocks, from the bottom up; embedding and head are not among them. */
export function quantUnits(model: Decoder, granularity: FormatGranularity): FormatUnit[] {
  const units = model.model.layers.flatMap((layer, block): FormatUnit[] => {
    const prefix = `model.layers.${block}`
    const paths = [...layer.walk(prefix)].filter(([, part]) => part instanceof Linear).map(([path]) => path)
    if (paths.length === 0) return []
    if (granularity === 'layer') return [{ name: `layer ${block}`, block, paths }]
    return paths.map((path) => ({ name: path, block, paths: [path] }))
  })
  if (units.length === 0)
    throw new UsageError('model: expected matrices to quantize, got none that are dense. Is it quantized already?')
  return units
}

/** The dense matrix at `path`. */
export function linearAt(model: Decoder, path: string): Linear {
  return model.get(path) as Linear
}
