// `anneal datamap crossfit CONFIG.yaml [--folds K] [--key value …]`: a run for each fold, and the map of all of them.
import { keyGroups } from '../config/key-groups.ts'
import { parseConfig } from '../config/parse.ts'
import { readConfigFile } from '../config/read-config-file.ts'
import { trainKind, trainOverrides } from '../config/train-kind.ts'
import { type Command, defineCommand } from './command.ts'
import { reportEvents } from './report-events.ts'
import { stopOnSignals } from './stop-on-signals.ts'

export const command: Command = defineCommand({
  summary: 'map the data by classifiers that did not learn from what they judge: one for each fold',
  positionals: { name: 'CONFIG', summary: 'YAML file of a run with stage: classify', min: 0, max: 1 },
  options: {
    folds: {
      kind: 'integer',
      value: 'K',
      summary: 'parts of the data (default: crossfit_folds, or 5)',
      min: 2,
      max: 1000,
    },
  },
  overrides: trainOverrides,
  keyGroups: () => keyGroups(trainKind),
  examples: ['datamap crossfit recipes/data-map.yaml --folds 5 --output_dir runs/folds'],
  run: async ({ positionals: [file], options, overrides, output }) => {
    const { runCrossfit } = await import('../run/datamap/run-crossfit.ts')
    const text = file === undefined ? undefined : readConfigFile(file)
    const given = { values: { training_dynamics: 'crossfit' } as const, origin: 'anneal datamap crossfit' }
    const parsed = parseConfig(text, file ?? 'command line', overrides, given)
    for (const notice of parsed.notices) output.note(`notice: ${notice}`)
    const stop = stopOnSignals(output, 'finishing this step and saving')
    stop.listen()
    try {
      const result = await reportEvents(
        runCrossfit(parsed.config, { folds: options.folds, signal: stop.signal }),
        output,
      )
      return result === undefined ? (stop.code ?? 1) : 0
    } finally {
      stop.release()
    }
  },
})
