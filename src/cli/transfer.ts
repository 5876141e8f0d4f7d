// `anneal transfer SWEEP`: what tuning in one language did to the others, and what goes with it.
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'

export const command: Command = defineCommand({
  summary: 'what tuning in one language carried over to others, and what that goes with',
  positionals: { name: 'SWEEP', summary: 'folder of a sweep with evaluations by language', min: 1, max: 1 },
  options: {
    metric: {
      kind: 'text',
      value: 'NAME',
      summary: 'what was to be lowered, such as log_ratio or "crows_pairs log_ratio"',
      required: true,
    },
    source: { kind: 'text', value: 'LANG', summary: 'the language that was tuned in', required: true },
    predictors: {
      kind: 'text',
      value: 'FILE',
      summary:
        'a table with language, columns of numbers (share, distance, …), and seed where they are others for each',
    },
    pretraining: {
      kind: 'list',
      value: 'LANG=PATH',
      summary: 'text that was pre-trained on: shares are counted in bytes',
    },
    parallel: {
      kind: 'list',
      value: 'LANG=FILE',
      summary: 'the same sentences in each language, line by line: overlap of tokens, similarity over layers',
    },
    model: { kind: 'text', value: 'DIR', summary: 'what reads them (default: the model that the sweep began with)' },
    covariate: {
      kind: 'list',
      value: 'NAME',
      library: 'covariates',
      summary: 'a predictor, or before (the figure before tuning), that correlations are told without, too',
    },
    'output-path': { kind: 'text', value: 'DIR', summary: 'where transfer.json and transfer.html go (default: SWEEP)' },
  },
  examples: ['transfer runs/alignment/arms --metric log_ratio --source en --predictors shares.csv'],
  run: async ({ positionals: [sweep], options: { covariate: covariates, ...options }, output }) => {
    const { runTransfer } = await import('../run/transfer/run-transfer.ts')
    return followEdit((signal) => runTransfer({ sweep: sweep!, ...options, covariates }, { signal }), output)
  },
})
