// `anneal sleb --model DIR --data PATH… --remove N --out DIR`: a model with fewer blocks, chosen by what they cost on a text.
import { DEFAULTS, GRANULARITIES, METRICS, REFINEMENTS, SEARCHES } from '../methods/sleb/choices.ts'
import { type Command, defineCommand } from './command.ts'
import { EDIT_OPTIONS, editOptions, JOURNAL_OPTION, LENGTH_OPTION, TEXT_OPTIONS } from './edit-options.ts'
import { followEdit } from './follow-edit.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

const { device, dtype, threads } = MODEL_OPTIONS

export const command: Command = defineCommand({
  summary: 'remove the blocks that a model can do without',
  options: {
    ...EDIT_OPTIONS,
    remove: {
      kind: 'integer',
      value: 'N',
      summary: 'how many blocks (or sub-layers) to remove; 0 copies the model',
      min: 0,
    },
    ratio: { kind: 'number', value: 'R', summary: 'share to remove in place of a number, rounded up', min: 0 },
    granularity: {
      kind: 'choice',
      choices: GRANULARITIES,
      default: DEFAULTS.granularity,
      summary: 'whole blocks, or attention and MLP apart (then the result works in Anneal only)',
    },
    search: {
      kind: 'choice',
      choices: SEARCHES,
      default: DEFAULTS.search,
      summary:
        'one by one by the loss, all at once by the loss, or all at once by how little a block changes its input',
    },
    metric: {
      kind: 'choice',
      choices: METRICS,
      default: DEFAULTS.metric,
      summary: 'loss on the text, or divergence from the whole model',
    },
    refine: {
      kind: 'choice',
      choices: REFINEMENTS,
      default: DEFAULTS.refine,
      summary: 'swap: exchange removed for kept ones afterwards while that helps',
    },
    'protect-first': {
      kind: 'integer',
      value: 'N',
      summary: 'blocks at the beginning that stay',
      min: 0,
      default: DEFAULTS.protectFirst,
    },
    'protect-last': {
      kind: 'integer',
      value: 'N',
      summary: 'blocks at the end that stay',
      min: 0,
      default: DEFAULTS.protectLast,
    },
    ...TEXT_OPTIONS,
    device,
    dtype,
    threads,
    ...JOURNAL_OPTION,
    ...LENGTH_OPTION,
  },
  examples: [
    'sleb --model models/base --data calibration.txt --remove 2 --out models/smaller',
    'sleb --model models/base --data corpus/ --ratio 0.2 --refine swap --out models/smaller',
  ],
  run: async ({ options: { length, ...options }, output }) => {
    const common = await editOptions(options, { name: 'length', value: length }, output)
    const { remove, ratio, granularity, search, metric, refine, protectFirst, protectLast, journal } = options
    const own = { remove, ratio, granularity, search, metric, refine, protectFirst, protectLast, journal }
    const { runSleb } = await import('../run/sleb/run-sleb.ts')
    return followEdit((signal) => runSleb({ ...common, ...own }, { signal }), output)
  },
})
