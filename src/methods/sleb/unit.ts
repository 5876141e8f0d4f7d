// What can be removed: whole blocks, or attention and MLP apart.
import type { DecoderConfig } from '../../model/config.ts'
import { type BranchPlace, type Intervention, withoutBranches } from '../../probe/intervention.ts'
import type { Granularity } from './choices.ts'

/** What can be removed: a block, or one branch of it. */
export interface Unit {
  /** `block 3`, `attention 3` or `mlp 3`. */
  readonly name: string
  readonly block: number
  /** The branches that go with it. */
  readonly kinds: readonly BranchPlace['kind'][]
}

/** Blocks at both ends that are never removed. */
export interface Protection {
  first: number
  last: number
}

/** Everything that may be removed, bottom up. */
export function unitsOf({ layers }: DecoderConfig, granularity: Granularity, { first, last }: Protection): Unit[] {
  return layers.flatMap(({ attention, mlp }, block): Unit[] => {
    if (block < first || block >= layers.length - last) return []
    if (granularity === 'block') return [{ name: `block ${block}`, block, kinds: ['attention', 'mlp'] }]
    return [
      ...(attention === null ? [] : [{ name: `attention ${block}`, block, kinds: ['attention'] as const }]),
      ...(mlp === null ? [] : [{ name: `mlp ${block}`, block, kinds: ['mlp'] as const }]),
    ]
  })
}

/** Leaving `unit` out where `gone` is out already. Named after all that is out then, so that equal models share their cells. */
export function leavingOut(unit: Unit, gone: readonly Unit[]): Intervention {
  const places = unit.kinds.map((kind) => ({ block: unit.block, kind }))
  return withoutBranches(nameOf([...gone, unit]), places)
}

/** All units of a set, in an order that does not depend on the set's. */
export function nameOf(units: readonly Unit[]): string {
  const sorted = [...units].sort((a, b) => a.block - b.block || (a.name < b.name ? -1 : 1))
  return `without ${sorted.map(({ name }) => name).join(', ') || 'nothing'}`
}
