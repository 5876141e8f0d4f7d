// `anneal tokenizer train TEXT… --vocab-size N --out DIR`
import { END_OF_TEXT } from '../text/special-tokens.ts'
import { type Command, defineCommand } from './command.ts'
import { READING_OPTIONS } from './reading-options.ts'
import { reportEvents } from './report-events.ts'

export const command: Command = defineCommand({
  summary: 'train a byte-level BPE tokenizer on your text',
  positionals: {
    name: 'TEXT',
    summary: 'files or folders: text, Markdown, JSONL (.gz), CSV, TSV, Parquet',
    min: 1,
    max: 10_000,
  },
  options: {
    out: { kind: 'text', value: 'DIR', summary: 'folder for tokenizer.json', required: true },
    'vocab-size': {
      kind: 'integer',
      value: 'N',
      summary: 'ids in all: special tokens, 256 bytes, merges',
      default: 8192,
      min: 256,
      max: 1_000_000,
    },
    'pre-tokenizer': {
      kind: 'choice',
      choices: ['gpt-2', 'qwen2', 'llama-bpe', 'smollm'],
      summary: 'how text is cut into words first',
      default: 'gpt-2',
    },
    special: {
      kind: 'list',
      value: 'TOKEN',
      summary: `more control tokens; ${END_OF_TEXT}, <|im_start|> and <|im_end|> are always there`,
      library: 'specialTokens',
    },
    'min-frequency': { kind: 'integer', value: 'N', summary: 'a rarer pair is never merged', default: 2, min: 1 },
    ...READING_OPTIONS,
  },
  examples: ['tokenizer train corpus/ --vocab-size 16384 --out runs/tokenizer'],
  run: async ({ positionals, options, output }) => {
    const { trainTokenizer } = await import('../run/train-tokenizer.ts')
    const { out, vocabSize, special, minFrequency, preTokenizer, textColumn } = options
    const reading = { paths: positionals, textKey: textColumn, maxBadFraction: options.maxBadFraction }
    const learning = { vocabSize, specialTokens: special, minFrequency, preTokenizer }
    await reportEvents(trainTokenizer({ out, ...reading, ...learning }), output)
  },
})
