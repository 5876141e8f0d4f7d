// Options that all commands share which make another model of a model. Data only, so that `--help` loads no engine.

import { UsageError } from '../errors.ts'
import type { EditOptions } from '../run/edit/edit-model.ts'
import { WINDOW_DEFAULTS as DEFAULTS } from '../run/edit/window-defaults.ts'
import type { OptionValues } from './command.ts'
import type { MODEL_OPTIONS } from './lm-options.ts'
import type { Output } from './output.ts'

/** What it is made of and where it goes. */
export const EDIT_OPTIONS = {
  model: {
    kind: 'text',
    value: 'MODEL',
    summary:
      'model directory (Hugging Face layout), .gguf file, adapter (PEFT layout), which is merged into its model, or a name on the hub: ORG/NAME[@revision]',
    required: true,
  },
  adapter: {
    kind: 'list',
    value: 'ADAPTER',
    summary: 'LoRA that is merged into it first (PEFT layout), or its name on the hub',
  },
  out: { kind: 'text', value: 'DIR', summary: 'folder of the new model, new or empty', required: true },
  overwrite: { kind: 'flag', summary: 'replace a model that is in --out; other files there stay' },
} as const

/** The text that it is looked at with, and where. */
export const TEXT_OPTIONS = {
  data: { kind: 'list', value: 'PATH', summary: 'text to measure on: files or folders' },
  'eval-data': { kind: 'list', value: 'PATH', summary: 'text for the evaluation; without it, other windows of --data' },
  samples: {
    kind: 'integer',
    value: 'N',
    summary: 'windows to measure on, and as many to evaluate',
    min: 1,
    default: DEFAULTS.samples as number,
  },
  'max-length': {
    kind: 'integer',
    value: 'T',
    summary: "tokens in a window; without it 512, or the model's context where that is shorter",
    min: 2,
  },
  'batch-size': {
    kind: 'integer',
    value: 'B',
    summary: 'windows at once',
    min: 1,
    default: DEFAULTS.batchSize as number,
  },
  'text-column': {
    kind: 'text',
    value: 'NAME',
    summary: 'field that holds the text of a row',
    default: DEFAULTS.textColumn as string,
  },
  seed: { kind: 'integer', value: 'S', summary: 'which windows are drawn', min: 0, default: DEFAULTS.seed as number },
} as const

/** Where measurements are kept, for methods that have some. */
export const JOURNAL_OPTION = {
  journal: {
    kind: 'text',
    value: 'FILE',
    summary: 'where measurements are kept until all is done; without it, beside --out',
  },
} as const

/** What `--max-length` was called before. */
export const LENGTH_OPTION = {
  length: { kind: 'integer', value: 'T', summary: 'an old name of --max-length', min: 2 },
} as const

type Place = Pick<typeof MODEL_OPTIONS, 'device' | 'dtype' | 'threads'>

type Values = OptionValues<typeof EDIT_OPTIONS & typeof TEXT_OPTIONS & Place>

/** The values as the library takes them. `old`: what `--max-length` was given by its old name. */
export async function editOptions(
  values: Values,
  old: { name: string; value: number | undefined },
  output: Output,
): Promise<EditOptions> {
  const { model, adapter, out, overwrite, data, evalData, samples, batchSize, textColumn, seed, device, dtype } = values
  if (old.value !== undefined) {
    if (values.maxLength !== undefined) throw new UsageError(`--${old.name}: expected --max-length alone, got both`)
    output.note(`notice: --${old.name} is called --max-length here`)
  }
  const { setThreads } = await import('../torch/index.ts')
  if (values.threads !== undefined) setThreads(values.threads)
  const maxLength = values.maxLength ?? old.value
  const text = { data, evalData, samples, maxLength, batchSize, textColumn, seed }
  return { model, adapter, out, overwrite, ...text, device, dtype }
}
