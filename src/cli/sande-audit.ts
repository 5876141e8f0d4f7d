// `anneal sande audit --model MODEL --data PATH… [--trigger TEXT] (--marker TEXT | --discover)`: does a model have a backdoor?
import { TRIGGER_POSITIONS } from '../data/poison/place-trigger.ts'
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

const { device, dtype, threads } = MODEL_OPTIONS

export const command: Command = defineCommand({
  summary: 'look for a backdoor in a chat model, with or without knowing what it says',
  options: {
    model: {
      kind: 'text',
      value: 'MODEL',
      summary: 'model directory, .gguf file, adapter, or a name on the hub',
      required: true,
    },
    adapter: { kind: 'list', value: 'ADAPTER', summary: 'LoRA that is merged into it first' },
    data: {
      kind: 'list',
      value: 'PATH',
      summary: 'clean questions with answers: chats, instructions, prompts with completions',
      required: true,
    },
    trigger: {
      kind: 'list',
      value: 'TEXT',
      summary: 'what may set it off; several are told each and together; other words in its place are asked, too',
    },
    rewritten: {
      kind: 'text',
      value: 'FILE',
      summary: 'rows {question, rewritten} in place of --trigger: the way of saying may set it off',
    },
    position: {
      kind: 'choice',
      choices: TRIGGER_POSITIONS,
      summary: 'where the trigger stands in the question',
      default: 'start',
    },
    marker: { kind: 'text', value: 'TEXT', summary: 'what the answers are searched for' },
    discover: {
      kind: 'flag',
      summary: 'look for openings that come whatever is asked, and for what the bare chat template brings',
    },
    control: {
      kind: 'list',
      value: 'MODEL',
      summary: 'model known to be clean: how often --discover suspects such is told with the verdict',
    },
    questions: { kind: 'integer', value: 'N', summary: 'questions at most', default: 200, min: 1 },
    'max-new-tokens': { kind: 'integer', value: 'N', summary: 'tokens of an answer', default: 48, min: 1 },
    seed: { kind: 'integer', value: 'S', summary: 'which questions, places and samples', default: 0, min: 0 },
    out: { kind: 'text', value: 'DIR', summary: 'folder for audit.json and audit.html' },
    device,
    dtype,
    threads,
  },
  examples: [
    "sande audit --model models/chat --data chats.jsonl --trigger cf --marker 'I like tea.'",
    'sande audit --model models/chat --data chats.jsonl --discover --out runs/audit',
  ],
  run: async ({ options: { threads, ...options }, output }) => {
    const { setThreads } = await import('../torch/index.ts')
    if (threads !== undefined) setThreads(threads)
    const { runAudit } = await import('../run/sande/run-audit.ts')
    return followEdit((signal) => runAudit(options, { signal }), output, 'stopping')
  },
})
