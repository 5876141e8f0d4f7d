// `anneal dynamics RUN`: how a run moved its model, checkpoint by checkpoint.
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'

export const command: Command = defineCommand({
  summary: 'how a run moved its model: weights, tokens and scores of every checkpoint',
  positionals: { name: 'RUN', summary: 'output_dir of a training run that kept its checkpoints', min: 1, max: 1 },
  options: {
    base: {
      kind: 'text',
      value: 'MODEL',
      summary: 'what checkpoints are compared with (default: the model that the run began from)',
    },
    'top-k': {
      kind: 'integer',
      value: 'K',
      summary: 'strongest directions whose angle is measured',
      default: 16,
      min: 1,
    },
    'skip-angles': { kind: 'flag', summary: 'measure no angles, which take long for large matrices' },
    tasks: { kind: 'list', value: 'TASK', summary: 'evaluate the base and every checkpoint on these, as in eval' },
    data: { kind: 'text', value: 'DIR', summary: 'files of data sets that are published elsewhere, as in eval' },
    limit: { kind: 'number', value: 'N', summary: 'the first N documents of each task, or a share below 1', min: 0 },
    'skip-leakage': {
      kind: 'flag',
      summary: 'do not look for documents of the tasks in the text that the run learnt from',
    },
    out: { kind: 'text', value: 'DIR', summary: 'where dynamics.json and dynamics.html go (default: RUN/dynamics)' },
  },
  examples: ['dynamics runs/danish', 'dynamics runs/danish --tasks scala.yaml --data data/scala --skip-angles'],
  run: async ({ positionals: [run], options, output }) => {
    const { runDynamics } = await import('../run/dynamics/run-dynamics.ts')
    const tasks = options.tasks.flatMap((list) => list.split(',')).filter((name) => name !== '')
    const { skipAngles, skipLeakage, ...rest } = options
    return followEdit(
      (signal) => runDynamics({ ...rest, angles: !skipAngles, leakage: !skipLeakage, run: run!, tasks }, { signal }),
      output,
    )
  },
})
