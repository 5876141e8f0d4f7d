// `anneal gate report FIGURES --out PAGE`: the page of a sweep, made again.
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'print the figures of a sweep and make its page again',
  positionals: { name: 'FIGURES', summary: 'the .json of anneal gate sweep', min: 1, max: 1 },
  options: { out: { kind: 'text', value: 'PAGE', summary: 'the page', required: true } },
  examples: ['gate report gates.json --out gates.html'],
  run: async ({ positionals, options, output }) => {
    const { reportGates } = await import('../run/gate/run-gate.ts')
    const { reportEvents } = await import('./report-events.ts')
    await reportEvents(reportGates(positionals[0]!, options.out), output)
  },
})
