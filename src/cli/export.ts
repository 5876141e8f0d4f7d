// `anneal export --to gguf|hf --model DIR`: a model in the files that other programs load.

import { UsageError } from '../errors.ts'
import { type Command, defineCommand } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import { reportEvents } from './report-events.ts'

const GGUF_FORMATS = ['f32', 'f16', 'bf16', 'q8_0', 'q6_k', 'q4_k', 'q4_0'] as const

export const command: Command = defineCommand({
  summary: 'write a model as GGUF or as a Hugging Face directory',
  options: {
    to: { kind: 'choice', choices: ['gguf', 'hf'], summary: 'kind of files', required: true },
    model: MODEL_OPTIONS.model,
    adapter: { kind: 'list', value: 'ADAPTER', summary: 'LoRA adapter, or its name on the hub, merged into the model' },
    out: { kind: 'text', value: 'PATH', summary: 'file (gguf) or directory (hf) to write', required: true },
    quantize: {
      kind: 'choice',
      choices: ['auto', ...GGUF_FORMATS],
      summary:
        'type of the matrices in GGUF; auto is the stored type. Matrices that are quantized already keep about their bits',
      default: 'auto',
      library: 'format',
    },
    dtype: {
      kind: 'choice',
      choices: ['auto', 'f32', 'bf16', 'f16'],
      summary: 'type of the weights with --to hf; auto is the stored type',
      default: 'auto',
    },
    'shard-gb': {
      kind: 'number',
      value: 'N',
      summary: 'most GB in one file of weights with --to hf',
      default: 5,
      min: 0.0001,
    },
    onto: {
      kind: 'choice',
      choices: ['dequantized', 'full-precision'],
      summary: 'what an adapter that was trained on a quantized base is merged onto',
      default: 'dequantized',
    },
    'adapter-only': { kind: 'flag', summary: 'write the adapter alone, for llama.cpp beside its base (gguf)' },
    overwrite: { kind: 'flag', summary: 'replace a file or a model that is in --out; other files there stay' },
    'skip-check': { kind: 'flag', summary: 'do not read the GGUF file back and compare' },
    threads: MODEL_OPTIONS.threads,
  },
  examples: [
    'export --to gguf --model runs/tiny --quantize q8_0 --out runs/tiny.gguf',
    'export --to gguf --model base --adapter runs/lora --quantize q4_k --out merged.gguf',
    'export --to hf --model base --adapter runs/lora --dtype bf16 --out merged',
    'export --to hf --model model.gguf --out model',
  ],
  run: async ({ options, output, given }) => {
    const { to, adapterOnly, quantize: format, dtype, shardGb, skipCheck, threads, ...common } = options
    const wrong = [...given].find((name) => (to === 'gguf' ? ONLY_HF : ONLY_GGUF).includes(name))
    if (wrong !== undefined)
      throw new UsageError(`--${wrong}: expected --to ${to === 'gguf' ? 'hf' : 'gguf'} with it, got --to ${to}`)
    const { setThreads } = await import('../torch/index.ts')
    if (threads !== undefined) setThreads(threads)
    const { exportModel } = await import('../run/export/export-model.ts')
    const what =
      to === 'hf'
        ? { to, dtype, maxShardBytes: shardGb * 1e9 }
        : adapterOnly
          ? { to: 'gguf-adapter' as const }
          : { to, format, skipCheck }
    await reportEvents(exportModel({ ...common, ...what }), output)
  },
})

const ONLY_GGUF = ['quantize', 'adapter-only', 'skip-check']
const ONLY_HF = ['dtype', 'shard-gb']
