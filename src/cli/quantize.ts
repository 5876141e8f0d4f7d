// `anneal quantize --model DIR --out DIR`: matrices in fewer bits, all alike or by what each layer can bear within a budget.
import { DEFAULTS, GRANULARITIES, OBJECTIVES, QUANTIZERS } from '../methods/quantize/choices.ts'
import { QUANT_FORMATS, type QuantFormat } from '../nn/quant/format.ts'
import { ALLOCATION_NAMES } from '../run/quantize/allocation-names.ts'
import { type Command, defineCommand } from './command.ts'
import { EDIT_OPTIONS, editOptions, JOURNAL_OPTION, LENGTH_OPTION, TEXT_OPTIONS } from './edit-options.ts'
import { followEdit } from './follow-edit.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

const { device, dtype, threads } = MODEL_OPTIONS

export const command: Command = defineCommand({
  summary: 'store the matrices of a model in 2, 3, 4 or 8 bits',
  options: {
    ...EDIT_OPTIONS,
    bits: {
      kind: 'choice',
      choices: ['2', '3', '4', '8', '16'],
      summary: 'the same for every matrix: nf2, nf3, nf4, int8, or 16 for no quantization',
    },
    format: { kind: 'choice', choices: QUANT_FORMATS, summary: 'the same, by name' },
    'budget-bits': {
      kind: 'number',
      value: 'B',
      summary: 'bits per weight on average, scales included: formats are then chosen (nf4 everywhere takes 4.5)',
      min: 0,
    },
    allocate: {
      kind: 'choice',
      choices: ALLOCATION_NAMES,
      summary: 'by one format, mutual information, measured loss, Fisher, or a search after measuring',
    },
    granularity: {
      kind: 'choice',
      choices: GRANULARITIES,
      default: DEFAULTS.granularity,
      summary: 'a format for each layer, or for each matrix',
    },
    choose: {
      kind: 'list',
      value: 'FORMAT',
      summary: 'formats to choose from; without it nf2, nf3, nf4, int8',
      library: 'formats',
    },
    quantizer: {
      kind: 'choice',
      choices: QUANTIZERS,
      summary: 'nearest levels, or errors made up for on the text (nf formats); gptq with --data, else rtn',
    },
    objective: {
      kind: 'choice',
      choices: OBJECTIVES,
      default: DEFAULTS.objective,
      summary: 'what is measured: divergence from the dense model, or loss on the text',
    },
    evaluations: {
      kind: 'integer',
      value: 'N',
      summary: 'assignments that bo measures at most',
      min: 1,
      default: DEFAULTS.evaluations,
    },
    ...TEXT_OPTIONS,
    device,
    dtype,
    threads,
    ...JOURNAL_OPTION,
    ...LENGTH_OPTION,
  },
  examples: [
    'quantize --model models/base --out models/4-bit --bits 4',
    'quantize --model models/base --out models/q --budget-bits 3.5 --allocate bo --data texts',
  ],
  run: async ({ options: { length, bits, choose, quantizer, ...options }, output }) => {
    const common = await editOptions(options, { name: 'length', value: length }, output)
    const { format, budgetBits, allocate, granularity, objective, evaluations, journal } = options
    const wanted = {
      ...common,
      ...{ format, budgetBits, allocate, granularity, objective, evaluations, journal },
      bits: bits && BITS[bits],
      formats: choose as QuantFormat[],
      ...(quantizer && { quantizer }),
    }
    const { runQuantize } = await import('../run/quantize/run-quantize.ts')
    return followEdit((signal) => runQuantize(wanted, { signal }), output)
  },
})

const BITS = { 2: 2, 3: 3, 4: 4, 8: 8, 16: 16 } as const
