// YAML and command-line overrides → a checked training configuration that knows where each value came from.

import type { Override } from './overrides.ts'
import { parseKind } from './parse-kind.ts'
import { type ConfigKey, completeDefaults, type TrainConfig, type TrainConfigValues } from './schema.ts'
import { trainKind } from './train-kind.ts'

/** A configuration with what its reader should be told. */
export interface ParsedConfig<Config = TrainConfig, Key extends string = ConfigKey> {
  config: Config
  /** One line each, for people: aliases that were renamed, values that an override pushed out. */
  notices: string[]
  /** Where each value came from: `file:line:column`, `--flag` or `default`. */
  origins: Record<Key, string>
}

/** Values of a program, as the schema takes them; `origin` says in messages where they come from. */
export interface GivenValues<Values = TrainConfigValues> {
  values: Values
  origin: string
}

/**
 * Parses a training configuration. `text` is YAML, or undefined for a run from overrides or given values alone; `file` names it in
 * messages. Given values win over the file, overrides over both. Throws ConfigError with the place of the first problem and the names of the others.
 */
export function parseConfig(
  text: string | undefined,
  file: string,
  overrides: readonly Override[] = [],
  given?: GivenValues,
): ParsedConfig {
  const { checked, notices, origins } = parseKind(trainKind, { text, file, overrides, given })
  return { config: completeDefaults(checked), notices, origins }
}

/**
 * A checked training configuration from values, with the defaults filled in. Throws ConfigError.
 *
 * @example
 * const config = trainConfig({ stage: 'sft', model_name_or_path: 'models/base', dataset: 'chats.jsonl', output_dir: 'runs/chats' })
 */
export function trainConfig(values: TrainConfigValues, origin = 'configuration'): TrainConfig {
  return parseConfig(undefined, origin, [], { values, origin }).config
}
