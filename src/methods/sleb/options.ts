// The options of SLEB, their defaults, and what is refused before any work.
import { UnsupportedError, UsageError } from '../../errors.ts'
import type { DecoderConfig } from '../../model/config.ts'
import { writeModelConfig } from '../../model/config-write.ts'
import { DEFAULTS, type Granularity, type LossKind, type Refinement, type SearchKind } from './choices.ts'
import { eliminatedConfig } from './eliminated-config.ts'
import { type Unit, unitsOf } from './unit.ts'

/** How many blocks to remove, and how they are found. */
export interface SlebOptions {
  /** Units to remove; 0 leaves the model as it is. */
  remove: number
  granularity?: Granularity
  search?: SearchKind
  metric?: LossKind
  /** Blocks at the beginning and at the end that stay. Default 1 and 1. */
  protectFirst?: number
  protectLast?: number
  /** `swap` then exchanges removed units for kept ones while that lowers the loss. Default `none`. */
  refine?: Refinement
  /** Gives candidates up as soon as they cannot win. The answer is the same. Default true. */
  racing?: boolean
}

/** The options of a search with every default filled in. */
export type ResolvedOptions = Required<SlebOptions>

/** Fills in defaults; UsageError for what cannot be removed, UnsupportedError where config.json cannot say what is left. */
export function resolveOptions(config: DecoderConfig, options: SlebOptions): ResolvedOptions & { units: Unit[] } {
  const resolved: ResolvedOptions = { ...DEFAULTS, ...options }
  const { remove, granularity, protectFirst, protectLast } = resolved
  const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0
  for (const [name, value] of Object.entries({ remove, protectFirst, protectLast }))
    if (!isCount(value)) throw new UsageError(`${name}: expected an integer ≥ 0, got ${value}`)
  const units = unitsOf(config, granularity, { first: protectFirst, last: protectLast })
  const what = granularity === 'block' ? 'blocks' : 'sub-layers'
  if (remove > units.length) {
    throw new UsageError(
      `remove: expected at most the ${units.length} ${what} that are not protected, got ${remove}. ` +
        `The model has ${config.layers.length} blocks, of which the first ${protectFirst} and the last ${protectLast} stay`,
    )
  }
  if (remove > 0 && remove === units.length && protectFirst + protectLast === 0)
    throw new UsageError(`remove: expected something to stay, got all ${remove} ${what}`)
  if (remove > 0) checkExpressible(config, units)
  return { ...resolved, units }
}

/** Before hours of searching: can the result be saved? */
function checkExpressible(config: DecoderConfig, units: readonly Unit[]): void {
  for (const unit of units) {
    try {
      writeModelConfig(eliminatedConfig(config, [unit]).config)
    } catch (cause) {
      if (!(cause instanceof UnsupportedError)) throw cause
      throw new UnsupportedError(
        `sleb: expected a model whose layers do not depend on their number, got one that config.json cannot describe without ${unit.name}: ${cause.message}`,
        { cause },
      )
    }
  }
}
