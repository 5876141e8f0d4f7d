// `anneal sweep FILE.yaml`: one training configuration along axes, as a table.
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'

export const command: Command = defineCommand({
  summary: 'train one configuration along axes (rank, epochs, base, seed), evaluate and compare',
  positionals: {
    name: 'FILE',
    summary: 'YAML with config, output_dir, axes, what is set for all, and evaluations by language',
    min: 1,
    max: 1,
  },
  options: {},
  examples: ['sweep recipes/language/ablations.yaml'],
  run: async ({ positionals: [file], output }) => {
    const { runSweep } = await import('../run/sweep/run-sweep.ts')
    return followEdit(
      (signal) => runSweep(file!, { signal }),
      output,
      'stopping; the run is saved, and the same command goes on',
      ({ rows }) => (rows.some(({ status }) => status === 'failed') ? 1 : 0),
    )
  },
})
