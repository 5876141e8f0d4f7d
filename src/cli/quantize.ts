// `anneal quantize --model DIR --out DIR`: matrices in fewer bits, all alike or by what each layer can bear within a budget.
import { ALLOCATIONS, GRANULARITIES, OBJECTIVES, QUANTIZERS } from '../methods/quantize/choices.ts'
import { QUANT_FORMATS } from '../nn/quant/format.ts'
import { type Command, defineCommand } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

export const command: Command = defineCommand({
  summary: 'store the matrices of a model in 2, 3, 4 or 8 bits',
  options: {
    model: MODEL_OPTIONS.model,
    out: { kind: 'text', value: 'DIR', summary: 'folder of the quantized model', required: true },
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
      choices: [...ALLOCATIONS, 'mi'],
      summary: 'by one format, mutual information, measured loss, Fisher, or a search after measuring',
    },
    granularity: {
      kind: 'choice',
      choices: GRANULARITIES,
      default: 'layer',
      summary: 'a format for each layer, or for each matrix',
    },
    choose: { kind: 'list', value: 'FORMAT', summary: 'formats to choose from; without it nf2, nf3, nf4, int8' },
    quantizer: {
      kind: 'choice',
      choices: QUANTIZERS,
      summary: 'nearest levels, or errors made up for on the text (nf formats); gptq with --data, else rtn',
    },
    objective: {
      kind: 'choice',
      choices: OBJECTIVES,
      default: 'kl',
      summary: 'what is measured: divergence from the dense model, or loss on the text',
    },
    evaluations: { kind: 'integer', value: 'N', summary: 'assignments that bo measures at most', min: 1, default: 40 },
    data: { kind: 'list', value: 'PATH', summary: 'text to measure on: files or folders' },
    'eval-data': {
      kind: 'list',
      value: 'PATH',
      summary: 'text for the perplexity; without it, other windows of --data',
    },
    samples: {
      kind: 'integer',
      value: 'N',
      summary: 'windows to measure on, and as many to evaluate',
      min: 1,
      default: 32,
    },
    length: { kind: 'integer', value: 'T', summary: 'tokens in a window', min: 2, default: 256 },
    'batch-size': { kind: 'integer', value: 'B', summary: 'windows at once', min: 1, default: 4 },
    'text-column': { kind: 'text', value: 'NAME', summary: 'field that holds the text of a row', default: 'text' },
    seed: { kind: 'integer', value: 'S', summary: 'which windows are drawn, and what bo tries', min: 0, default: 0 },
    journal: {
      kind: 'text',
      value: 'FILE',
      summary: 'where measurements are kept until all is done; without it, beside --out',
    },
    device: MODEL_OPTIONS.device,
    dtype: MODEL_OPTIONS.dtype,
    threads: MODEL_OPTIONS.threads,
  },
  examples: [
    'quantize --model models/base --out models/4-bit --bits 4',
    'quantize --model models/base --out models/q --budget-bits 3.5 --allocate bo --data texts',
  ],
  run: async ({ options, output }) => {
    const { runQuantize } = await import('../run/quantize/run-quantize.ts')
    await runQuantize(options, output)
  },
})
