// `anneal qpruner CONFIG.yaml [--key value …]`: prune, choose formats, quantize, recover and evaluate, one stage after the other.
import { dumpConfig } from '../config/dump.ts'
import { keyGroups } from '../config/key-groups.ts'
import { readConfigFile } from '../config/read-config-file.ts'
import { parseQprunerConfig, qprunerKind, qprunerOverrides } from '../run/qpruner/config.ts'
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'

export const command: Command = defineCommand({
  summary: 'prune, quantize and recover a model, as a YAML file says',
  positionals: {
    name: 'CONFIG',
    summary: 'YAML file, such as recipes/qpruner.yaml; without one, every key comes from --key value',
    min: 0,
    max: 1,
  },
  options: {
    'dry-run': {
      kind: 'flag',
      summary: 'check model, text and target, say which stages are to be made, and leave nothing behind',
    },
    overwrite: { kind: 'flag', summary: 'make stages anew that are in output_dir from other settings' },
  },
  overrides: qprunerOverrides,
  keyGroups: () => keyGroups(qprunerKind),
  examples: [
    'qpruner recipes/qpruner.yaml',
    'qpruner recipes/qpruner.yaml --quantize.budget_bits 3 --no-prune --output_dir runs/q3',
  ],
  run: async ({ positionals: [file], options, overrides, output }) => {
    const text = file === undefined ? undefined : readConfigFile(file)
    const { config, origins, notices } = parseQprunerConfig(text, file ?? 'command line', overrides)
    for (const notice of notices) output.note(`notice: ${notice}`)
    const { overwrite } = options
    const { checkQpruner, runQpruner } = await import('../run/qpruner/run-qpruner.ts')
    if (!options.dryRun) return followEdit((signal) => runQpruner(config, { signal, origins, overwrite }), output)
    const { reportEvents } = await import('./report-events.ts')
    await reportEvents(checkQpruner(config, { overwrite }), output)
    output.result(dumpConfig(qprunerKind, { config, origins }))
    output.emit(config)
    return 0
  },
})
