// `anneal tokenizer fertility TOKENIZER… --text [LANG=]PATH`: how well tokenizers fit languages.
import { type Command, defineCommand } from './command.ts'
import { READING_OPTIONS } from './reading-options.ts'
import { reportEvents } from './report-events.ts'

export const command: Command = defineCommand({
  summary: 'tokens a word, and the share of words that are cut, of tokenizers on your texts',
  positionals: {
    name: 'TOKENIZER',
    summary: 'directories of a model or tokenizer, .gguf files, or names on the hub',
    min: 1,
    max: 100,
  },
  options: {
    text: {
      kind: 'list',
      value: '[LANG=]PATH',
      summary: 'files or folders of one language; the language (ja, th, …) says where words end without spaces',
      required: true,
    },
    ...READING_OPTIONS,
  },
  examples: ['tokenizer fertility models/base runs/danish --text da=danish.txt --text en=english.txt'],
  run: async ({ positionals, options, output }) => {
    const { measureFertility } = await import('../run/measure-fertility.ts')
    const { text: texts, textColumn: textKey, maxBadFraction: share } = options
    await reportEvents(measureFertility({ tokenizers: positionals, texts, textKey, maxBadFraction: share }), output)
  },
})
