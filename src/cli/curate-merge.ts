// `anneal curate merge DIR`: what needs all shards of a curation: duplicates across them, the files of the result, the report.
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'

export const command: Command = defineCommand({
  summary: 'join the shards of a curation: duplicates across them, files, report',
  positionals: { name: 'DIR', summary: 'its folder', min: 1, max: 1 },
  options: {},
  examples: ['curate merge runs/web'],
  run: async ({ positionals: [out], output }) => {
    const { mergeCurate } = await import('../run/curate/run-curate.ts')
    return followEdit((signal) => mergeCurate(out!, { signal }), output, 'stopping; the same command goes on from here')
  },
})
