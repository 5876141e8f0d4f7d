// `anneal pull ORG/NAME[@revision][:file or quantization]`: a model, adapter, tokenizer or dataset from the hub into the cache that Hugging Face's tools share.
import { UsageError } from '../errors.ts'
import { amount, counted } from '../report/amounts.ts'
import { eventsOf } from '../work.ts'
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'
import { reportEvents } from './report-events.ts'

export const command: Command = defineCommand({
  summary: 'download a model, adapter or dataset from the Hugging Face hub, by name',
  positionals: {
    name: 'NAME',
    summary: 'ORG/NAME, with @ a branch, tag or commit, with : a file, folder or quantization of it, such as :Q4_K_M',
    min: 1,
    max: 1,
  },
  options: {
    dataset: {
      kind: 'flag',
      summary: 'NAME is a dataset, with : a configuration, a split, both (config/split) or a file of it',
    },
    out: {
      kind: 'text',
      value: 'FILE.jsonl',
      summary:
        'with --dataset: write its rows there as JSON lines, read on the hub as they come; nothing is kept in the cache',
    },
    'max-samples': {
      kind: 'integer',
      value: 'N',
      summary: 'with --out: only the first N rows; little more than those is downloaded',
      min: 1,
    },
    'at-once': {
      kind: 'integer',
      value: 'N',
      summary: 'files that are downloaded at once',
      default: 4,
      min: 1,
      max: 32,
    },
  },
  examples: [
    'pull HuggingFaceTB/SmolLM2-135M-Instruct',
    'pull bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M',
    'pull HuggingFaceTB/SmolLM2-135M-Instruct@main --json',
    'pull --dataset HuggingFaceTB/smoltalk:everyday-conversations/train',
    'pull --dataset HuggingFaceFW/fineweb:sample-10BT --max-samples 1000 --out sample.jsonl',
  ],
  run: async ({ positionals, options, output }) => {
    const { out, maxSamples } = options
    if (maxSamples !== undefined && out === undefined)
      throw new UsageError('--max-samples: expected --out as well, got none. Name the file for the rows')
    if (out !== undefined && !options.dataset)
      throw new UsageError(
        '--out: expected --dataset as well, got none. Models lie in the cache: see the path that is printed',
      )
    if (out !== undefined) {
      const { streamDataset } = await import('../run/stream-dataset.ts')
      return followEdit(
        (signal) =>
          eventsOf((watch) => streamDataset(positionals[0]!, { watch, out, maxSamples, usual: 'train' }), { signal }),
        output,
        'stopping; a file that was there stays',
        (streamed) => {
          output.note(`${streamed.name}: ${counted(streamed.rows, 'row')}, ${amount(streamed.bytes, 'bytes')}`)
          output.emit(streamed)
          output.result(out)
          return 0
        },
      )
    }
    if (options.dataset) {
      const { pullDataset } = await import('../hub/pull-dataset.ts')
      const rows = await reportEvents(
        eventsOf((watch) => pullDataset(positionals[0]!, { watch, atOnce: options.atOnce, usual: 'train' })),
        output,
      )
      output.note(
        `${rows.name}: ${rows.downloaded === 0 ? 'nothing was missing' : `${amount(rows.downloaded, 'bytes')} came now`}`,
      )
      output.emit(rows)
      for (const path of rows.paths) output.result(path)
      return 0
    }
    const { pull } = await import('../hub/pull.ts')
    const { bringBases } = await import('../run/resolve-model.ts')
    const pulled = await reportEvents(
      eventsOf(async (watch) => {
        const all = await pull(positionals[0]!, { watch, atOnce: options.atOnce, need: 'any' })
        await bringBases(all.path, watch)
        return all
      }),
      output,
    )
    const { files, path, repo, commit, downloaded } = pulled
    for (const { path: file, size } of files) output.note(`${amount(size, 'bytes').padStart(8)}  ${file}`)
    const all = files.reduce((sum, { size }) => sum + size, 0)
    output.note(
      `${repo} at commit ${commit}: ${amount(all, 'bytes')}, of which ${downloaded === 0 ? 'nothing was missing' : `${amount(downloaded, 'bytes')} came now`}`,
    )
    output.emit(pulled)
    output.result(path)
    return 0
  },
})
