// `anneal index info DIR`: what an index is and how it was made.
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'what an index has in it and how it was made',
  positionals: { name: 'DIR', summary: 'an index', min: 1, max: 1 },
  options: { check: { kind: 'flag', summary: 'read all of it, and say whether a file is damaged' } },
  examples: ['index info faq.index', 'index info faq.index --check'],
  run: async ({ positionals, options, output }) => {
    const { checkIndex, indexInfo } = await import('../retrieve/store/search-index.ts')
    const { amount, counted } = await import('../report/amounts.ts')
    const info = indexInfo(positionals[0]!)
    if (options.check) checkIndex(positionals[0]!)
    output.emit(info)
    const { bm25, tokenizer, embedding } = info.settings
    const lines = [
      `${counted(info.documents, 'document')}, ${counted(info.tokens, 'word')}, ${amount(info.bytes, 'bytes')} in ${counted(info.segments, 'segment')}`,
      `words   ${'custom' in tokenizer ? `by ${tokenizer.custom}` : `CJK as ${tokenizer.cjk}, ${counted(tokenizer.stopWords.length, 'stop word')}`}`,
      `scores  BM25 ${bm25.variant}, k1 ${bm25.k1}, b ${bm25.b}`,
      ...(embedding === undefined
        ? []
        : [
            `vectors ${embedding.dimensions} numbers of ${embedding.name}${embedding.revision === undefined ? '' : ` at ${embedding.revision}`}, ${embedding.type}, ${embedding.metric}`,
          ]),
      ...(info.removed > 0
        ? [`removed ${counted(info.removed, 'document')}, still on disk until segments are merged`]
        : []),
      ...(isUnfinished(info.state) ? ['unfinished: build it again with the same options, and it goes on'] : []),
    ]
    if (options.check) lines.push('every file is as it was written')
    output.result(lines.join('\n'))
  },
})

function isUnfinished(state: unknown): boolean {
  return (state as { build?: { isDone?: boolean } } | undefined)?.build?.isDone === false
}
