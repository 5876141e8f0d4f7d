// `anneal prune --model DIR [--data PATH] --ratio R --out DIR`: a model with fewer neurons and heads.
import {
  AGGREGATES,
  DEFAULTS,
  GROUP_KINDS,
  IMPORTANCES,
  LAYOUTS,
  RATIO_BASES,
  SCOPES,
} from '../methods/prune/options.ts'
import { type Command, defineCommand } from './command.ts'
import { EDIT_OPTIONS, editOptions, TEXT_OPTIONS } from './edit-options.ts'
import { followEdit } from './follow-edit.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

const OPTIONS = {
  ...EDIT_OPTIONS,
  ratio: { kind: 'number', value: 'R', summary: 'share of parameters to remove, below 1', required: true },
  'ratio-of': {
    kind: 'choice',
    choices: RATIO_BASES,
    summary: 'of what: all blocks, the whole model, or the groups to choose from (LLM-Pruner)',
    default: DEFAULTS.ratioOf,
  },
  targets: { kind: 'choice', choices: ['all', ...GROUP_KINDS], summary: 'what is removed', default: 'all' },
  importance: {
    kind: 'choice',
    choices: IMPORTANCES,
    summary: 'how worth is judged; l2, l1 and random need no text (--data)',
    default: DEFAULTS.importance,
  },
  aggregate: {
    kind: 'choice',
    choices: AGGREGATES,
    summary: 'how the scores of matrices become one',
    default: DEFAULTS.aggregate,
  },
  scope: {
    kind: 'choice',
    choices: SCOPES,
    summary: 'the same share in every layer, or all layers compete (layout per-layer)',
    default: DEFAULTS.scope,
  },
  layout: {
    kind: 'choice',
    choices: LAYOUTS,
    summary: 'aligned: all layers of one size, which any loader reads; per-layer: loads here',
    default: DEFAULTS.layout,
  },
  align: { kind: 'integer', value: 'N', summary: 'MLPs keep a multiple of N neurons; 64, per-layer 1', min: 1 },
  'protect-first': { kind: 'integer', value: 'N', summary: 'layers left whole; per-layer 4 of 32, scaled', min: 0 },
  'protect-last': { kind: 'integer', value: 'N', summary: 'layers left whole; per-layer 2 of 32, scaled', min: 0 },
  steps: {
    kind: 'integer',
    value: 'N',
    summary: 'rounds, each with scores of its own',
    default: DEFAULTS.steps,
    min: 1,
    max: 1000,
  },
  compensate: { kind: 'flag', summary: 'put what was lost on average into biases; on for flap (--no-compensate)' },
  'gradient-gib': {
    kind: 'number',
    value: 'N',
    summary: 'memory for summed gradients; less takes more passes over the text',
    default: DEFAULTS.maxGradientBytes / 2 ** 30,
    min: 0,
  },
  ...TEXT_OPTIONS,
  device: MODEL_OPTIONS.device,
  dtype: MODEL_OPTIONS.dtype,
  threads: MODEL_OPTIONS.threads,
  window: { kind: 'integer', value: 'T', summary: 'an old name of --max-length', min: 2 },
} as const

export const command: Command = defineCommand({
  summary: 'remove neurons and heads from a model',
  options: OPTIONS,
  examples: [
    'prune --model runs/base --data corpus/ --ratio 0.2 --out runs/pruned',
    'prune --model runs/base --data corpus/ --ratio 0.2 --importance flap --out runs/pruned',
    'prune --model runs/base --ratio 0.2 --importance l2 --out runs/pruned',
  ],
  run: async ({ options, given, output }) => {
    const common = await editOptions(options, { name: 'window', value: options.window }, output)
    const { ratio, ratioOf, targets, importance, aggregate, scope, layout, align, steps } = options
    const { protectFirst, protectLast, compensate, gradientGib } = options
    const wanted = {
      ...common,
      ratio,
      ratioOf,
      targets: targets === 'all' ? (['mlp', 'heads'] as const) : [targets],
      importance,
      aggregate,
      scope,
      layout,
      steps,
      maxGradientBytes: gradientGib * 2 ** 30,
      ...(align !== undefined && { align }),
      ...(protectFirst !== undefined && { protectFirst }),
      ...(protectLast !== undefined && { protectLast }),
      ...(given.has('compensate') && { compensate }),
    }
    const { runPrune } = await import('../run/prune/run-prune.ts')
    return followEdit((signal) => runPrune(wanted, { signal }), output)
  },
})
