// The same removal as a mergekit configuration, so that others can replay it on their own copy of the model. Whole blocks only: mergekit
// has no way to say that a block lost one of its branches.
import { stringify } from 'yaml'
import type { DecoderConfig } from '../../model/config.ts'
import type { Elimination } from './eliminated-config.ts'

export const MERGEKIT_FILE = 'mergekit.yaml'

/** The YAML text; null where a block keeps one branch. `model` is a directory or a Hub name. */
export function mergekitRecipe(before: DecoderConfig, { config, kept }: Elimination, model: string): string | null {
  const isWhole = kept.every((block, i) => {
    const [old, now] = [before.layers[block]!, config.layers[i]!]
    return (old.attention === null) === (now.attention === null) && (old.mlp === null) === (now.mlp === null)
  })
  if (!isWhole) return null
  const ranges: [number, number][] = []
  for (const block of kept) {
    const last = ranges.at(-1)
    if (last?.[1] === block) last[1]++
    else ranges.push([block, block + 1])
  }
  return stringify({
    merge_method: 'passthrough',
    slices: ranges.map((range) => ({ sources: [{ model, layer_range: range }] })),
    dtype: config.dtype ?? 'float32',
  })
}
