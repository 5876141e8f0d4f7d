// `anneal datamap RUN…`: what a training run says of its examples, as a page and a table.
import { type Command, defineCommand } from './command.ts'
import { reportEvents } from './report-events.ts'

export const command: Command = defineCommand({
  summary: 'map the examples of a classification run: easy, ambiguous, likely wrong, likely common',
  positionals: {
    name: 'RUN',
    summary:
      'folder of a run with training_dynamics, of all its folds, or of training_dynamics as Dataset Cartography writes them; several are folds of one',
    min: 1,
    max: 1000,
  },
  options: {
    out: { kind: 'text', value: 'DIR', summary: 'folder for datamap.html and datamap.jsonl (default: RUN/datamap)' },
    track: {
      kind: 'choice',
      choices: ['gold', 'pred-epoch', 'pred-final'],
      summary: "whose confidence is drawn first: the gold label's, each epoch's prediction's, or the last one's",
      default: 'pred-epoch',
    },
    epochs: { kind: 'integer', value: 'N', summary: 'read only the first N epochs', min: 1 },
    'flag-fraction': {
      kind: 'number',
      summary: 'share of examples flagged for each reason',
      default: 0.1,
      min: 0,
      max: 1,
    },
    'include-ci': { kind: 'flag', summary: "widen variability for few epochs, as Dataset Cartography's option does" },
  },
  examples: ['datamap runs/varieties', 'datamap runs/folds --track gold --out maps/varieties'],
  run: async ({ positionals, options, output }) => {
    const { runDatamap } = await import('../run/datamap/run-datamap.ts')
    const track = options.track as 'gold' | 'pred-epoch' | 'pred-final'
    await reportEvents(runDatamap({ runs: positionals, ...options, track }), output)
  },
})
