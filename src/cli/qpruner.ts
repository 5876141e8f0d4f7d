// `anneal qpruner CONFIG.yaml`: prune, choose formats, quantize, recover and evaluate, one stage after the other.
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'

export const command: Command = defineCommand({
  summary: 'prune, quantize and recover a model, as a YAML file says',
  positionals: { name: 'CONFIG.yaml', summary: 'what is done; recipes/qpruner.yaml is one', min: 1, max: 1 },
  options: {},
  examples: ['qpruner recipes/qpruner.yaml'],
  run: async ({ positionals, output }) => {
    const { readQprunerConfig } = await import('../run/qpruner/config.ts')
    const config = readQprunerConfig(positionals[0]!)
    const { runQpruner } = await import('../run/qpruner/run-qpruner.ts')
    return followEdit((signal) => runQpruner(config, { signal }), output)
  },
})
