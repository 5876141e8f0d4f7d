// `anneal datamap apply RUN --decisions FILE --out FILE`: what people decided, as a new version of the data.
import { UsageError } from '../errors.ts'
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'write the data of a run with the decisions of annotation queues in it',
  positionals: { name: 'RUN', summary: 'as in anneal datamap', min: 1, max: 1000 },
  options: {
    decisions: {
      kind: 'list',
      value: 'FILE',
      summary:
        'a queue with new_label, drop or checked filled in, as JSONL or CSV; may be repeated, later ones overrule',
      required: true,
    },
    out: {
      kind: 'text',
      value: 'FILE',
      summary: 'JSONL file to write, with FILE.provenance.json beside it',
      required: true,
    },
  },
  examples: ['datamap apply runs/folds --decisions queue.jsonl --out cleaned.jsonl'],
  run: async ({ positionals: runs, options: { decisions, out }, output }) => {
    if (decisions.length === 0) throw new UsageError('--decisions: expected a queue, got none')
    const { applyDecisions } = await import('../run/datamap/new-version.ts')
    const onNotice = (message: string): void => output.note(`notice: ${message}`)
    const version = await applyDecisions({ runs, decisions, out, onNotice })
    output.emit(version)
    output.result(
      `${version.rows.toLocaleString('en')} examples, ${version.relabelled} with another label, ${version.dropped} dropped, ${version.checked} decided, ${version.open} still open → ${out}`,
    )
  },
})
