// `anneal datamap queue RUN --out FILE`: what people should look at, the most telling first.
import { counted } from '../report/amounts.ts'
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'write a queue for annotation: likely errors or common examples of a run, the most telling first',
  positionals: { name: 'RUN', summary: 'as in anneal datamap', min: 1, max: 1000 },
  options: {
    out: {
      kind: 'text',
      value: 'FILE',
      summary: 'JSONL file to write; people fill in new_label, drop or checked, and anneal datamap apply reads it',
      required: true,
    },
    by: {
      kind: 'choice',
      choices: ['borda', 'error', 'common'],
      summary: 'all by how likely an error they are, or only those with a flag',
      default: 'borda',
    },
    top: { kind: 'integer', value: 'N', summary: 'examples in the queue', default: 200, min: 1 },
    epochs: { kind: 'integer', value: 'N', summary: 'read only the first N epochs', min: 1 },
    'flag-fraction': {
      kind: 'number',
      summary: 'share of examples flagged for each reason',
      default: 0.1,
      min: 0,
      max: 1,
    },
  },
  examples: [
    'datamap queue runs/folds --top 200 --out queue.jsonl',
    'datamap queue runs/folds --by common --out common.jsonl',
  ],
  run: async ({ positionals: runs, options, output }) => {
    const { writeQueue } = await import('../run/datamap/annotation-queue.ts')
    const by = options.by as 'borda' | 'error' | 'common'
    const count = await writeQueue({ runs, ...options, by, onNotice: (message) => output.note(`notice: ${message}`) })
    output.emit({ out: options.out, examples: count })
    output.result(`${counted(count, 'example')} to look at → ${options.out}`)
  },
})
