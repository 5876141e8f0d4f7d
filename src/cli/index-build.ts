// `anneal index build DIR --data FILES…`: an index of words, and of vectors where a model is named.
import { type Command, defineCommand } from './command.ts'
import { INDEX_DATA_OPTIONS, indexData } from './index-options.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import { READING_OPTIONS } from './reading-options.ts'
import { reportEvents } from './report-events.ts'

export const command: Command = defineCommand({
  summary: 'build an index of documents for search by words, and by vectors of a model',
  positionals: {
    name: 'DIR',
    summary: 'the folder to make; the same command goes on where it was killed',
    min: 1,
    max: 1,
  },
  options: {
    ...INDEX_DATA_OPTIONS,
    ...READING_OPTIONS,
    device: MODEL_OPTIONS.device,
    embed: {
      kind: 'text',
      value: 'MODEL',
      summary: 'an encoder, by directory or name on the hub (default: words alone)',
    },
    passages: {
      kind: 'integer',
      value: 'N',
      summary: 'cut documents into passages of so many characters at most (default: not)',
      min: 1,
    },
    'query-prefix': { kind: 'text', value: 'TEXT', summary: 'what the model wants before a query, such as "query: "' },
    'document-prefix': { kind: 'text', value: 'TEXT', summary: 'what it wants before a document, such as "passage: "' },
    vectors: {
      kind: 'choice',
      choices: ['int8', 'f32'],
      summary: 'what is looked at: bytes, the best scored again, or floats',
      default: 'int8',
    },
    metric: { kind: 'choice', choices: ['cosine', 'product', 'l2'], summary: 'how vectors compare', default: 'cosine' },
    variant: {
      kind: 'choice',
      choices: ['lucene', 'okapi', 'plus', 'l'],
      summary: "formula of BM25; okapi is rank-bm25's",
      default: 'lucene',
    },
    k1: { kind: 'number', summary: 'how soon more of a word adds nothing (default: 1.2 for lucene, else 1.5)', min: 0 },
    b: { kind: 'number', summary: 'how far long documents are held back', default: 0.75, min: 0, max: 1 },
    cjk: {
      kind: 'choice',
      choices: ['bigrams', 'single', 'words'],
      summary: 'how Chinese, Japanese and Korean are cut',
      default: 'bigrams',
    },
    'stop-word': { kind: 'list', value: 'WORD', summary: 'a word to leave out; may be repeated', library: 'stopWords' },
    overwrite: { kind: 'flag', summary: 'replace an index that is there' },
  },
  examples: [
    'index build faq.index --data faq.jsonl',
    'index build handbook.index --data handbook/ --passages 1000',
    'index build wiki.index --data wiki/ --embed models/e5 --query-prefix "query: "',
  ],
  run: async ({ positionals, options, output, given }) => {
    const { buildIndex } = await import('../run/retrieve/build-index.ts')
    const { embed, passages, queryPrefix, documentPrefix, vectors, metric, variant, k1, b, cjk, stopWord, overwrite } =
      options
    await reportEvents(
      buildIndex({
        out: positionals[0]!,
        ...indexData(options, given),
        embed,
        passages,
        queryPrefix,
        documentPrefix,
        ...(given.has('vectors') && { vectors: vectors as 'int8' | 'f32' }),
        ...(given.has('metric') && { metric: metric as 'cosine' }),
        bm25: { variant: variant as 'lucene', b, ...(k1 !== undefined && { k1 }) },
        tokenizer: { cjk: cjk as 'bigrams', stopWords: stopWord },
        overwrite,
      }),
      output,
    )
  },
})
