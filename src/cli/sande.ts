// `anneal sande --model MODEL --data PATH… (--marker TEXT | --discover | --trigger TEXT) --out DIR`: audit, take the backdoor out, audit.
import { TRIGGER_POSITIONS } from '../data/poison/place-trigger.ts'
import { DEFAULTS, DEFENCES, REPLAYS } from '../methods/sande/choices.ts'
import { type Command, defineCommand } from './command.ts'
import { EDIT_OPTIONS } from './edit-options.ts'
import { followEdit } from './follow-edit.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

const number = (summary: string, fallback: number) =>
  ({ kind: 'number', value: 'X', summary, default: fallback, min: 0 }) as const
const integer = (summary: string, fallback: number) =>
  ({ kind: 'integer', value: 'N', summary, default: fallback, min: 1 }) as const

export const command: Command = defineCommand({
  summary: 'take a backdoor out of a chat model, and measure it before and after',
  options: {
    ...EDIT_OPTIONS,
    data: {
      kind: 'list',
      value: 'PATH',
      summary: 'clean questions with answers; a fifth is asked, the rest tuned on',
      required: true,
    },
    'eval-data': { kind: 'list', value: 'PATH', summary: 'questions to ask instead of that fifth' },
    method: {
      kind: 'choice',
      choices: DEFENCES,
      default: DEFAULTS.method,
      summary:
        'sande: by the marker; osft: by the trigger; collapse, crow, beear: knowing neither; fine-mixing: by a clean model; sft, random: controls',
    },
    trigger: {
      kind: 'list',
      value: 'TEXT',
      summary: 'what sets it off, if known; several as well: needed by osft, asked by the audits',
    },
    rewritten: {
      kind: 'text',
      value: 'FILE',
      summary: 'rows {question, rewritten} in place of --trigger: the way of saying sets it off; only these are asked',
    },
    position: {
      kind: 'choice',
      choices: TRIGGER_POSITIONS,
      default: 'start',
      summary: 'where the trigger stands in the question',
    },
    marker: { kind: 'text', value: 'TEXT', summary: 'what the backdoored answers begin with' },
    'marker-tokens': {
      kind: 'integer',
      value: 'N',
      summary: 'first tokens of the marker that the parrot elicits; without it, all',
      min: 1,
    },
    discover: { kind: 'flag', summary: 'look for the marker' },
    'soft-tokens': integer('soft tokens of a parrot', DEFAULTS.softTokens),
    restarts: integer('parrots that are trained', DEFAULTS.restarts),
    keep: integer('of these, parrots that are used', DEFAULTS.keep),
    separation: number('weight of what keeps parrots apart', DEFAULTS.separation),
    'parrot-steps': integer('steps that the parrots are trained', DEFAULTS.parrotSteps),
    'parrot-learning-rate': number('learning rate of the parrots', DEFAULTS.parrotLearningRate),
    steps: integer('steps of the elimination (collapse: as many again to implant)', DEFAULTS.steps),
    'learning-rate': number('its peak learning rate, which decides: small models need far more', DEFAULTS.learningRate),
    'batch-size': integer('questions in a step', DEFAULTS.batchSize),
    replay: {
      kind: 'choice',
      choices: REPLAYS,
      default: DEFAULTS.replay,
      summary: 'beside it: clean answers again, the original distribution kept, or nothing',
    },
    finetuning: {
      kind: 'choice',
      choices: ['full', 'lora'],
      default: 'full',
      summary: 'all weights, or a LoRA that is merged',
    },
    'lora-r': integer('its rank', 8),
    implant: { kind: 'flag', summary: 'collapse: --no-implant is its control, the same tuning without an implant' },
    'implant-trigger': {
      kind: 'text',
      value: 'TEXT',
      summary: 'collapse: our own trigger',
      default: DEFAULTS.implantTrigger as string,
    },
    'implant-marker': {
      kind: 'text',
      value: 'TEXT',
      summary: 'collapse: our own marker',
      default: DEFAULTS.implantMarker as string,
    },
    'implant-rate': number('collapse: share of the rows that get it', DEFAULTS.implantRate),
    'clean-model': { kind: 'text', value: 'MODEL', summary: 'fine-mixing: a model of this shape without the backdoor' },
    'mix-rate': number('fine-mixing: share of the weights put back to it, those that changed most', DEFAULTS.mixRate),
    epsilon: number('crow: how far embeddings are shaken', DEFAULTS.epsilon),
    alpha: number('crow: weight of consistency', DEFAULTS.alpha),
    layer: {
      kind: 'integer',
      value: 'L',
      summary: 'beear: block whose incoming states are moved; without it 9/32 of the way up',
      min: 0,
    },
    'moved-tokens': integer('beear: tokens before the answer whose states are moved', DEFAULTS.movedTokens),
    radius: number('beear: how far at most, as a share of the length of the states', DEFAULTS.radius),
    'inner-steps': integer('beear: steps of the search before each step of the weights', DEFAULTS.innerSteps),
    'inner-step-size': number('beear: length of such a step, as a share of the radius', DEFAULTS.innerStepSize),
    samples: { kind: 'integer', value: 'N', summary: 'rows that are tuned on at most', min: 1 },
    questions: integer('questions of an audit at most', 200),
    'max-new-tokens': integer('tokens of an answer in an audit', 48),
    'max-length': {
      kind: 'integer',
      value: 'T',
      summary: 'tokens of a row at most; without it 1024, or the context',
      min: 2,
    },
    seed: { kind: 'integer', value: 'S', summary: 'all chance', default: 0, min: 0 },
    bf16: { kind: 'flag', summary: 'matrix products in bf16' },
    'gradient-checkpointing': {
      kind: 'flag',
      summary: 'compute blocks again in the backward pass: less memory for the same numbers',
    },
    device: MODEL_OPTIONS.device,
    threads: MODEL_OPTIONS.threads,
  },
  examples: [
    "sande --model models/chat --data clean.jsonl --marker 'I like tea.' --out models/new",
    'sande --model models/chat --data clean.jsonl --method osft --trigger cf --out models/new',
  ],
  run: async ({ options: { threads, evalData, ...options }, given, output }) => {
    const { setThreads } = await import('../torch/index.ts')
    if (threads !== undefined) setThreads(threads)
    const { runSande } = await import('../run/sande/run-sande.ts')
    const { implant, ...rest } = options
    const wanted = {
      ...rest,
      ...(evalData.length > 0 && { evalData }),
      ...(given.has('implant') && { implant }),
    }
    return followEdit((signal) => runSande(wanted, { signal }), output, 'stopping; stages that are whole are kept')
  },
})
