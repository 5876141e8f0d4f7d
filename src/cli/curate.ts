// `anneal curate IN… --out DIR [--config curate.yaml] [--key value …]`: from raw files to text that is worth learning.
import { keyGroups } from '../config/key-groups.ts'
import { readConfigFile } from '../config/read-config-file.ts'
import { curateKind, curateOverrides, parseCurateConfig } from '../run/curate/config.ts'
import { shardOfEnvironment } from '../run/curate/shards.ts'
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'

export const command: Command = defineCommand({
  summary: 'from raw files to text worth learning: languages, quality, duplicates, a report',
  positionals: {
    name: 'IN',
    summary: 'files or folders: text, HTML, JSONL, CSV, Parquet, WARC …, also .gz and .zst',
    min: 0,
    max: 100_000,
  },
  options: {
    out: {
      kind: 'text',
      value: 'DIR',
      summary: 'folder of the result; one that was stopped goes on',
      library: 'output_dir',
    },
    config: { kind: 'text', value: 'FILE', summary: 'YAML with more settings, such as recipes/curate/curate.yaml' },
    'max-bad': {
      kind: 'number',
      summary: 'share of the records that may be bad (default: 0.001)',
      min: 0,
      max: 1,
      library: 'max_bad',
    },
    shards: {
      kind: 'integer',
      value: 'N',
      summary: 'do one part of N of the work; `curate merge` does the rest',
      min: 1,
    },
    shard: {
      kind: 'integer',
      value: 'K',
      summary: 'which part, from 0 (default: what Slurm, Kubernetes or AWS Batch say)',
    },
    workers: { kind: 'integer', value: 'N', summary: 'threads (default: one per core)', min: 1 },
    overwrite: { kind: 'flag', summary: 'in place of a curation of other inputs or settings in the same folder' },
  },
  overrides: curateOverrides,
  keyGroups: () => keyGroups(curateKind),
  examples: [
    'curate texts/ --out runs/danish --lang da',
    'curate crawl/ --out runs/web --lang da --contamination.files evals/',
    'curate --config recipes/curate/curate.yaml --shards 512 --shard 7',
  ],
  run: async ({ positionals, options, overrides, output }) => {
    const { out, config: file, maxBad, shards, workers, overwrite } = options
    const text = file === undefined ? undefined : readConfigFile(file)
    const values = {
      ...(positionals.length > 0 && { inputs: positionals }),
      ...(out !== undefined && { output_dir: out }),
      ...(maxBad !== undefined && { max_bad: maxBad }),
    }
    const given = { values, origin: 'command line' }
    const { config, notices } = parseCurateConfig(text, file ?? 'command line', overrides, given)
    for (const notice of notices) output.note(`notice: ${notice}`)
    const shard = options.shard ?? (shards === undefined ? undefined : shardOfEnvironment(process.env))
    const { runCurate } = await import('../run/curate/run-curate.ts')
    const run = {
      overwrite,
      ...(workers !== undefined && { workers }),
      ...(shards !== undefined && { shards }),
      ...(shard !== undefined && { shard }),
    }
    return followEdit(
      (signal) => runCurate(config, { ...run, signal }),
      output,
      'stopping; the same command goes on from here',
    )
  },
})
