// The configuration keys of the methods, in one shape, and where each belongs. To add a method's keys: write `keys.ts` in its folder and
// list it here.

import { checkPreferenceKeys, type PreferenceKeys, preferenceDefaults, preferenceKeys } from './dpo/keys.ts'
import { type DropBpKeys, dropbpKeys } from './dropbp/keys.ts'
import type { Complain, Shape } from './fields.ts'
import { type FreezeKeys, freezeDefaults, freezeKeys } from './freeze/keys.ts'
import { checkLoraKeys, type LoraKeys, loraKeyDefaults, loraKeys } from './lora/keys.ts'
import { checkPromptKeys, type PromptKeys, promptDefaults, promptKeys } from './prompt-tuning/keys.ts'

/** Every key of a method. */
export type MethodKeys = PreferenceKeys & LoraKeys & DropBpKeys & PromptKeys & FreezeKeys

/** The schemas, in the order in which a resolved configuration is written. */
export const methodKeys: Shape<MethodKeys> = {
  ...preferenceKeys,
  ...loraKeys,
  ...dropbpKeys,
  ...promptKeys,
  ...freezeKeys,
}

/** The keys that say what kind of run it is. */
export interface RunKind {
  stage: string
  finetuning: string
}

/** Keys that count only with some values of `stage` or `finetuning`: their defaults there, and what must hold between them. */
interface MethodPlace {
  readonly keys: readonly (keyof MethodKeys)[]
  readonly place: keyof RunKind
  readonly values: readonly string[]
  defaults(config: MethodKeys & RunKind): Partial<MethodKeys>
  check?(config: MethodKeys & RunKind, complain: Complain<keyof MethodKeys>): void
}

const namesOf = (shape: object): (keyof MethodKeys)[] => Object.keys(shape) as (keyof MethodKeys)[]

/** What belongs to a stage or to a kind of fine-tuning; a key that is not here goes with all of them. */
export const METHOD_PLACES: readonly MethodPlace[] = [
  {
    keys: namesOf(preferenceKeys),
    place: 'stage',
    values: ['dpo'],
    defaults: preferenceDefaults,
    check: checkPreferenceKeys,
  },
  {
    keys: namesOf(loraKeys),
    place: 'finetuning',
    values: ['lora', 'dora'],
    defaults: loraKeyDefaults,
    check: checkLoraKeys,
  },
  {
    keys: namesOf(promptKeys),
    place: 'finetuning',
    values: ['prompt'],
    defaults: promptDefaults,
    check: checkPromptKeys,
  },
  { keys: namesOf(freezeKeys), place: 'finetuning', values: ['freeze'], defaults: freezeDefaults },
]

/** Defaults of the methods that the run has; keys that it does not use stay open, so that what is written can be read again. */
export function methodDefaults(config: MethodKeys & RunKind): Partial<MethodKeys> {
  const parts = METHOD_PLACES.filter(({ place, values }) => values.includes(config[place]))
  return Object.assign({}, ...parts.map(({ defaults }) => defaults(config)))
}

/** Complains of keys that contradict each other in the methods that the run has. */
export function checkMethodKeys(config: MethodKeys & RunKind, complain: Complain<keyof MethodKeys>): void {
  for (const { place, values, check } of METHOD_PLACES) if (values.includes(config[place])) check?.(config, complain)
}
