// `anneal tokenizer extend TEXT… --model DIR --new-tokens N --out DIR`
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'
import { READING_OPTIONS } from './reading-options.ts'

export const command: Command = defineCommand({
  summary: "add tokens of your language to a model's vocabulary",
  positionals: {
    name: 'TEXT',
    summary: 'text of the language: files or folders, as for tokenizer train',
    min: 1,
    max: 10_000,
  },
  options: {
    model: {
      kind: 'text',
      value: 'MODEL',
      summary: 'directory or name of the model, with its tokenizer',
      required: true,
    },
    out: { kind: 'text', value: 'DIR', summary: 'folder for the larger model and its tokenizer', required: true },
    'new-tokens': { kind: 'integer', value: 'N', summary: 'tokens to add', default: 4000, min: 1, max: 1_000_000 },
    'min-frequency': { kind: 'integer', value: 'N', summary: 'a rarer pair is never merged', default: 2, min: 1 },
    ...READING_OPTIONS,
    overwrite: { kind: 'flag', summary: 'replace the model in --out' },
  },
  examples: ['tokenizer extend danish/ --model models/base --new-tokens 8000 --out models/base-da'],
  run: async ({ positionals: paths, options, output }) => {
    const { extendTokenizer } = await import('../run/extend-tokenizer.ts')
    const { textColumn: textKey, ...rest } = options
    return followEdit((signal) => extendTokenizer({ ...rest, paths, textKey }, { signal }), output, 'stopping')
  },
})
