// `anneal eval rescore DIR…`: stored answers scored again, by the same tasks or by others, without the model.
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'

export const command: Command = defineCommand({
  summary: 'score stored samples again with other metrics or filters, and join shards',
  positionals: {
    name: 'DIR…',
    summary: 'results_*.json, or directories with them; several are joined',
    min: 1,
    max: 1000,
  },
  options: {
    tasks: { kind: 'list', value: 'NAME|FILE', summary: 'tasks in place of what was stored' },
    data: { kind: 'text', value: 'DIR', summary: 'as in eval, for tasks that are named and read data' },
    scorer: { kind: 'text', value: 'FILE|DIR|URL', summary: 'as in eval, for toxicity; nothing is scored anew' },
    bootstrap: { kind: 'integer', value: 'N', summary: 'as in eval', default: 100_000, min: 0 },
    'output-path': { kind: 'text', value: 'DIR', summary: 'write new results and samples into it' },
  },
  examples: [
    'eval rescore evals/base --tasks with-f1.yaml',
    'eval rescore shard-1 shard-2 --output-path whole',
    'eval rescore shard-1 shard-2 --tasks mbbq --data data/mbbq',
  ],
  run: async ({ positionals, options: { tasks, data, scorer, bootstrap, outputPath }, output }) => {
    const { runRescore } = await import('../run/eval/run-rescore.ts')
    const names = tasks.flatMap((list) => list.split(',')).filter((name) => name !== '')
    const asked = { from: positionals, tasks: names, data, scorer, bootstrap, outputPath }
    return followEdit((signal) => runRescore(asked, { signal }), output)
  },
})
