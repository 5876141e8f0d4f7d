// Configuration → the rules that surround each training step.

import type { TrainConfig } from '../../config/schema.ts'
import { type DropBpOptions, dropbp } from '../../methods/dropbp/dropbp.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { Rule } from '../../train/rule.ts'

/** The rules of the methods that are switched on, on `model`. */
export function rulesOf(config: TrainConfig, model: Decoder): Rule[] {
  return config.dropbp === undefined ? [] : [dropbp(dropBpOptions(config, config.dropbp))(model)]
}

/** Branch costs are compared at the length that is trained. */
function dropBpOptions(
  { max_length }: TrainConfig,
  { sensitivity_at, refresh_every, sequence_length = max_length, ...rest }: NonNullable<TrainConfig['dropbp']>,
): DropBpOptions {
  const given = Object.entries({ ...rest, sensitivityAt: sensitivity_at, refreshEvery: refresh_every })
  const options = Object.fromEntries(given.filter(([, value]) => value !== undefined))
  return { ...options, rate: rest.rate, sequenceLength: sequence_length }
}
