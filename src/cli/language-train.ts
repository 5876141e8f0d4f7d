// `anneal language train DATA… --out FILE`
import { type Command, defineCommand } from './command.ts'
import { columnsOf, READING_OPTIONS, TABLE_OPTIONS } from './reading-options.ts'
import { reportEvents } from './report-events.ts'

export const command: Command = defineCommand({
  summary: 'train an identifier of languages or varieties on your texts',
  positionals: {
    name: 'DATA',
    summary: 'files or folders with a column of texts and one of labels: JSONL (.gz), CSV, TSV, Parquet',
    min: 1,
    max: 10_000,
  },
  options: {
    out: { kind: 'text', value: 'FILE', summary: 'file to write', required: true },
    ...READING_OPTIONS,
    ...TABLE_OPTIONS,
    'label-column': { kind: 'text', value: 'NAME', summary: 'field that holds the language', default: 'label' },
    bits: {
      kind: 'integer',
      value: 'N',
      summary: 'rows of the table as a power of two (default: a file of some 512 KiB)',
      min: 8,
      max: 24,
    },
    epochs: { kind: 'integer', value: 'N', summary: 'passes after naive Bayes', default: 10, min: 0 },
    seed: { kind: 'integer', value: 'N', summary: 'another order of texts', default: 0, min: 0 },
    sources: { kind: 'text', summary: 'what the file says of its sources and their licences' },
  },
  examples: [
    'language train nordic.jsonl --out nordic.lid',
    'language train ES_train.tsv --columns id,text,label --out spanish.lid',
  ],
  run: async ({ positionals, options, output }) => {
    const { trainIdentifier } = await import('../run/train-identifier.ts')
    const { columns, bits, sources, ...rest } = options
    await reportEvents(
      trainIdentifier({
        paths: positionals,
        ...rest,
        ...columnsOf(columns),
        ...(bits !== undefined && { bits }),
        ...(sources !== undefined && { sources }),
      }),
      output,
    )
  },
})
