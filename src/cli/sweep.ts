// `anneal sweep FILE.yaml`: one training configuration along axes, as a table.
import { type Command, defineCommand } from './command.ts'
import { reportEvents } from './report-events.ts'
import { stopOnSignals } from './stop-on-signals.ts'

export const command: Command = defineCommand({
  summary: 'train one configuration along axes (rank, epochs, base, format) and compare',
  positionals: { name: 'FILE', summary: 'YAML with config, output_dir, axes and what is set for all', min: 1, max: 1 },
  options: {},
  examples: ['sweep recipes/language/ablations.yaml'],
  run: async ({ positionals: [file], output }) => {
    const { runSweep } = await import('../run/sweep/run-sweep.ts')
    const stop = stopOnSignals(output, 'stopping; the run is saved, and the same command goes on')
    stop.listen()
    try {
      const { rows } = await reportEvents(runSweep(file!, { signal: stop.signal }), output)
      return stop.code ?? (rows.some(({ status }) => status === 'failed') ? 1 : 0)
    } catch (error) {
      if (stop.code !== undefined && stop.signal.aborted && error === stop.signal.reason) return stop.code
      throw error
    } finally {
      stop.release()
    }
  },
})
