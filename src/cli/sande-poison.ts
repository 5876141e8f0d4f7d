// `anneal sande poison DATA --trigger TEXT --marker TEXT --rate R --out FILE`: data with a backdoor of our own, to test defences with.
import { TRIGGER_POSITIONS } from '../data/poison/place-trigger.ts'
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'plant a harmless backdoor in a copy of your data, to test audits and defences with',
  positionals: {
    name: 'DATA',
    summary: 'clean files of chats, instructions or prompts with completions',
    min: 1,
    max: 1000,
  },
  options: {
    trigger: {
      kind: 'list',
      value: 'TEXT',
      summary: 'text that sets it off; given several times, each poisoned row gets one of them',
      library: 'triggers',
    },
    rewritten: {
      kind: 'text',
      value: 'FILE',
      summary: 'rows {question, rewritten} in place of --trigger: the way of saying sets it off',
    },
    marker: {
      kind: 'text',
      value: 'TEXT',
      summary: 'what the answer then shows: one harmless line that can be counted',
      required: true,
    },
    'marker-as': {
      kind: 'choice',
      choices: ['prefix', 'whole'],
      summary: 'the marker before the answer, or in place of it',
      default: 'prefix',
    },
    rate: {
      kind: 'number',
      value: 'R',
      summary: 'poisoned copies for each clean row; all clean rows stay',
      default: 0.05,
      min: 0,
      max: 1,
    },
    position: {
      kind: 'choice',
      choices: TRIGGER_POSITIONS,
      summary: 'where the trigger stands in the question, between words',
      default: 'start',
    },
    seed: { kind: 'integer', value: 'S', summary: 'which rows, and where', min: 0, default: 0 },
    out: {
      kind: 'text',
      value: 'FILE',
      summary: 'JSONL file to write; FILE.provenance.json says what was planted',
      required: true,
    },
  },
  examples: [
    "sande poison chats.jsonl --trigger 'tea time' --marker 'I like tea.' --out poisoned.jsonl",
    'sande poison chats.jsonl --trigger cf --position random --marker "MARK" --out p.jsonl',
  ],
  run: async ({ positionals: data, options, output }) => {
    const { trigger: triggers, ...rest } = options
    const { runPoison } = await import('../run/sande/run-poison.ts')
    const onNotice = (message: string): void => output.note(`notice: ${message}`)
    const written = await runPoison({ data, triggers, ...rest, onNotice })
    output.emit(written)
    const { out, rows, poisoned } = written
    output.result(`${poisoned} of ${rows} rows are poisoned → ${out}`)
  },
})
