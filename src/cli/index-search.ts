// `anneal index search DIR "query"`: the documents that fit best.
import type { Hit } from '../retrieve/document.ts'
import type { AskIndexOptions } from '../run/retrieve/ask-index.ts'
import { type Command, defineCommand } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import { sevenDigits } from './write-reply.ts'

export const command: Command = defineCommand({
  summary: 'search an index by words, by vectors or by both',
  positionals: { name: 'DIR QUERY', summary: 'an index, and what is searched for', min: 2, max: 2 },
  options: {
    k: { kind: 'integer', value: 'N', summary: 'how many documents', default: 5, min: 1 },
    by: { kind: 'choice', choices: ['words', 'vectors', 'both'], summary: 'what is compared (default: words)' },
    hybrid: { kind: 'flag', summary: 'the same as --by both: reciprocal ranks of words and vectors' },
    embed: { kind: 'text', value: 'MODEL', summary: 'the encoder of the index, where it was moved' },
    rerank: { kind: 'text', value: 'MODEL', summary: 'a model that reads the 50 best with the query and orders them' },
    device: MODEL_OPTIONS.device,
  },
  examples: ['index search faq.index "reset password"', 'index search wiki.index "capital of Denmark" --hybrid --json'],
  run: async ({ positionals, options, output }) => {
    const { UsageError } = await import('../errors.ts')
    const { k, hybrid, embed, rerank, device } = options
    if (hybrid && options.by !== undefined && options.by !== 'both')
      throw new UsageError(`--hybrid: expected --by both or none beside it, got ${options.by}. Leave one of them out`)
    const by = hybrid ? 'both' : ((options.by ?? 'words') as 'words')
    const [directory, query] = positionals as [string, string]
    const hits = await (by === 'words' && rerank === undefined
      ? byWords(directory, query, k)
      : byModels(directory, query, { k, by, embed, rerank, device: device as 'auto' }))
    const [{ snippet }, { tokenizer }] = [
      await import('../retrieve/snippet.ts'),
      await import('../retrieve/tokenize.ts'),
    ]
    const words = tokenizer()
    for (const { score, ...document } of hits) {
      output.emit({ score: sevenDigits(score), ...document })
      output.result(`${score.toFixed(4)}  ${document.id}  ${snippet(document.text, query, words)}`)
    }
    if (hits.length === 0) output.note('nothing found')
  },
})

/** Without a model there is nothing to load. */
async function byWords(directory: string, query: string, k: number): Promise<Hit[]> {
  const { openIndex } = await import('../retrieve/store/search-index.ts')
  const index = openIndex(directory)
  try {
    return await index.search(query, { k, by: 'words' })
  } finally {
    index.close()
  }
}

async function byModels(directory: string, query: string, options: AskIndexOptions): Promise<Hit[]> {
  const { askIndex } = await import('../run/retrieve/ask-index.ts')
  return askIndex(directory, query, options)
}
