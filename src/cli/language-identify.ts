// `anneal language identify DATA…`: the language of every text, and how sure that is.

import { counted } from '../report/amounts.ts'
import { type Command, defineCommand } from './command.ts'
import { columnsOf, labelsOf, READING_OPTIONS, TABLE_OPTIONS } from './reading-options.ts'
import { sevenDigits } from './write-reply.ts'

const SHOWN_CHARACTERS = 60

export const command: Command = defineCommand({
  summary: 'languages or varieties of texts',
  positionals: {
    name: 'DATA',
    summary: 'files or folders: text (one document a file), JSONL (.gz), CSV, TSV, Parquet',
    min: 1,
    max: 10_000,
  },
  options: {
    identifier: {
      kind: 'text',
      value: 'FILE',
      summary: "a file of anneal language train, or eld: the library's 60 languages",
      default: 'eld',
    },
    among: { kind: 'list', value: 'LABEL', summary: 'the only labels that there may be; may be repeated' },
    plausible: {
      kind: 'text',
      value: 'LABEL',
      summary: 'how well this label explains each text as compared with the best one, 0 to 1',
      library: 'language',
    },
    'min-letters': { kind: 'integer', value: 'N', summary: 'a text of fewer is und', default: 20, min: 0 },
    'min-probability': {
      kind: 'number',
      summary: 'a less probable language is und',
      default: 0.5,
      min: 0,
      max: 1,
    },
    ...READING_OPTIONS,
    ...TABLE_OPTIONS,
  },
  examples: [
    'language identify corpus.jsonl --among da --among no --among sv',
    'language identify corpus.jsonl --identifier nordic.lid --plausible da --json',
    'language identify ES_dev.tsv --columns id,text,label --identifier spanish.lid',
  ],
  run: async ({ positionals, options, output }) => {
    const { plausible, minLetters, minProbability, textColumn } = options
    const { openLanguageIdentifier } = await import('../data/language/identify-language.ts')
    const { readDocuments } = await import('../data/read/sources.ts')
    const { resolveData } = await import('../run/resolve-data.ts')
    const { eventsOf } = await import('../work.ts')
    const { reportEvents } = await import('./report-events.ts')
    const identifier = await openLanguageIdentifier(options.identifier)
    const among = labelsOf(options.among, identifier.labels)
    const asked = { minLetters, minProbability, ...(among.length > 0 && { among }) }
    const counts = new Map<string, number>()
    const onNotice = (message: string): void => output.note(`notice: ${message}`)
    const paths = await reportEvents(
      eventsOf((watch) => resolveData(positionals, watch)),
      output,
    )
    const reading = { ...columnsOf(options.columns), maxBadFraction: options.maxBadFraction, onNotice }
    for await (const { text, id } of readDocuments(paths, { textKey: textColumn, ...reading })) {
      const { language, probability, ranking, undetermined } = identifier.identify(text, asked)
      counts.set(language, (counts.get(language) ?? 0) + 1)
      const share = plausible === undefined ? undefined : identifier.plausible(text, plausible)
      const places = { file: id.file, line: id.line }
      const top = ranking.slice(0, 5).map((label) => ({ ...label, probability: sevenDigits(label.probability) }))
      output.emit({
        ...places,
        language,
        probability: sevenDigits(probability),
        ...(undetermined && { undetermined }),
        ...(share !== undefined && { plausible: sevenDigits(share) }),
        ranking: top,
      })
      const sure = `${probability.toFixed(3)}${share === undefined ? '' : `  ${share.toFixed(3)}`}`
      output.result(`${sure}  ${language}  ${shortened(text)}`)
    }
    const shown = [...counts]
      .sort((a, b) => b[1] - a[1])
      .map(([language, count]) => `${language} ${count.toLocaleString('en')}`)
    const total = [...counts.values()].reduce((a, b) => a + b, 0)
    output.note(`${counted(total, 'text')} by ${identifier.name}: ${shown.join(', ') || 'none'}`)
  },
})

function shortened(text: string): string {
  const characters = [...text.slice(0, 4 * SHOWN_CHARACTERS).replaceAll(/\s+/g, ' ')]
  return characters.length <= SHOWN_CHARACTERS
    ? characters.join('')
    : `${characters.slice(0, SHOWN_CHARACTERS).join('')}…`
}
