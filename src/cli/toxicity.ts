// `anneal toxicity DATA… --scorer SCORER`: how well a scorer of toxicity tells texts apart that people have labelled.
import { type Command, defineCommand } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import { columnsOf, READING_OPTIONS, TABLE_OPTIONS } from './reading-options.ts'
import { reportEvents } from './report-events.ts'

export const command: Command = defineCommand({
  summary: 'how well a scorer of toxicity does on labelled texts, in each language and about each group',
  positionals: {
    name: 'DATA',
    summary: 'files or folders with a column of texts and one of labels: JSONL (.gz), CSV, TSV, Parquet',
    min: 1,
    max: 10_000,
  },
  options: {
    scorer: {
      kind: 'text',
      value: 'SCORER',
      summary:
        'a list of words (a file, one in a line), a folder of lists by language (da.txt), the directory of a classifier, or the address of a service that answers as Perspective does (key in PERSPECTIVE_API_KEY)',
      required: true,
    },
    'toxic-label': {
      kind: 'list',
      value: 'LABEL',
      summary: 'label of the classifier that means toxic (default: the one called toxic); may be repeated',
      library: 'toxicLabels',
    },
    'positive-label': {
      kind: 'list',
      value: 'LABEL',
      summary: 'label of the data that means toxic (default: toxic; of two labels 1 or true); may be repeated',
      library: 'positiveLabels',
    },
    ...READING_OPTIONS,
    ...TABLE_OPTIONS,
    'label-column': { kind: 'text', value: 'NAME', summary: 'field that holds the label', default: 'label' },
    'language-column': { kind: 'text', value: 'NAME', summary: "field that holds each text's language" },
    'group-column': {
      kind: 'text',
      value: 'NAME',
      summary: 'field that holds the groups of people that a text is about, with commas between',
    },
    'requests-per-second': { kind: 'number', summary: 'of a service, at most (default 1)', min: 0.001 },
    save: { kind: 'flag', summary: 'keep the figures beside the scorer, for all that it scores later' },
    device: MODEL_OPTIONS.device,
    threads: MODEL_OPTIONS.threads,
  },
  examples: [
    'toxicity held.jsonl --scorer runs/toxic --language-column language --save',
    'toxicity held.jsonl --scorer words.txt --group-column identity',
    'toxicity tweets.csv --scorer runs/hate --toxic-label hate --positive-label hate',
  ],
  run: async ({ positionals, options, output }) => {
    const { columns, toxicLabel, positiveLabel, languageColumn, groupColumn, requestsPerSecond, threads, ...rest } =
      options
    const { scorer, textColumn, labelColumn, maxBadFraction, save, device } = rest
    if (threads !== undefined) (await import('../torch/index.ts')).setThreads(threads)
    const { measureToxicity } = await import('../run/measure-toxicity.ts')
    await reportEvents(
      measureToxicity({
        scorer,
        paths: positionals,
        textColumn,
        labelColumn,
        maxBadFraction,
        save,
        device,
        ...columnsOf(columns),
        ...(toxicLabel.length > 0 && { toxicLabels: toxicLabel }),
        ...(positiveLabel.length > 0 && { positiveLabels: positiveLabel }),
        ...(languageColumn !== undefined && { languageColumn }),
        ...(groupColumn !== undefined && { groupColumn }),
        ...(requestsPerSecond !== undefined && { requestsPerSecond }),
      }),
      output,
    )
  },
})
