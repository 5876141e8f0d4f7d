// The description of a model without some units, and where each of its parameters was before. A block that has nothing left goes as a
// whole and those above move down; one that has something left stays, with its missing branch in `per_layer_config`.
import type { DecoderConfig } from '../../model/config.ts'
import type { JsonObject } from '../../model/config-fields.ts'
import { modelParameters } from '../../model/hf-names.ts'
import type { Unit } from './unit.ts'

export interface Elimination {
  config: DecoderConfig
  /** Index of each block that stays, as it was. */
  kept: number[]
  /** The path that a parameter of the smaller model had before. */
  pathBefore: (path: string) => string
  /** The path that a parameter has now; null where it is gone. */
  pathAfter: (path: string) => string | null
}

export function eliminatedConfig(before: DecoderConfig, removed: readonly Unit[]): Elimination {
  const isGone = (block: number, kind: 'attention' | 'mlp'): boolean =>
    removed.some((unit) => unit.block === block && unit.kinds.includes(kind))
  const layers = before.layers.map(({ attention, mlp }, block) => ({
    attention: isGone(block, 'attention') ? null : attention,
    mlp: isGone(block, 'mlp') ? null : mlp,
  }))
  const kept = [...layers.keys()].filter((block) => layers[block]!.attention !== null || layers[block]!.mlp !== null)
  const config = { ...before, layers: kept.map((block) => layers[block]!) }
  const paths = new Set(modelParameters(config).map(({ path }) => path))
  const renumbered = (path: string, number: (block: number) => number | undefined): string =>
    path.replace(/^(model\.layers\.)(\d+)/, (_, list, block) => `${list}${number(Number(block))}`)
  const pathAfter = (path: string): string | null => {
    const after = renumbered(path, (block) => kept.indexOf(block))
    return paths.has(after) ? after : null
  }
  return {
    config: { ...config, raw: withQuantizedModules(before.raw, pathAfter) },
    kept,
    pathBefore: (path) => renumbered(path, (block) => kept[block]),
    pathAfter,
  }
}

/** config.json lists quantized matrices by their paths. */
function withQuantizedModules(raw: JsonObject, pathAfter: (path: string) => string | null): JsonObject {
  const section = raw.quantization_config as { modules?: JsonObject } | null | undefined
  if (!section?.modules) return raw
  const modules = Object.entries(section.modules).flatMap(([path, spec]) => {
    const after = path === 'lm_head' ? 'lm_head.weight' : pathAfter(`${path}.weight`)
    return after === null ? [] : [[after.slice(0, -'.weight'.length), spec]]
  })
  return { ...raw, quantization_config: { ...section, modules: Object.fromEntries(modules) } }
}
