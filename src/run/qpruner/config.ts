// The configuration of `anneal qpruner`: keys of its own, read as those of training are.
import { z } from 'zod'
import { ALIASES, type Alias, WITHOUT_COUNTERPART } from '../../config/aliases.ts'
import { type ConfigKind, keysOf } from '../../config/kind.ts'
import { type Override, type OverrideSyntax, overridesOf } from '../../config/overrides.ts'
import type { GivenValues, ParsedConfig } from '../../config/parse.ts'
import { parseKind } from '../../config/parse-kind.ts'
import { count, path, paths, type Shape } from '../../methods/fields.ts'
import {
  IMPORTANCES,
  type Importance,
  LAYOUTS,
  DEFAULTS as PRUNE_DEFAULTS,
  SCOPES,
} from '../../methods/prune/options.ts'
import {
  type FormatGranularity,
  GRANULARITIES,
  impossibleBudget,
  OBJECTIVES,
  DEFAULTS as QUANTIZE_DEFAULTS,
  QUANTIZERS,
  type Quantizer,
  type QuantObjective,
} from '../../methods/quantize/choices.ts'
import { QUANT_FORMATS, type QuantFormat } from '../../nn/quant/format.ts'
import { WINDOW_DEFAULTS } from '../edit/window-defaults.ts'
import { ALLOCATION_NAMES, type AllocationName } from '../quantize/allocation-names.ts'

/** Who gives formats at first; `bo` refines it in a stage of its own. */
type FirstAllocation = Exclude<AllocationName, 'bo'>
const FIRST_ALLOCATIONS = ALLOCATION_NAMES.filter((name): name is FirstAllocation => name !== 'bo')

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
  allocate: FirstAllocation
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
  /** Of the weights; `auto` is f32 on a CPU, else what they are stored in. */
  dtype: 'auto' | 'f32' | 'bf16' | 'f16'
  threads?: number | undefined
  /** Windows of text to measure on. */
  calibration: { samples: number; max_length?: number | undefined; batch_size: number }
  prune?: PruneSection | undefined
  quantize: QuantizeSection
  recover?: RecoverSection | undefined
}

const prune = z.strictObject({
  ratio: z.number().gt(0).lt(1).describe('Share of the parameters of the blocks that goes.'),
  importance: z
    .enum(IMPORTANCES)
    .default(PRUNE_DEFAULTS.importance)
    .describe('How the worth of a neuron or head is judged.'),
  scope: z
    .enum(SCOPES)
    .default(PRUNE_DEFAULTS.scope)
    .describe('The same share in every layer, or all layers compete (layout: per-layer).'),
  layout: z
    .enum(LAYOUTS)
    .default(PRUNE_DEFAULTS.layout)
    .describe('aligned: all layers of one size, which any loader reads; per-layer: loads here.'),
  align: count.optional().describe('MLPs keep a multiple of this many neurons. Default: 64, with layout: per-layer 1.'),
  protect_first: z.int().min(0).optional().describe('Layers left whole. Default: per-layer 4 of 32, scaled; else 0.'),
  protect_last: z.int().min(0).optional().describe('Layers left whole. Default: per-layer 2 of 32, scaled; else 0.'),
})

const quantizeShape = z.strictObject({
  budget_bits: z
    .number()
    .positive()
    .describe('Bits per weight on average, scales included (nf4 everywhere takes 4.5).'),
  formats: z
    .array(z.enum(QUANT_FORMATS))
    .min(1)
    .default([...QUANTIZE_DEFAULTS.formats])
    .describe('Formats to choose from.'),
  granularity: z
    .enum(GRANULARITIES)
    .default(QUANTIZE_DEFAULTS.granularity)
    .describe('A format for each layer, or for each matrix.'),
  quantizer: z
    .enum(QUANTIZERS)
    .default(QUANTIZE_DEFAULTS.quantizer)
    .describe('Nearest levels, or errors made up for on the text (nf formats).'),
  objective: z
    .enum(OBJECTIVES)
    .default(QUANTIZE_DEFAULTS.objective)
    .describe('What is measured: divergence from the dense model, or loss on the text.'),
  allocate: z
    .enum(FIRST_ALLOCATIONS)
    .default(QUANTIZE_DEFAULTS.allocate)
    .describe('Who gives formats at first: one for all, mutual information, measured loss, or Fisher information.'),
  evaluations: z
    .int()
    .min(0)
    .default(QUANTIZE_DEFAULTS.evaluations)
    .describe('Assignments that the Bayesian optimisation measures at most; 0 leaves it out.'),
})

const quantize = quantizeShape.check(({ value: { budget_bits, formats }, issues }) => {
  const message = impossibleBudget(budget_bits, formats)
  if (message !== undefined) issues.push({ code: 'custom', message, input: budget_bits, path: ['budget_bits'] })
})

const recover = z.strictObject({
  max_steps: count.describe('Optimizer steps of LoRA on the quantized model.'),
  learning_rate: z.number().positive().default(2e-4).describe('Peak learning rate; it falls along a cosine.'),
  lora_r: count.default(8).describe('Rank of the adapter.'),
  lora_alpha: z
    .number()
    .positive()
    .optional()
    .describe('The update is scaled by lora_alpha / lora_r. Default: 2 lora_r.'),
  loftq_iterations: z
    .int()
    .min(0)
    .default(5)
    .describe('Rounds of LoftQ, which starts the adapter from what quantizing loses; 0 starts it from zero.'),
  max_length: z.int().min(2).default(256).describe('Tokens in a sequence.'),
  per_device_train_batch_size: count.default(8).describe('Sequences in one forward and backward pass.'),
  gradient_accumulation_steps: count.default(1).describe('Passes in one optimizer step.'),
})

