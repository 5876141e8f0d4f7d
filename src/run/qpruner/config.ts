// The configuration of `anneal qpruner`: a strict YAML file of its own. A mistake is a ConfigError with file, line and column.
import { z } from 'zod'
import { describeIssue } from '../../config/describe-issue.ts'
import { didYouMean } from '../../config/nearest.ts'
import { MAX_YAML_BYTES, type Place, readYaml, type YamlEntry } from '../../config/read-yaml.ts'
import { ConfigError, hasCode, InputError } from '../../errors.ts'
import { readBounded } from '../../files/bounded-read.ts'
import { count, path, paths } from '../../methods/fields.ts'
import { IMPORTANCES, type Importance, LAYOUTS, SCOPES } from '../../methods/prune/options.ts'
import {
  DEFAULT_FORMATS,
  type FormatGranularity,
  GRANULARITIES,
  OBJECTIVES,
  QUANTIZERS,
  type Quantizer,
  type QuantObjective,
} from '../../methods/quantize/choices.ts'
import { QUANT_FORMATS, type QuantFormat } from '../../nn/quant/format.ts'

/** Who gives formats at first; `bo` refines it in a stage of its own. */
const FIRST_ALLOCATIONS = ['uniform', 'mi', 'sensitivity', 'fisher'] as const

/** The section `prune`. */
export interface PruneSection {
  ratio: number
  importance: Importance
  scope: (typeof SCOPES)[number]
  layout: (typeof LAYOUTS)[number]
  align?: number | undefined
  protect_first?: number | undefined
  protect_last?: number | undefined
}

/** The section `quantize`. */
export interface QuantizeSection {
  budget_bits: number
  formats: QuantFormat[]
  granularity: FormatGranularity
  quantizer: Quantizer
  objective: QuantObjective
  allocate: (typeof FIRST_ALLOCATIONS)[number]
  /** Of the Bayesian optimisation; 0 leaves it out. */
  evaluations: number
}

/** The section `recover`. */
export interface RecoverSection {
  max_steps: number
  learning_rate: number
  lora_r: number
  lora_alpha?: number | undefined
  loftq_iterations: number
  max_length: number
  per_device_train_batch_size: number
  gradient_accumulation_steps: number
}

/** A run of QPruner: what is pruned, how bits are shared, how it recovers. */
export interface QprunerConfig {
  model_name_or_path: string
  dataset: string[]
  eval_dataset?: string[] | undefined
  text_column: string
  output_dir: string
  seed: number
  device: 'auto' | 'cpu' | 'cuda'
  threads?: number | undefined
  /** Windows of text to measure on. */
  calibration: { samples: number; max_length: number; batch_size: number }
  prune?: PruneSection | undefined
  quantize: QuantizeSection
  recover?: RecoverSection | undefined
}

const prune = z.strictObject({
  ratio: z.number().gt(0).lt(1),
  importance: z.enum(IMPORTANCES).default('taylor-element'),
  scope: z.enum(SCOPES).default('local'),
  layout: z.enum(LAYOUTS).default('aligned'),
  align: count.optional(),
  protect_first: z.int().min(0).optional(),
  protect_last: z.int().min(0).optional(),
})

const quantize = z.strictObject({
  budget_bits: z.number().positive(),
  formats: z
    .array(z.enum(QUANT_FORMATS))
    .min(1)
    .default([...DEFAULT_FORMATS]),
  granularity: z.enum(GRANULARITIES).default('layer'),
  quantizer: z.enum(QUANTIZERS).default('gptq'),
  objective: z.enum(OBJECTIVES).default('kl'),
  allocate: z.enum(FIRST_ALLOCATIONS).default('sensitivity'),
  evaluations: z.int().min(0).default(40),
})

const recover = z.strictObject({
  max_steps: count,
  learning_rate: z.number().positive().default(2e-4),
  lora_r: count.default(8),
  lora_alpha: z.number().positive().optional(),
  loftq_iterations: z.int().min(0).default(5),
  max_length: z.int().min(2).default(256),
  per_device_train_batch_size: count.default(8),
  gradient_accumulation_steps: count.default(1),
})

const schema = z.strictObject({
  model_name_or_path: path,
  dataset: paths,
  eval_dataset: paths.optional(),
  text_column: path.default('text'),
  output_dir: path,
  seed: z.int().min(0).default(0),
  device: z.enum(['auto', 'cpu', 'cuda']).default('auto'),
  threads: count.optional(),
  calibration: z
    .strictObject({ samples: count.default(32), max_length: z.int().min(2).default(512), batch_size: count.default(1) })
    .prefault({}),
  prune: prune.optional(),
  quantize,
  recover: recover.optional(),
})

/** Reads and checks a configuration file. */
export function readQprunerConfig(file: string): QprunerConfig {
  let text: string
  try {
    text = readBounded(file, MAX_YAML_BYTES).toString('utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR'))
      throw new InputError(`${file}: expected a configuration file, got nothing to read. Check the path`)
    throw error
  }
  return parseQprunerConfig(text, file)
}

/** Checks the text of a configuration; the first mistake in the file is the one that is said. */
export function parseQprunerConfig(text: string, file: string): QprunerConfig {
  const entries = new Map(readYaml(text, file).map((entry) => [entry.key, entry]))
  // `key:` with nothing after it is the same as leaving the line out.
  const given = [...entries].filter(([, { value }]) => value !== null)
  const input = Object.fromEntries(
    given.map(([key, { value }]) => [key, key === 'calibration' ? renamed(value) : value]),
  )
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => problemOf(issue, entries, input, file))
  const first = problems.reduce((a, b) => (b.place.order < a.place.order ? b : a))
  throw new ConfigError(first.message, first.place.text)
}

/** `length` is an old name of `max_length`. */
function renamed(calibration: unknown): unknown {
  if (typeof calibration !== 'object' || calibration === null || !('length' in calibration)) return calibration
  const { length, ...rest } = calibration
  return 'max_length' in rest ? calibration : { ...rest, max_length: length }
}

function problemOf(
  issue: z.core.$ZodIssue,
  entries: ReadonlyMap<string, YamlEntry>,
  input: unknown,
  file: string,
): { message: string; place: Place } {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0]! : undefined
  const where = unknown === undefined ? issue.path : [...issue.path, unknown]
  const [key, ...inside] = where
  const entry = entries.get(String(key))
  const place =
    entry === undefined
      ? { text: file, order: Number.POSITIVE_INFINITY }
      : inside.length === 0 && unknown !== undefined
        ? entry.keyPlace
        : entry.placeOf(inside)
  if (unknown !== undefined) {
    const known = issue.path.length === 0 ? Object.keys(schema.shape) : []
    return {
      message: `unknown key '${where.map(String).join('.')}'.${didYouMean(unknown, known)}`.replace(/\.$/, ''),
      place,
    }
  }
  const value = where.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown> | undefined)?.[step], input)
  return { message: `${where.map(String).join('.')}: ${describeIssue(issue, value)}`, place }
}
