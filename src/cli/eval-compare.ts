// `anneal eval compare A B`: what the difference between two evaluations is worth.
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'what the difference between two evaluations is worth, document by document',
  positionals: { name: 'A B', summary: 'results_*.json, or directories with them; the latest counts', min: 2, max: 2 },
  options: {
    changed: { kind: 'flag', summary: 'list the documents whose value is another one' },
  },
  examples: ['eval compare evals/base evals/tuned'],
  run: async ({ positionals, options, output }) => {
    const { readResults } = await import('../eval/result-files.ts')
    const { compareResults, comparisonLine, verdict } = await import('../eval/compare.ts')
    const [before, after] = positionals.map(readResults)
    for (const { path, samples } of [before!, after!])
      if (samples.size === 0) output.note(`notice: ${path} has no samples: documents cannot be compared one by one`)
    for (const comparison of compareResults(before!, after!)) {
      const { changed, ...numbers } = comparison
      output.emit({ ...numbers, verdict: verdict(comparison), changed: options.changed ? changed : changed.length })
      output.result(comparisonLine(comparison))
      if (!options.changed) continue
      for (const { id, before: was, after: is } of changed)
        output.result(`  ${id}: ${JSON.stringify(was)} → ${JSON.stringify(is)}`)
    }
  },
})
