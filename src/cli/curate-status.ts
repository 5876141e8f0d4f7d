// `anneal curate status DIR`: which parts of a curation that is shared out are missing.
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'which shards of a curation are missing',
  positionals: { name: 'DIR', summary: 'its folder', min: 1, max: 1 },
  options: {
    shards: { kind: 'integer', value: 'N', summary: 'into how many it is shared (default: as it was begun)', min: 1 },
    format: {
      kind: 'choice',
      choices: ['text', 'array'],
      summary: 'for people, or the missing ones alone as `sbatch --array` takes them',
      default: 'text',
    },
  },
  examples: ['curate status runs/web', 'curate status runs/web --format array'],
  run: async ({ positionals: [out], options: { shards, format }, output }) => {
    const { curateStatus } = await import('../run/curate/shards.ts')
    const status = curateStatus(out!, shards)
    output.emit(status)
    if (format === 'array') {
      if (status.array !== '') output.result(status.array)
      return
    }
    const { parts, parts_done, missing, array, merged } = status
    const of =
      status.shards === null
        ? ''
        : `; ${missing.length === 0 ? 'no shard' : `${missing.length} of ${status.shards} shards`} missing`
    const next = merged
      ? 'merged'
      : missing.length === 0 && parts === parts_done
        ? `next: anneal curate merge ${out}`
        : `missing: ${array || `${parts - parts_done} parts`}`
    output.result(`${parts_done} of ${parts} parts done${of}\n${next}`)
  },
})
