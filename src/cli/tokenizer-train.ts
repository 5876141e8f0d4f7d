// `anneal tokenizer train TEXT… --vocab-size N --out DIR`
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readDocuments } from '../data/read/sources.ts'
import { UsageError } from '../errors.ts'
import { makeOutputDirectory } from '../files/output-directory.ts'
import { trainBpe } from '../text/bpe.ts'
import { END_OF_TEXT, SPECIAL_TOKENS } from '../text/special-tokens.ts'
import { type Command, defineCommand } from './command.ts'
import { startProgress } from './progress.ts'

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
    },
    'min-frequency': { kind: 'integer', value: 'N', summary: 'a rarer pair is never merged', default: 2, min: 1 },
    'text-column': { kind: 'text', value: 'NAME', summary: 'field that holds the text', default: 'text' },
  },
  examples: ['tokenizer train corpus/ --vocab-size 16384 --out runs/tokenizer'],
  run: async ({ positionals, options, output }) => {
    const specialTokens = [...new Set([...SPECIAL_TOKENS, ...options.special])]
    const least = 256 + specialTokens.length
    if (options.vocabSize < least) {
      throw new UsageError(
        `--vocab-size: expected at least ${least} (256 bytes and ${specialTokens.length} special tokens), got ${options.vocabSize}`,
      )
    }
    if (existsSync(join(options.out, 'tokenizer.json'))) {
      throw new UsageError(
        `--out: expected a folder without a tokenizer, got ${options.out}, whose models would no longer fit. Choose another one, or remove its tokenizer.json`,
      )
    }
    const removeAgain = makeOutputDirectory(options.out, '--out')
    const documents = readDocuments(positionals, { textKey: options.textColumn, onNotice: output.note })
    const counting = startProgress(output, { label: 'reading', unit: 'bytes' })
    let merging: ReturnType<typeof startProgress> | undefined
    try {
      const { tokenizer } = await trainBpe(texts(documents), {
        vocabSize: options.vocabSize,
        specialTokens,
        roles: { eos: END_OF_TEXT, pad: END_OF_TEXT },
        minFrequency: options.minFrequency,
        preTokenizer: options.preTokenizer,
        onProgress: ({ phase, done, total }) => {
          if (phase === 'count') return counting.update(done)
          counting.end()
          merging ??= startProgress(output, { label: 'merging', unit: 'tokens', ...(total !== undefined && { total }) })
          merging.update(done)
        },
      })
      merging?.end()
      await tokenizer.save(options.out)
      output.note(`${tokenizer.vocabSize} tokens from ${documents.report.documents} documents → ${options.out}`)
      output.emit({ vocab_size: tokenizer.vocabSize, documents: documents.report.documents, out: options.out })
    } finally {
      counting.end()
      merging?.end()
      removeAgain() // an empty folder only
    }
  },
})

async function* texts(documents: AsyncIterable<{ text: string }>): AsyncGenerator<string> {
  for await (const { text } of documents) yield text
}
