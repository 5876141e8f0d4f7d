// `anneal datamap select RUN --metric NAME --fraction F --out FILE`: a subset of the data as a new version of it.
import { UsageError } from '../errors.ts'
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'write a subset of the examples of a run, by where they are on its map or by their ids',
  positionals: { name: 'RUN', summary: 'as in anneal datamap', min: 1, max: 1000 },
  options: {
    out: {
      kind: 'text',
      value: 'FILE',
      summary: 'JSONL file to write, with FILE.provenance.json beside it',
      required: true,
    },
    metric: {
      kind: 'choice',
      choices: ['variability', 'confidence', 'correctness', 'forgetting', 'closeness', 'predicted', 'borda'],
      summary:
        'what comes first: the most variable, least confident, seldom right, … (predicted: least confident in any label)',
    },
    fraction: { kind: 'number', value: 'F', summary: 'share to take, as 0.3319', min: 0, max: 1 },
    worst: { kind: 'flag', summary: 'from the other end' },
    'both-ends': { kind: 'flag', summary: 'seven of ten from the beginning, three from the end' },
    ids: { kind: 'text', value: 'FILE', summary: 'JSONL of {guid}, as the page of a map saves what was chosen there' },
    invert: { kind: 'flag', summary: 'all but those' },
    track: {
      kind: 'choice',
      choices: ['gold', 'pred-epoch', 'pred-final'],
      summary: 'as in anneal datamap',
      default: 'gold',
    },
    epochs: { kind: 'integer', value: 'N', summary: 'read only the first N epochs', min: 1 },
  },
  examples: [
    'datamap select runs/varieties --metric variability --fraction 0.3319 --out ambiguous.jsonl',
    'datamap select runs/varieties --ids chosen.jsonl --invert --out cleaned.jsonl',
  ],
  run: async ({ positionals: runs, options, output }) => {
    const { metric, fraction, ids, worst, bothEnds, invert: isInverted, out, track, epochs } = options
    if ((ids === undefined) === (metric === undefined))
      throw new UsageError(`--metric: expected either it or --ids, got ${ids === undefined ? 'neither' : 'both'}`)
    if (worst && bothEnds) throw new UsageError('--worst: expected either it or --both-ends, got both')
    if (metric !== undefined && fraction === undefined)
      throw new UsageError('--fraction: expected a share with --metric, got nothing. 0.3319 is the usual third')
    const { selectVersion } = await import('../run/datamap/new-version.ts')
    const by = ids === undefined ? { metric: metric as 'borda', fraction: fraction!, worst, bothEnds } : { ids }
    const onNotice = (message: string): void => output.note(`notice: ${message}`)
    const version = await selectVersion({ runs, out, by, isInverted, track: track as 'gold', epochs, onNotice })
    output.emit(version)
    output.result(`${version.rows.toLocaleString('en')} of ${version.before.toLocaleString('en')} examples → ${out}`)
  },
})