const calibration = z.strictObject({
  samples: count.default(WINDOW_DEFAULTS.samples).describe('Windows of text to measure on, and as many to evaluate.'),
  max_length: z
    .int()
    .min(2)
    .optional()
    .describe(
      `Tokens in a window. Default: ${WINDOW_DEFAULTS.maxLength}, or the model's context where that is shorter.`,
    ),
  batch_size: count.default(WINDOW_DEFAULTS.batchSize).describe('Windows at once.'),
})

const shape: Shape<QprunerConfig> = {
  model_name_or_path: path.describe(
    'The model to make smaller: a directory (config.json and safetensors), a .gguf file, an adapter, which is merged into its model, or a name on the hub.',
  ),
  dataset: paths.describe('Text to measure on and to recover with: files or folders, or a dataset of the hub by name.'),
  eval_dataset: paths.optional().describe('Text for the evaluation. Default: other windows of dataset.'),
  text_column: path.default(WINDOW_DEFAULTS.textColumn).describe('Column or field that holds the text.'),
  output_dir: path.describe('Folder of the stages, the results and the report.'),
  seed: z.int().min(0).default(WINDOW_DEFAULTS.seed).describe('Which windows are drawn, and all other chance.'),
  device: z.enum(['auto', 'cpu', 'cuda']).default('auto').describe('auto is cuda where there is one.'),
  dtype: z
    .enum(['auto', 'f32', 'bf16', 'f16'])
    .default('auto')
    .describe('Type of the weights; auto is f32 on a CPU and the stored type on cuda.'),
  threads: count.optional().describe('CPU threads. Default: one per core that this process may use.'),
  calibration: calibration.prefault({}),
  prune: prune.optional(),
  quantize,
  recover: recover.optional(),
}

const { fields, sections } = keysOf(shape)

/** Names of other trainers, as in training: at the top for the keys that are there, and in `recover` for those of its training. */
function aliases(): Record<string, Alias> {
  const own = Object.entries(ALIASES).flatMap(([name, alias]): [string, Alias][] => {
    if (Object.hasOwn(fields, alias.to)) return [[name, alias]]
    const to = `recover.${alias.to}`
    return !name.includes('.') && Object.hasOwn(fields, to) ? [[`recover.${name}`, { ...alias, to }]] : []
  })
  return {
    ...Object.fromEntries(own),
    torch_dtype: { to: 'dtype', from: 'Transformers' },
    'calibration.length': { to: 'calibration.max_length', from: 'older Anneal' },
  }
}

/** Keys, names and rules of `anneal qpruner`. */
export const qprunerKind: ConfigKind<QprunerConfig> = {
  title: 'Anneal QPruner configuration',
  schema: z.strictObject(shape) as unknown as z.ZodType<QprunerConfig>,
  fields,
  sections,
  aliases: aliases(),
  withoutCounterpart: {
    bf16: 'Use dtype: bf16',
    fp16: 'Use dtype: f16',
    // What training says of the others names keys of training.
    ...Object.fromEntries(
      Object.entries(WITHOUT_COUNTERPART).filter(([, advice]) => advice.startsWith('Leave it out')),
    ),
  },
  schemaCommand: 'anneal schema qpruner',
  alternatives: [],
  groups: {
    model_name_or_path: 'What is made smaller, and with which text',
    'calibration.samples': 'Windows to measure on',
    'prune.ratio': 'Pruning (left out without the section, and by --no-prune)',
    'quantize.budget_bits': 'Quantization',
    'recover.max_steps': 'Recovery by LoRA (left out without the section, and by --no-recover)',
  },
}

/** Lets a command take every key of it. */
export const qprunerOverrides: OverrideSyntax = overridesOf(qprunerKind)

/** What a program gives of it; the rest are defaults. */
export type QprunerConfigValues = Partial<
  Omit<QprunerConfig, 'dataset' | 'eval_dataset' | 'calibration' | 'prune' | 'quantize' | 'recover'>
> & {
  dataset?: string | readonly string[]
  eval_dataset?: string | readonly string[] | undefined
  calibration?: Partial<QprunerConfig['calibration']>
  prune?: Partial<PruneSection> | undefined
  quantize?: Partial<QuantizeSection>
  recover?: Partial<RecoverSection> | undefined
}

/**
 * Parses a configuration of `runQpruner`, as `parseConfig` does one of training: `text` is YAML, given values win over it and overrides
 * over both. Throws ConfigError.
 */
export function parseQprunerConfig(
  text: string | undefined,
  file: string,
  overrides: readonly Override[] = [],
  given?: GivenValues<QprunerConfigValues>,
): ParsedConfig<QprunerConfig, string> {
  const { checked, ...more } = parseKind(qprunerKind, { text, file, overrides, given })
  return { config: checked, ...more }
}

/**
 * A checked configuration of `runQpruner` from values, with the defaults filled in. Throws ConfigError.
 *
 * @example
 * const config = qprunerConfig({ model_name_or_path: 'models/base', dataset: 'texts', output_dir: 'runs/q', quantize: { budget_bits: 3.5 } })
 */
export function qprunerConfig(values: QprunerConfigValues, origin = 'configuration'): QprunerConfig {
  return parseQprunerConfig(undefined, origin, [], { values, origin }).config
}
