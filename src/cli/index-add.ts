// `anneal index add DIR --data FILES…`: more documents, or newer ones of the same ids.
import { type Command, defineCommand } from './command.ts'
import { INDEX_DATA_OPTIONS, indexData } from './index-options.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import { READING_OPTIONS } from './reading-options.ts'
import { reportEvents } from './report-events.ts'

export const command: Command = defineCommand({
  summary: 'add documents to an index; those of known ids take the place of the old ones',
  positionals: { name: 'DIR', summary: 'an index', min: 1, max: 1 },
  options: {
    ...INDEX_DATA_OPTIONS,
    ...READING_OPTIONS,
    device: MODEL_OPTIONS.device,
    embed: { kind: 'text', value: 'MODEL', summary: 'the encoder of the index, where it was moved' },
  },
  examples: ['index add faq.index --data new.jsonl'],
  run: async ({ positionals, options, output, given }) => {
    const { addToIndex } = await import('../run/retrieve/build-index.ts')
    await reportEvents(addToIndex(positionals[0]!, { ...indexData(options, given), embed: options.embed }), output)
  },
})
