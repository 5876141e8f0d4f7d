// `anneal export --to gguf|hf --model DIR`: a model in the files that other programs load.

import { existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { UsageError } from '../errors.ts'
import { type Command, defineCommand } from './command.ts'
import type { Output } from './output.ts'

const GGUF_FORMATS = ['f32', 'f16', 'bf16', 'q8_0', 'q6_k', 'q4_k', 'q4_0'] as const

export const command: Command = defineCommand({
  summary: 'write a model as GGUF or as a Hugging Face directory',
  options: {
    to: { kind: 'choice', choices: ['gguf', 'hf'], summary: 'kind of files', required: true },
    model: { kind: 'text', value: 'DIR', summary: 'model directory, or a .gguf file', required: true },
    adapter: { kind: 'text', value: 'DIR', summary: 'LoRA adapter, merged into the model' },
    out: { kind: 'text', value: 'PATH', summary: 'file (gguf) or directory (hf) to write', required: true },
    quantize: {
      kind: 'choice',
      choices: ['auto', ...GGUF_FORMATS],
      summary:
        'type of the matrices in GGUF; auto is the stored type. Matrices that are quantized already keep about their bits',
      default: 'auto',
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
    'skip-check': { kind: 'flag', summary: 'do not read the GGUF file back and compare' },
    threads: {
      kind: 'integer',
      value: 'N',
      summary: 'CPU threads; without it, one per core that this process may use',
      min: 1,
      max: 1024,
    },
  },
  examples: [
    'export --to gguf --model runs/tiny --quantize q8_0 --out runs/tiny.gguf',
    'export --to gguf --model base --adapter runs/lora --quantize q4_k --out merged.gguf',
    'export --to hf --model base --adapter runs/lora --dtype bf16 --out merged',
    'export --to hf --model model.gguf --out model',
  ],
  run: async ({ options, output, given }) => {
    const { to, out, model, adapter, quantize, dtype, threads } = options
    const wrong = [...given].find((name) => (to === 'gguf' ? ONLY_HF : ONLY_GGUF).includes(name))
    if (wrong !== undefined)
      throw new UsageError(`--${wrong}: expected --to ${to === 'gguf' ? 'hf' : 'gguf'} with it, got --to ${to}`)
    if (options.adapterOnly && adapter === undefined)
      throw new UsageError('--adapter-only: expected --adapter DIR with it, got none')
    const { makeOutputDirectory } = await import('../files/output-directory.ts')
    const { checkOutputFile, checkOutputFolder } = await import('../files/output-file.ts')
    const takeAway = makeOutputDirectory(dirname(resolve(out)), '--out')
    try {
      const isFolder = statSync(out, { throwIfNoEntry: false })?.isDirectory() ?? false
      if (to === 'gguf' && isFolder)
        throw new UsageError(
          `--out: expected a file, got the folder ${out}. Name a file, such as ${join(out, 'model.gguf')}`,
        )
      if (to === 'gguf') checkOutputFile(out, '--out')
      else checkOutputFolder(out, '--out')
      if (to === 'hf' && existsSync(out)) makeOutputDirectory(out, '--out')
      const { setThreads } = await import('../torch/index.ts')
      if (threads !== undefined) setThreads(threads)
      if (options.adapterOnly) return await exportAdapter(model, adapter!, out, output)
      const { loadSource } = await import('../run/export/load-source.ts')
      const source = await loadSource({ model, adapter, onto: options.onto })
      try {
        if (to === 'gguf') {
          const { exportToGguf } = await import('../run/export/export-gguf.ts')
          await exportToGguf(source, { out, format: quantize, skipCheck: options.skipCheck }, output)
        } else {
          const { exportToHuggingFace } = await import('../run/export/export-hf.ts')
          await exportToHuggingFace(source, { out, dtype, maxShardBytes: options.shardGb * 1e9 }, output)
        }
      } finally {
        source.model.free()
      }
    } finally {
      takeAway()
    }
  },
})

const ONLY_GGUF = ['quantize', 'adapter-only', 'skip-check']
const ONLY_HF = ['dtype', 'shard-gb']

async function exportAdapter(base: string, directory: string, out: string, output: Output): Promise<void> {
  const { exportAdapterOnly } = await import('../run/export/export-adapter.ts')
  const { size, modules } = await exportAdapterOnly(base, directory, out)
  output.emit({ path: out, bytes: size, modules })
  output.result(`${out}  ${(size / 1e6).toFixed(1)} MB  adapter on ${modules} modules`)
}
